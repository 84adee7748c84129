//! Devices of daemons: sockets alive, dead and forbidden, and daemons that behave badly.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use hushwire_config::status::Status;
use hushwire_config::update::DeviceUpdate;
use hushwire_control::{Backend, Error, Health, Interfaces};
use tempfile::TempDir;

/// Long enough for any machine, short enough to fail by.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory with a daemon in it that gives these replies, one a connection, and tells what it was sent.
struct Daemon {
    directory: TempDir,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Daemon {
    fn start(replies: Vec<&'static str>) -> Self {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("wg0.sock")).unwrap();
        let thread = thread::spawn(move || {
            replies
                .into_iter()
                .map(|reply| serve(listener.accept().unwrap().0, reply))
                .collect()
        });
        Self { directory, thread }
    }

    fn interfaces(&self) -> Interfaces {
        Interfaces::new()
            .with_directory(self.directory.path())
            .with_time_limit(LIMIT)
    }
}

fn serve(mut stream: UnixStream, reply: &str) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\n\n") {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            length => request.extend(&buffer[..length]),
        }
    }
    // A client that had enough of it is none of our business.
    let _ = stream.write_all(reply.as_bytes());
    String::from_utf8(request).unwrap()
}

fn wg0() -> &'static OsStr {
    OsStr::new("wg0")
}

fn port(port: u16) -> DeviceUpdate {
    DeviceUpdate {
        listen_port: Some(port),
        ..DeviceUpdate::default()
    }
}

#[test]
fn a_device_is_read_and_changed_over_a_connection_each() {
    let daemon = Daemon::start(vec!["listen_port=5\nerrno=0\n\n", "errno=0\n\n"]);
    let mut device = daemon.interfaces().open_to_change(wg0()).unwrap();
    assert_eq!(device.backend(), Backend::Userspace);
    assert_eq!(device.read().unwrap().listen_port, 5);
    device.change(&port(7)).unwrap();
    assert_eq!(
        daemon.thread.join().unwrap(),
        ["get=1\n\n", "set=1\nlisten_port=7\n\n"]
    );
}

#[test]
fn nonsense_is_a_protocol_error() {
    for reply in [
        "",
        "errno=0\n",
        "garbage\n\n",
        "\n\n",
        "errno=0",
        "listen_port=x\nerrno=0\n\n",
    ] {
        let daemon = Daemon::start(vec![reply]);
        let error = daemon.interfaces().open(wg0()).read().unwrap_err();
        assert!(matches!(error, Error::Nonsense), "{reply:?}: {error:?}");
    }
    for reply in ["", "errno=0\n", "errno=x\n\n"] {
        let daemon = Daemon::start(vec![reply]);
        let error = daemon
            .interfaces()
            .open(wg0())
            .change(&port(1))
            .unwrap_err();
        assert!(matches!(error, Error::Nonsense), "{reply:?}: {error:?}");
    }
}

#[test]
fn a_refusal_is_told() {
    let daemon = Daemon::start(vec!["errno=-98\n\n"]);
    let error = daemon
        .interfaces()
        .open(wg0())
        .change(&port(1))
        .unwrap_err();
    assert_eq!(error.to_string(), "Address already in use");
    assert!(error.explanation().unwrap().contains("UDP port"));
}

#[test]
fn a_daemon_that_says_nothing_is_left_at_the_limit() {
    let directory = TempDir::new().unwrap();
    let listener = UnixListener::bind(directory.path().join("wg0.sock")).unwrap();
    let interfaces = Interfaces::new()
        .with_directory(directory.path())
        .with_time_limit(Duration::from_millis(50));
    let error = interfaces.open(wg0()).read().unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    let error = interfaces.open(wg0()).change(&port(1)).unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    drop(listener);
}

#[test]
fn a_daemon_that_talks_without_end_is_left_at_the_limit() {
    let directory = TempDir::new().unwrap();
    let listener = UnixListener::bind(directory.path().join("wg0.sock")).unwrap();
    let talk = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Until the client hangs up.
        while stream.write_all(b"unknown=1\n").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let interfaces = Interfaces::new()
        .with_directory(directory.path())
        .with_time_limit(Duration::from_millis(100));
    let error = interfaces.open(wg0()).read().unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    talk.join().unwrap();
}

#[test]
fn a_daemon_that_stops_listening_may_say_why() {
    let directory = TempDir::new().unwrap();
    let listener = UnixListener::bind(directory.path().join("wg0.sock")).unwrap();
    let refuse = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(b"errno=-12\n\n").unwrap();
    });
    let interfaces = Interfaces::new()
        .with_directory(directory.path())
        .with_time_limit(LIMIT);
    let peer = |number: u32| {
        use hushwire_config::key::PublicKey;
        use hushwire_config::update::{PeerAction, PeerUpdate};
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_ne_bytes());
        PeerUpdate {
            public_key: PublicKey::new(key),
            action: PeerAction::Remove,
        }
    };
    let update = DeviceUpdate {
        peers: (0..50_000).map(peer).collect(),
        ..DeviceUpdate::default()
    };
    let error = interfaces.open(wg0()).change(&update).unwrap_err();
    // Closing with unread input may throw the reply away; then there is only the broken connection.
    assert!(
        matches!(error, Error::Refused(12) | Error::Socket(_)),
        "{error:?}"
    );
    refuse.join().unwrap();
}

