//! A device in a network namespace of its own.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use hushwire_engine::uapi::{ControlSocket, DIRECTORY};
use hushwire_engine::{Engine, Level, Logger, Options};
use hushwire_io::tun::{Tun, TunOptions};
use hushwire_io::udp::UdpOptions;
use hushwire_netlink::Namespace;

/// A running device.
pub(crate) struct TestDevice {
    path: PathBuf,
}

impl TestDevice {
    /// Runs `test` beside a fresh device, which is down, and ends the device.
    pub(crate) fn run(test: impl FnOnce(&Self) + Send) {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test makes TUN devices and needs root: run it with sudo"
        );
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hwt{}x{count}", std::process::id() % 100_000);
        // The namespace and all that is in it go with the thread.
        std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                let namespace = Namespace::new().expect("a network namespace");
                namespace.enter().expect("to enter it");
                let tun = Tun::create(&name, &TunOptions::default()).expect("a TUN device");
                let socket = ControlSocket::bind(&name).expect("a control socket");
                let options = Options {
                    log: Logger::new(Level::Silent, &name),
                    udp: UdpOptions::default(),
                    control_socket: Some(socket),
                };
                let engine = Engine::start(&tun, options).expect("an engine");
                drop(tun);
                let device = Self {
                    path: PathBuf::from(DIRECTORY).join(format!("{name}.sock")),
                };
                let stopper = StopOnDrop(Some(engine));
                test(&device);
                drop(stopper);
                assert!(!device.path.exists(), "the control socket stays");
            });
            if let Err(panic) = run.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    /// A connection to the control socket.
    pub(crate) fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).expect("to reach the control socket")
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

/// Ends the device also when a test fails.
struct StopOnDrop(Option<Engine>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(engine) = self.0.take() {
            engine.stop();
            engine.wait();
        }
    }
}
