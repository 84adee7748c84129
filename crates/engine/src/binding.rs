//! The UDP sockets of a device: which port, which mark, open or closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hushwire_io::udp::{DatagramSocket, Sockets, UdpError, UdpOptions};

use crate::dataplane::Dataplane;

/// How long the threads of the data path have to let go of old sockets.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the sockets should be, and whether they are there.
pub(crate) struct Binding {
    options: UdpOptions,
    /// The port that was asked for; zero leaves it to the system.
    port: u16,
    open: bool,
}

impl Binding {
    pub(crate) const fn new(options: UdpOptions) -> Self {
        Self {
            port: options.port,
            options,
            open: false,
        }
    }

    /// The port in use or, while closed, the one that will be.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) const fn fwmark(&self) -> u32 {
        self.options.fwmark
    }

    /// Binds the sockets. A port that the system chose before is kept if it can be.
    pub(crate) fn open(&mut self, dataplane: &Dataplane<Sockets>) -> Result<(), UdpError> {
        if self.open {
            return Ok(());
        }
        self.options.port = self.port;
        match Sockets::bind_group(&self.options, dataplane.lanes().len()) {
            Ok(sockets) => {
                self.port = sockets.first().map_or(0, DatagramSocket::port);
                self.open = true;
                dataplane.set_sockets(sockets);
                Ok(())
            }
            Err(error) => {
                self.port = 0;
                Err(error)
            }
        }
    }

    /// Closes the sockets and waits until the port is free.
    pub(crate) fn close(&mut self, dataplane: &Dataplane<Sockets>) {
        self.open = false;
        let lanes = dataplane.lanes().iter();
        let old: Vec<_> = lanes.filter_map(|lane| lane.sockets()).collect();
        dataplane.set_sockets(Vec::new());
        let start = Instant::now();
        let in_use = || old.iter().any(|sockets| Arc::strong_count(sockets) > 1);
        while in_use() && start.elapsed() < RELEASE_TIMEOUT {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Changes the port, at once if the sockets are open. On failure there are none, as with
    /// wireguard-go, and the port reads zero.
    pub(crate) fn set_port(
        &mut self,
        dataplane: &Dataplane<Sockets>,
        port: u16,
    ) -> Result<(), UdpError> {
        if self.open && port != 0 && port == self.port {
            return Ok(());
        }
        let reopen = self.open || self.port == 0;
        self.close(dataplane);
        self.port = port;
        if reopen { self.open(dataplane) } else { Ok(()) }
    }

    /// Changes the mark of what is sent; zero removes it.
    pub(crate) fn set_fwmark(
        &mut self,
        dataplane: &Dataplane<Sockets>,
        mark: u32,
    ) -> Result<(), UdpError> {
        for sockets in dataplane.lanes().iter().filter_map(|lane| lane.sockets()) {
            sockets.set_fwmark(mark)?;
        }
        self.options.fwmark = mark;
        Ok(())
    }
}
