//! What an intruder could do who has taken over a thread: nothing.
//!
//! Each attempt is made by a process of its own, in a thread that is in the sandbox of its class
//! exactly as the engine's threads are, since the answer may be the process's end. It is this
//! test program again, told by the environment what to try.

use std::fs;
use std::io::{self, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::LazyLock;

use hushwire_engine::sandbox::{Mode, Reach, Sandbox, ThreadClass, Warden};
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid as NixPid;
use rustix::mount::{MountFlags, mount};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with};
use rustix::process::{Pid, Signal, Uid, kill_process};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_thread_uid};

/// `MODE CLASS ATTEMPT`, by number: what the process is to try.
const VARIABLE: &str = "HUSHWIRE_TEST_HIJACK";
const SUCCEEDED: i32 = 10;
const REFUSED: i32 = 11;
const SIGSYS: i32 = 31;

/// What must come of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// An error.
    Refused,
    /// The end of the process.
    Killed,
}
use Answer::{Killed, Refused};

type Attempt = (&'static str, Answer, fn() -> io::Result<()>);

const ATTEMPTS: &[Attempt] = &[
    ("reads a file", Refused, || {
        fs::read("/etc/passwd").map(drop)
    }),
    ("makes a file", Refused, || fs::write(scratch(), "x")),
    ("lists a directory", Refused, || fs::read_dir("/").map(drop)),
    ("makes a directory", Refused, || fs::create_dir(scratch())),
    ("renames", Refused, || {
        fs::rename("/etc/hostname", scratch())
    }),
    ("links", Refused, || symlink("/etc/passwd", scratch())),
    ("removes a file", Refused, || fs::remove_file(victim())),
    ("changes rights", Refused, || {
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(victim(), rights)
    }),
    ("opens a unix socket", Refused, || {
        UnixDatagram::unbound().map(drop)
    }),
    ("listens on TCP", Refused, || {
        TcpListener::bind("127.0.0.1:0").map(drop)
    }),
    ("connects by TCP", Refused, || {
        TcpStream::connect("127.0.0.1:9").map(drop)
    }),
    ("opens a raw socket", Refused, || {
        open(AddressFamily::INET, SocketType::RAW)
    }),
    ("opens a packet socket", Refused, || {
        open(AddressFamily::PACKET, SocketType::RAW)
    }),
    ("talks to the firewall", Refused, || {
        let protocol = Some(netlink::NETFILTER);
        let flags = SocketFlags::empty();
        Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol).map(drop)?)
    }),
    ("becomes a program", Killed, || {
        Err(Command::new("/bin/true").exec())
    }),
    ("starts a program", Killed, || {
        Command::new("/bin/true").spawn().map(drop)
    }),
    ("forks", Killed, || Ok(nix::unistd::daemon(true, true)?)),
    ("traces", Killed, || Ok(ptrace::attach(parent())?)),
    ("reads another's memory", Killed, || {
        let mut buffer = [0; 8];
        let remote = [RemoteIoVec { base: 4096, len: 8 }];
        process_vm_readv(parent(), &mut [IoSliceMut::new(&mut buffer)], &remote)?;
        Ok(())
    }),
    ("signals another", Killed, || {
        let parent = Pid::from_raw(parent().as_raw()).ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(parent, Signal::CONT)?)
    }),
    ("mounts", Killed, || {
        let flags = MountFlags::empty();
        Ok(mount("none", "/mnt", "tmpfs", flags, None)?)
    }),
    ("takes capabilities", Killed, || {
        let all = CapabilitySets {
            effective: CapabilitySet::all(),
            permitted: CapabilitySet::all(),
            inheritable: CapabilitySet::empty(),
        };
        Ok(set_capabilities(None, all)?)
    }),
    ("changes its user", Killed, || {
        Ok(set_thread_uid(Uid::from_raw(1))?)
    }),
];

/// What two of the classes may.
const ASKS_FOR_LINKS: Attempt = ("asks for links", Refused, || {
    open(AddressFamily::NETLINK, SocketType::RAW)
});

