//! Keypairs that come and go under threads that use them (the paper, section 6.3).

use alloc::sync::Arc;

use crate::constants::REJECT_AFTER_TIME;
use crate::keypair::Role;

use super::{NOW, Tables, after, explore, install, keypair, path, peer};

/// The first data under a keypair that we made as the responder arrives while we send and while
/// another handshake ends. Nothing is sealed with a keypair that nobody has confirmed, and in the
/// end every index in the tables is one of the peer's keypairs.
#[test]
fn a_responder_sends_with_nothing_unconfirmed() {
    explore(3, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        let (first, second) = (keypair(Role::Responder, 1), keypair(Role::Responder, 2));
        install(&tables, &peer, &first);
        let ingress = {
            let (tables, peer, first) = (tables.clone(), peer.clone(), first.clone());
            loom::thread::spawn(move || {
                let _ = peer.received_data(NOW, &tables, &first, path(), 32, false);
            })
        };
        let egress = {
            let peer = peer.clone();
            loom::thread::spawn(move || {
                if let Some(reservation) = peer.reserve(NOW, 1) {
                    assert_eq!(reservation.keypair.local_index(), 1);
                    assert!(reservation.keypair.is_confirmed());
                }
            })
        };
        install(&tables, &peer, &second);
        ingress.join().unwrap();
        egress.join().unwrap();
        // Confirmed before the second came, the first is the current one; else it is gone, because
        // its initiator has begun anew.
        let current = peer.current().map(|keypair| keypair.local_index());
        assert!(matches!(current, None | Some(1)), "{current:?}");
        assert_eq!(tables.session(1).is_some(), current.is_some());
        assert!(tables.session(2).is_some());
    });
}

/// An initiator's new keypair slides in under a sender: it uses the old or the new one, each
/// counter of each once.
#[test]
fn a_sender_has_the_old_keypair_or_the_new_one() {
    explore(3, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        let (old, new) = (keypair(Role::Initiator, 1), keypair(Role::Initiator, 2));
        install(&tables, &peer, &old);
        let sender = {
            let peer = peer.clone();
            loom::thread::spawn(move || {
                let [one, two] = [(); 2].map(|()| {
                    let reservation = peer.reserve(NOW, 1).expect("one of them");
                    (reservation.keypair.local_index(), reservation.first)
                });
                assert!(
                    one < two,
                    "never back to the old one, never a counter twice"
                );
            })
        };
        install(&tables, &peer, &new);
        sender.join().unwrap();
        assert_eq!(peer.current().map(|keypair| keypair.local_index()), Some(2));
        assert!(tables.session(1).is_some(), "packets in flight arrive");
    });
}

/// The keys of a peer are dropped (it is removed, or they are too old) under threads that use them:
/// once that is done, nothing is sealed and no index leads anywhere.
#[test]
fn what_was_dropped_stays_dropped() {
    explore(3, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        let (current, next) = (keypair(Role::Initiator, 1), keypair(Role::Responder, 2));
        install(&tables, &peer, &current);
        install(&tables, &peer, &next);
        let ingress = {
            let (tables, peer) = (tables.clone(), peer.clone());
            loom::thread::spawn(move || {
                if let Some(session) = tables.session(2) {
                    let _ = peer.received_data(NOW, &tables, &session.keypair, path(), 32, true);
                }
            })
        };
        let egress = {
            let peer = peer.clone();
            loom::thread::spawn(move || drop(peer.reserve(NOW, 1)))
        };
        peer.drop_keypairs(&tables);
        ingress.join().unwrap();
        egress.join().unwrap();
        assert!(peer.reserve(NOW, 1).is_none());
        assert!(tables.session(1).is_none() && tables.session(2).is_none());
    });
}

/// The private key changes under a sender: what it reserves afterwards it does not get.
#[test]
fn a_retired_keypair_seals_nothing_more() {
    explore(3, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        install(&tables, &peer, &keypair(Role::Initiator, 1));
        let sender = {
            let peer = peer.clone();
            loom::thread::spawn(move || drop(peer.reserve(NOW, 1)))
        };
        peer.retire_keypairs();
        sender.join().unwrap();
        assert!(peer.reserve(NOW, 1).is_none());
        assert!(
            peer.reserve(after(REJECT_AFTER_TIME.as_secs()), 1)
                .is_none()
        );
    });
}
