//! Devices in a network namespace of their own.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use hushwire_engine::sandbox::{Mode, Reach, Sandbox};
use hushwire_engine::uapi::{ControlSocket, DIRECTORY};
use hushwire_engine::{Engine, Level, Logger, Options};
use hushwire_io::tun::{Tun, TunOptions};
use hushwire_io::udp::UdpOptions;
use hushwire_netlink::Namespace;

/// Runs `test` in a network namespace of its own, which goes with all that is in it.
pub(crate) fn in_a_namespace(test: impl FnOnce() + Send) {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test makes TUN devices and needs root: run it with sudo"
    );
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let namespace = Namespace::new().expect("a network namespace");
            namespace.enter().expect("to enter it");
            test();
        });
        if let Err(panic) = run.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Every call that the engine's threads make must be on its list: another one ends the tests.
const STRICT: Sandbox = Sandbox {
    mode: Mode::Strict,
    reach: Reach::Threads,
    low_ports: false,
    user: None,
};

/// A running device, which ends when this is dropped.
pub(crate) struct TestDevice {
    pub(crate) name: String,
    engine: Option<Engine>,
}

impl TestDevice {
    /// Starts a device with so many helpers, which is down.
    pub(crate) fn start(helpers: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hwt{}x{count}", std::process::id() % 100_000);
        let tun = Tun::create(&name, &TunOptions::default()).expect("a TUN device");
        let socket = ControlSocket::bind(&name).expect("a control socket");
        let options = Options {
            log: Logger::new(Level::Silent, &name),
            udp: UdpOptions::default(),
            control_socket: Some(socket),
            memory_limit: None,
            helpers,
            sandbox: STRICT,
        };
        let engine = Engine::start(&tun, options).expect("an engine");
        Self {
            name,
            engine: Some(engine),
        }
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(DIRECTORY).join(format!("{}.sock", self.name))
    }

    /// A connection to the control socket.
    pub(crate) fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).expect("to reach the control socket")
    }

    /// Sends operations and returns all that comes back.
    pub(crate) fn ask(&self, operations: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(operations.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.stop();
            let ended = engine.wait();
            assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
        }
        let stays = self.socket().exists();
        assert!(
            !stays || std::thread::panicking(),
            "the control socket stays"
        );
    }
}