#[test]
fn a_hijacked_thread_can_do_nothing() {
    if let Ok(order) = std::env::var(VARIABLE) {
        obey(&order);
    }
    fs::write(victim(), "x").unwrap();
    for class in 0..ThreadClass::ALL.len() {
        for (attempt, (what, expected, _)) in ATTEMPTS.iter().enumerate() {
            let status = send("on", class, attempt);
            let class = ThreadClass::ALL[class];
            match expected {
                Refused => assert_eq!(status.code(), Some(REFUSED), "{class:?} {what}: {status}"),
                Killed => assert_eq!(status.signal(), Some(SIGSYS), "{class:?} {what}: {status}"),
            }
        }
    }
    assert!(fs::exists(victim()).unwrap(), "it was removed");
    fs::remove_file(victim()).unwrap();
}

#[test]
fn where_calls_are_not_on_the_list_the_strict_sandbox_ends_the_process() {
    for class in 0..ThreadClass::ALL.len() {
        let attempt = ATTEMPTS
            .iter()
            .position(|(name, ..)| *name == "opens a unix socket");
        let status = send("strict", class, attempt.unwrap());
        assert_eq!(status.signal(), Some(SIGSYS));
    }
}

/// Each class has a filter of its own, and not that of the process.
#[test]
fn only_who_looks_at_links_may_ask_for_them() {
    for (class, name) in ThreadClass::ALL.iter().enumerate() {
        let expected = match name {
            ThreadClass::Process | ThreadClass::Control => SUCCEEDED,
            _ => REFUSED,
        };
        let status = send("on", class, ATTEMPTS.len());
        assert_eq!(status.code(), Some(expected), "{name:?}: {status}");
    }
}

/// Or the tests above could not tell.
#[test]
fn without_a_sandbox_much_is_possible() {
    for what in ["reads a file", "opens a unix socket", "starts a program"] {
        let attempt = ATTEMPTS.iter().position(|(name, ..)| *name == what);
        let status = send("off", 0, attempt.unwrap());
        assert_eq!(status.code(), Some(SUCCEEDED), "{what}: {status}");
    }
}

/// Has a process of its own make an attempt.
fn send(mode: &str, class: usize, attempt: usize) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_hijacked_thread_can_do_nothing", "--nocapture"])
        .env(VARIABLE, format!("{mode} {class} {attempt}"));
    command.output().unwrap().status
}

/// Makes the attempt and ends.
fn obey(order: &str) -> ! {
    let mut words = order.split(' ');
    let mode = match words.next().unwrap() {
        "off" => Mode::Off,
        "on" => Mode::On,
        _ => Mode::Strict,
    };
    let mut number = || words.next().unwrap().parse::<usize>().unwrap();
    let class = ThreadClass::ALL[number()];
    let (_, _, attempt) = ATTEMPTS.get(number()).unwrap_or(&ASKS_FOR_LINKS);
    LazyLock::force(&PARENT);
    let hijacked = std::thread::spawn(move || {
        confined(mode, class, move || {
            let code = if attempt().is_ok() {
                SUCCEEDED
            } else {
                REFUSED
            };
            std::process::exit(code)
        });
    });
    hijacked.join().unwrap();
    unreachable!("the thread ends the process");
}

/// Runs it where a thread of this class is.
fn confined(mode: Mode, class: ThreadClass, run: impl FnOnce() + Send + 'static) {
    let warden = |reach| {
        Warden::new(Sandbox {
            mode,
            reach,
            ..Sandbox::OFF
        })
    };
    match class {
        ThreadClass::Process => warden(Reach::Process).enter_process().unwrap(),
        ThreadClass::Client => {
            // Comes from the thread that accepts it.
            let warden = warden(Reach::Threads);
            warden.enter_thread(ThreadClass::Uapi).unwrap();
            let client = std::thread::spawn(move || {
                warden.enter_thread(ThreadClass::Client).unwrap();
                run();
            });
            return client.join().unwrap();
        }
        class => warden(Reach::Threads).enter_thread(class).unwrap(),
    }
    run();
}

fn open(family: AddressFamily, kind: SocketType) -> io::Result<()> {
    Ok(socket_with(family, kind, SocketFlags::empty(), None).map(drop)?)
}

/// Asked for while it may be.
static PARENT: LazyLock<NixPid> = LazyLock::new(nix::unistd::getppid);

fn parent() -> NixPid {
    *PARENT
}

fn scratch() -> std::path::PathBuf {
    std::env::temp_dir().join("hushwire-test-hijacked-new")
}

fn victim() -> std::path::PathBuf {
    std::env::temp_dir().join("hushwire-test-hijacked-victim")
}
