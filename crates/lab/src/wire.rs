use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use hushwire_netlink::Tap;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;

use crate::frame::{ETHERNET_HEADER, IPV4, IPV6, is_housekeeping};
use crate::plug::Plug;
use crate::{Error, Host, Result};

/// The hardware address of our end.
const OURS: [u8; 6] = [2, 0, 0, 0, 0, 0xfe];
/// Room for the largest frame: an MTU of 65521 bytes and the Ethernet header.
const LARGEST_FRAME: usize = 65_535;

/// A cable whose far end is in our hands: every packet that the host sends out of the interface is heard, and packets
/// arrive that nobody else could send. Made by [`crate::Lab::wire`]; when it is dropped, the interface is gone.
///
/// The host needs no answer to its ARP and neighbour requests: the wire adds a router, [`Wire::ROUTER`] and
/// [`Wire::ROUTER_V6`], that is always there, and default routes to it, so that the host can answer whoever a packet
/// claims to come from.
#[derive(Debug)]
pub struct Wire {
    tap: Arc<Tap>,
    hosts_address: [u8; 6],
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<OwnedFd>,
    listener: Option<JoinHandle<()>>,
    _plug: Plug,
}

impl Wire {
    /// Where the host sends what goes anywhere, over IPv4.
    pub const ROUTER: &str = "169.254.77.1";
    /// Where the host sends what goes anywhere, over IPv6.
    pub const ROUTER_V6: &str = "fe80::77";

    pub(crate) fn new(host: &Host, interface: &str) -> Result<Self> {
        let (tap, plug) = Plug::into(host, interface)?;
        let tap = Arc::new(tap);
        let link = host.netlink().link(interface)?;
        let hosts_address = link.and_then(|link| link.hardware_address.try_into().ok());
        let hosts_address =
            hosts_address.ok_or_else(|| Error::unexpected(interface, "has no Ethernet address"))?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = Arc::new(stop.map_err(|e| Error::system("make an event for a wire", e))?);
        let heard = Arc::default();
        let listener = {
            let (tap, heard, stop) = (Arc::clone(&tap), Arc::clone(&heard), Arc::clone(&stop));
            thread::Builder::new()
                .name("lab-wire".to_owned())
                .spawn(move || listen(&tap, &heard, &stop))
                .map_err(|e| Error::system("start the thread of a wire", e))?
        };
        let wire = Self {
            tap,
            hosts_address,
            heard,
            stop,
            listener: Some(listener),
            _plug: plug,
        };
        add_router(host, interface)?;
        Ok(wire)
    }

    /// Lets an IP packet arrive at the host.
    ///
    /// # Errors
    /// When the interface is down or gone, or the packet is of neither version of IP.
    pub fn send(&self, packet: &[u8]) -> Result<()> {
        let frame = self.frame(packet)?;
        self.send_frame(&frame)
    }

    /// As [`Wire::send`], of a frame made before with [`Wire::frame`].
    ///
    /// # Errors
    /// When the interface is down or gone.
    pub fn send_frame(&self, frame: &[u8]) -> Result<()> {
        self.tap
            .send(frame)
            .map_err(|e| Error::system(format!("send a frame to {}", self.tap.name()), e))
    }

    /// The frame in which an IP packet goes to the host.
    ///
    /// # Errors
    /// When the packet is of neither version of IP.
    pub fn frame(&self, packet: &[u8]) -> Result<Vec<u8>> {
        let kind = match packet.first().map(|byte| byte >> 4) {
            Some(4) => IPV4,
            Some(6) => IPV6,
            _ => return Err(Error::unexpected("wire", "this is no IP packet")),
        };
        Ok([&self.hosts_address[..], &OURS, &kind.to_be_bytes(), packet].concat())
    }

    /// Takes all IP packets that the host has sent since the last time, in their order. What is broadcast or multicast,
    /// and neighbour discovery, does not count.
    #[must_use]
    pub fn heard(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Cannot fail: the event's counter is far from its limit.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Gives the host a default route to us, and spares it the search for our hardware address.
fn add_router(host: &Host, interface: &str) -> Result<()> {
    let address = OURS.map(|byte| format!("{byte:02x}")).join(":");
    for (family, router) in [("-4", Wire::ROUTER), ("-6", Wire::ROUTER_V6)] {
        let neighbour = ["ip", family, "neigh", "replace", router, "lladdr", &address];
        host.output(&[&neighbour[..], &["dev", interface, "nud", "permanent"]].concat())?;
        let route = ["ip", family, "route", "add", "default", "via", router];
        host.output(&[&route[..], &["dev", interface, "onlink"]].concat())?;
    }
    Ok(())
}

/// The thread of a wire: keeps what the host sends until it is told to stop.
fn listen(tap: &Tap, heard: &Mutex<Vec<Vec<u8>>>, stop: &OwnedFd) {
    let mut buffer = vec![0; LARGEST_FRAME];
    loop {
        match tap.receive(&mut buffer) {
            Ok(length) => {
                let frame = buffer.get(..length).unwrap_or_default();
                if !is_housekeeping(frame) {
                    let packet = frame.get(ETHERNET_HEADER..).unwrap_or_default().to_vec();
                    heard
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(packet);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut ready = [
                    PollFd::new(stop, PollFlags::IN),
                    PollFd::new(tap, PollFlags::IN),
                ];
                let _ = poll(&mut ready, None);
                let [stop, _] = &ready;
                if !stop.revents().is_empty() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