fn sockets(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_socket_of_a_daemon_that_has_gone_is_removed() {
    let directory = TempDir::new().unwrap();
    let interfaces = Interfaces::new().with_directory(directory.path());
    for look in [0, 1] {
        drop(UnixListener::bind(directory.path().join("wg0.sock")).unwrap());
        assert_eq!(sockets(directory.path()), ["wg0.sock"]);
        if look == 0 {
            assert!(!interfaces.names().unwrap().contains(&wg0().to_owned()));
        } else {
            assert_eq!(interfaces.open(wg0()).backend(), Backend::Kernel);
        }
        assert!(sockets(directory.path()).is_empty());
    }
}

#[test]
fn only_sockets_count() {
    let directory = TempDir::new().unwrap();
    let _listener = UnixListener::bind(directory.path().join("wg1.sock")).unwrap();
    let _nameless = UnixListener::bind(directory.path().join(".sock")).unwrap();
    let _other = UnixListener::bind(directory.path().join("wg2.socket")).unwrap();
    fs::write(directory.path().join("wg0.sock"), "").unwrap();
    let interfaces = Interfaces::new().with_directory(directory.path());
    let names = interfaces.names().unwrap();
    assert!(names.contains(&"wg1".into()), "{names:?}");
    assert!(
        !names
            .iter()
            .any(|name| name == "wg0" || name == "wg2" || name.is_empty())
    );
    assert_eq!(interfaces.open(wg0()).backend(), Backend::Kernel);
    assert_eq!(sockets(directory.path()).len(), 4);
}

#[test]
fn no_directory_means_no_daemons() {
    let directory = TempDir::new().unwrap();
    let gone = directory.path().join("gone");
    assert!(Interfaces::new().with_directory(gone).names().is_ok());
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Interfaces::new().with_directory(file).names().unwrap_err();
    assert_eq!(error.to_string(), "Not a directory");
}

#[test]
fn a_name_with_a_slash_or_too_long_is_no_daemons() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("a")).unwrap();
    let _listener = UnixListener::bind(directory.path().join("a/b.sock")).unwrap();
    let interfaces = Interfaces::new().with_directory(directory.path());
    assert_eq!(
        interfaces.open(OsStr::new("a/b")).backend(),
        Backend::Kernel
    );
    let long = "x".repeat(300);
    let mut device = interfaces.open(OsStr::new(&long));
    assert!(matches!(device.read(), Err(Error::NameTooLong)));
}

#[test]
fn a_long_name_may_be_looked_at_and_not_changed() {
    let directory = TempDir::new().unwrap();
    let name = "abcdefghijklmnop";
    let _listener = UnixListener::bind(directory.path().join(format!("{name}.sock"))).unwrap();
    let interfaces = Interfaces::new().with_directory(directory.path());
    assert_eq!(
        interfaces.open(OsStr::new(name)).backend(),
        Backend::Userspace
    );
    let refused = interfaces.open_to_change(OsStr::new(name));
    assert!(matches!(refused, Err(Error::NameTooLong)));
    assert!(interfaces.open_to_change(OsStr::new(&name[..15])).is_ok());
}

#[test]
fn a_daemon_tells_how_its_device_is_doing() {
    let daemon = Daemon::start(vec!["version=9\nmtu=1420\nerrno=0\n\n"]);
    let told = daemon.interfaces().open(wg0()).health().unwrap();
    let status = Status {
        version: "9".to_owned(),
        mtu: Some(1420),
        ..Status::default()
    };
    assert_eq!(told, Health::Told(Box::new(status)));
    assert_eq!(daemon.thread.join().unwrap(), ["status=1\n\n"]);
}

/// wireguard-go hangs up, boringtun answers EIO.
#[test]
fn a_daemon_that_does_not_know_the_question_is_named() {
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    let own = own.trim_end().to_owned();
    for answer in ["", "errno=5\n\n", "errno=-22\n\n"] {
        // The last one is never asked: as long as it is not, the listener is there to be found.
        let daemon = Daemon::start(vec![answer, ""]);
        let told = daemon.interfaces().open(wg0()).health().unwrap();
        assert_eq!(told, Health::Untold(Some(own.clone())), "{answer:?}");
        drop(UnixStream::connect(daemon.directory.path().join("wg0.sock")).unwrap());
        daemon.thread.join().unwrap();
    }
}

#[test]
fn a_status_that_makes_no_sense_is_an_error() {
    for answer in [
        "errno=0\n\n",
        "version=9\n",
        "version=9\nmtu=x\nerrno=0\n\n",
        "version=9\nsandbox=\x1b[2J on\nerrno=0\n\n",
    ] {
        let daemon = Daemon::start(vec![answer]);
        let told = daemon.interfaces().open(wg0()).health();
        assert!(matches!(told, Err(Error::Nonsense)), "{answer:?}: {told:?}");
        daemon.thread.join().unwrap();
    }
}
