//! What the data path asks of the control thread, which may be asleep.

use alloc::sync::Arc;
use alloc::vec;

use crate::keypair::Role;
use crate::sync::atomic::{AtomicBool, Ordering};

use super::{NOW, Peer, Tables, explore, install, keypair, peer};

/// The control thread's wake-up: it stays until it is taken.
struct Control {
    tables: Arc<Tables>,
    woken: AtomicBool,
}

impl Control {
    fn new(tables: &Arc<Tables>) -> Arc<Self> {
        Arc::new(Self {
            tables: Arc::clone(tables),
            woken: AtomicBool::new(false),
        })
    }

    /// What the data path does.
    fn request(&self, peer: &Arc<Peer>) {
        if self.tables.request_service(peer) {
            // As eventfd(2), which adds up: no plain store.
            self.woken.swap(true, Ordering::AcqRel);
        }
    }

    /// What the control thread does when it is awake, with `serve` for each peer.
    fn turn(&self, serve: impl Fn(&Peer)) {
        if self.woken.swap(false, Ordering::AcqRel) {
            while let Some(peer) = self.tables.next_to_service() {
                serve(&peer);
            }
        }
    }
}

/// Two threads stage packets and ask, as the control thread serves: it sees what either left, and
/// the last request wakes it again if it has to.
#[test]
fn no_request_is_lost() {
    explore(3, || {
        let tables = Arc::new(Tables::new());
        let (control, peer) = (Control::new(&tables), peer());
        let stage = || {
            let (control, peer) = (control.clone(), peer.clone());
            loom::thread::spawn(move || {
                peer.stage(vec![0]);
                control.request(&peer);
            })
        };
        let threads = [stage(), stage()];
        let serve = |peer: &Peer| {
            if peer.take_send_wanted() {
                drop(peer.take_staged());
            }
        };
        control.turn(serve);
        for thread in threads {
            thread.join().unwrap();
        }
        control.turn(serve);
        assert!(!tables.wants_service(), "asleep, with somebody waiting");
        assert!(!peer.take_send_wanted() && !peer.has_staged());
    });
}

/// Two peers ask at once: both are served.
#[test]
fn each_peer_is_served() {
    explore(3, || {
        let tables = Arc::new(Tables::new());
        let control = Control::new(&tables);
        let peers = [peer(), peer()];
        let threads = peers.clone().map(|peer| {
            let control = control.clone();
            loom::thread::spawn(move || {
                peer.stage(vec![0]);
                control.request(&peer);
            })
        });
        let serve = |peer: &Peer| drop(peer.take_staged());
        control.turn(serve);
        for thread in threads {
            thread.join().unwrap();
        }
        control.turn(serve);
        assert!(peers.iter().all(|peer| !peer.has_staged()));
    });
}

/// A packet comes just as the handshake that it needs is done: it is sent, by one or the other.
#[test]
fn no_packet_stays_behind_a_handshake() {
    explore(3, || {
        let tables = Arc::new(Tables::new());
        let (control, peer) = (Control::new(&tables), peer());
        let egress = {
            let (control, peer) = (control.clone(), peer.clone());
            loom::thread::spawn(move || {
                if peer.reserve(NOW, 1).is_none() {
                    peer.stage(vec![0]);
                    control.request(&peer);
                }
            })
        };
        let flush = |peer: &Peer| {
            if peer.has_staged() && peer.can_send(NOW) {
                drop(peer.take_staged());
            }
        };
        install(&tables, &peer, &keypair(Role::Initiator, 1));
        flush(&peer);
        egress.join().unwrap();
        control.turn(flush);
        assert!(!peer.has_staged());
    });
}
