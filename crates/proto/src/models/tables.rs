//! Tables that are published as a whole.

use alloc::sync::Arc;

use crate::allowed_ips::Prefix;
use crate::keypair::Role;
use crate::tables::{Route, Routes, Session};

use super::{Peer, Tables, explore, keypair, peer};

fn session(index: u32, peer: &Arc<Peer>) -> Session<super::Fake> {
    Session {
        keypair: keypair(Role::Initiator, index),
        peer: Arc::clone(peer),
    }
}

/// Two writers change one shard at once and a reader looks on: no change is lost, nobody else's
/// entry is ever missing.
#[test]
fn writers_of_one_shard_lose_nothing() {
    explore(3, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        tables.indices().insert(session(2, &peer));
        tables.indices().insert(session(4, &peer));
        let adds = {
            let (tables, peer) = (tables.clone(), peer.clone());
            loom::thread::spawn(move || tables.indices().insert(session(6, &peer)))
        };
        let reads = {
            let tables = tables.clone();
            loom::thread::spawn(move || {
                for _ in 0..2 {
                    let found = tables.session(4).expect("nobody removes it");
                    assert_eq!(found.keypair.local_index(), 4);
                }
            })
        };
        tables.indices().remove(2);
        adds.join().unwrap();
        reads.join().unwrap();
        let found = [2, 4, 6].map(|index| tables.session(index).is_some());
        assert_eq!(found, [false, true, true]);
    });
}

/// All allowed IPs move from one peer to another in one set: a reader finds all with the one or all
/// with the other.
#[test]
fn a_set_of_routes_takes_effect_at_once() {
    explore(3, || {
        let tables = Arc::new(Tables::new());
        let routes = |peer: &Arc<Peer>| {
            let mut routes = Routes::default();
            for network in [1, 2] {
                let prefix = Prefix::new([10, network, 0, 0].into(), 16).unwrap();
                let route = Route {
                    peer: Arc::clone(peer),
                    sequence: network.into(),
                };
                routes.insert(prefix, route);
            }
            routes
        };
        let (before, after) = (peer(), peer());
        tables.publish_routes(routes(&before));
        let reader = {
            let tables = tables.clone();
            loom::thread::spawn(move || {
                let routes = tables.routes();
                let owner = |network| &routes.lookup([10, network, 0, 1].into()).unwrap().peer;
                assert!(Arc::ptr_eq(owner(1), owner(2)));
            })
        };
        tables.publish_routes(routes(&after));
        reader.join().unwrap();
        let owner = tables.route([10, 1, 0, 1].into()).unwrap();
        assert!(Arc::ptr_eq(&owner, &after));
    });
}
