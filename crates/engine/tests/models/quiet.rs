//! The TUN queue goes from the sending to the receiving thread and back, sockets come and go, and in
//! the end both threads stop: nobody sleeps while a packet waits that is his.

use std::io;
use std::num::NonZeroU16;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use hushwire_io::udp::{
    DatagramReceiver, DatagramSocket, Family, Received, SendReport, Transmit, UdpError,
};

use crate::explore;
use crate::lane::{Lane, Next};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wait::{Wake, wait};

/// A socket that is only there.
struct Socket;

struct Nothing;

impl DatagramReceiver for Nothing {
    fn len(&self) -> usize {
        0
    }

    fn message(&mut self, _: usize) -> Option<Received<'_>> {
        None
    }
}

impl DatagramSocket for Socket {
    type SendScratch = ();
    type Receiver = Nothing;

    fn send<'s>(&self, _: &[Transmit<'_>], (): &'s mut ()) -> SendReport<'s> {
        SendReport {
            sent: 0,
            dropped: 0,
            troubles: &[],
        }
    }

    fn receive(&self, _: Family, _: &mut Nothing) -> io::Result<usize> {
        Ok(0)
    }

    fn fd(&self, _: Family) -> Option<BorrowedFd<'_>> {
        None
    }

    fn port(&self) -> u16 {
        0
    }

    fn set_fwmark(&self, _: u32) -> Result<(), UdpError> {
        Ok(())
    }

    fn max_segments(&self, _: Family, _: NonZeroU16) -> usize {
        1
    }
}

/// A lane with its TUN queue, and what all threads of the engine know.
struct World {
    lane: Lane<Socket>,
    /// Packets wait at the TUN device.
    tun: Wake,
    /// Somebody has taken them.
    taken: Wake,
    stopping: AtomicBool,
    stop: Wake,
}

impl World {
    fn new(sockets: Option<Socket>) -> Arc<Self> {
        let lane = Lane::new().unwrap();
        lane.set_sockets(sockets.map(Arc::new));
        let wake = || Wake::new().unwrap();
        Arc::new(Self {
            lane,
            tun: wake(),
            taken: wake(),
            stopping: AtomicBool::new(false),
            stop: wake(),
        })
    }

    /// Sends a packet into the tunnel. Somebody takes it, or loom finds a deadlock.
    fn packet_goes_through(&self) {
        self.tun.wake();
        wait([&self.taken]);
        self.taken.clear();
    }

    /// Whether there was a packet.
    fn take_packets(&self) -> bool {
        let packets = self.tun.take();
        if packets {
            self.taken.wake();
        }
        packets
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// As `Dataplane::stop`.
    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.wake();
        self.lane.rebound().wake();
    }

    /// As `Egress::run_until_stopped`. The tunnel is quiet as soon as there are no packets.
    fn egress(&self) {
        while !self.is_stopping() {
            if self.lane.is_busy() {
                self.take_packets();
                // Without sockets the wait has no limit.
                if !self.lane.has_sockets() {
                    wait([&self.tun, &self.stop]);
                } else if !self.tun.is_set() && !self.stop.is_set() {
                    self.lane.hand_back();
                }
            } else {
                wait([self.lane.handed_over(), &self.stop]);
                self.lane.handed_over().clear();
            }
        }
    }

    /// As `Ingress::run`.
    fn ingress(&self) {
        loop {
            match self.lane.next(|| self.is_stopping()) {
                Next::Stop => return,
                Next::Wait => wait([self.lane.rebound()]),
                Next::Receive(_sockets) => self.receive(),
            }
        }
    }

    /// As `Ingress::receive_while_bound`. What comes is the beginning of a flood, so the sending
    /// thread takes over.
    fn receive(&self) {
        let rebound = self.lane.rebound();
        loop {
            if self.lane.is_busy() {
                wait([rebound]);
            } else {
                wait([rebound, &self.tun]);
            }
            if rebound.is_set() {
                return;
            }
            if self.take_packets() {
                self.lane.hand_over();
            }
        }
    }
}

/// Both threads, and somebody who does `script` beside them and then stops them.
fn run(sockets: Option<Socket>, script: fn(&World)) {
    let world = World::new(sockets);
    let threads = [World::egress, World::ingress].map(|thread| {
        let world = Arc::clone(&world);
        loom::thread::spawn(move || thread(&world))
    });
    script(&world);
    world.stop();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_stop_reaches_both_threads() {
    explore(2, || run(Some(Socket), |_| {}));
    explore(2, || run(None, |_| {}));
}

#[test]
fn a_packet_is_taken_whoever_has_the_queue() {
    explore(2, || run(Some(Socket), World::packet_goes_through));
}

#[test]
fn a_packet_is_taken_when_the_sockets_go() {
    explore(2, || {
        run(Some(Socket), |world| {
            world.lane.set_sockets(None);
            world.packet_goes_through();
        });
    });
}

#[test]
fn a_packet_is_taken_when_sockets_come() {
    explore(2, || {
        run(None, |world| {
            world.lane.set_sockets(Some(Arc::new(Socket)));
            world.packet_goes_through();
        });
    });
}
