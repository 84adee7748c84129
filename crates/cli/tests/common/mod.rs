//! What the tests of the binaries share: those of one program, and those of whole interfaces.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The binary that people type.
pub(crate) const HUSHWIRE: &str = env!("CARGO_BIN_EXE_hushwire");
/// The daemon's own binary.
pub(crate) const HUSHWIRED: &str = env!("CARGO_BIN_EXE_hushwired");

/// Long enough for anything on a busy machine; a test that gets here has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The private key of the wg(8) tests, and the public key that belongs to it.
pub(crate) const PRIVATE_KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
pub(crate) const PUBLIC_KEY: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
/// Another pair.
pub(crate) const OTHER_PRIVATE_KEY: &str = "QHBCpMjEmQ1kHJvHyPFcFAWSgaT7S9yqBYRVDPDiMFo=";

/// A directory for a test's files. It is removed when this is dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hushwire-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns where it is.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Runs a binary under a name, outside any laboratory.
pub(crate) fn run_as(binary: &str, name: &str, words: &[&str], input: &str) -> Outcome {
    let mut command = Command::new(binary);
    command.arg0(name).args(words);
    run(command, input)
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command, input: &str) -> Outcome {
    for variable in ["LOG_LEVEL", "WG_TUN_FD", "WG_UAPI_FD", "HUSHWIRE_DISABLE"] {
        if !command
            .get_envs()
            .any(|(name, _)| name == OsStr::new(variable))
        {
            command.env_remove(variable);
        }
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input ends before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
