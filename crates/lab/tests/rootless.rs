//! A lab as an ordinary user, as `hushwire demo` has it. Becoming root in a user namespace needs a process with one
//! thread, which the usual test harness is not; so this file is a program of its own (`harness = false`).
//!
//! Started by root, it becomes the user `nobody` first (setpriv(1)).

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use hushwire_lab::{Lab, require_tools};
use hushwire_netlink::user_namespace::become_root_in_user_namespace;

/// The user `nobody` and the group `nogroup` of Debian.
const NOBODY: &str = "65534";

fn main() {
    if rustix::process::geteuid().is_root() {
        println!("running 1 test");
        become_ordinary_user();
        println!("test an_ordinary_user_has_a_lab ... ok\n");
        println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    } else {
        as_ordinary_user();
    }
}

/// Runs this program as `nobody`, from a copy that `nobody` may read.
fn become_ordinary_user() {
    require_tools(&["setpriv", "ping"]).unwrap();
    let directory = TemporaryDirectory::new();
    let copy = directory.0.join("rootless");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    let status = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(&copy)
        .current_dir("/")
        .process_group(0)
        .status()
        .unwrap();
    assert!(status.success(), "the part as an ordinary user failed");
}

fn as_ordinary_user() {
    let error = Lab::new().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the laboratory makes network namespaces: run as root"
    );

    become_root_in_user_namespace().unwrap();
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    alice.address("eth0", "fd00::1/64").unwrap();
    bob.address("eth0", "10.0.0.2/24").unwrap();
    bob.address("eth0", "fd00::2/64").unwrap();
    bob.forward().unwrap();
    alice.ping("10.0.0.2").unwrap();
    alice.ping("fd00::2").unwrap();
    alice.run(|| fs::write("/run/wireguard/wg0.sock", "x").unwrap());
    assert!(!fs::exists("/run/wireguard/wg0.sock").unwrap());
    alice
        .output(&["sh", "-c", "setsid sleep 1000 & :"])
        .unwrap();
}

struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("hushwire-lab-rootless-{}", process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
