use alloc::collections::BTreeMap;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::allowed_ips::Prefix;
use crate::handshake::SessionKeys;
use crate::key::PublicKey;
use crate::keypair::Role;
use crate::peer::PeerId;
use crate::provider::DefaultCrypto;
use crate::time::Instant;

type Tables = super::Tables<DefaultCrypto>;

fn peer(number: u8) -> Arc<Peer<DefaultCrypto>> {
    let key = PublicKey::new([number; 32]);
    Arc::new(Peer::new(PeerId(number.into()), key, Arc::default()))
}

fn session(index: u32, peer: &Arc<Peer<DefaultCrypto>>) -> Session<DefaultCrypto> {
    let keys = SessionKeys {
        send: Zeroizing::new([1; 32]),
        recv: Zeroizing::new([2; 32]),
        remote_index: 0,
    };
    let keypair = Keypair::new(Role::Initiator, Instant::from_nanos(1), index, &keys);
    Session {
        keypair: Arc::new(keypair),
        peer: Arc::clone(peer),
    }
}

#[test]
fn nobody_is_found_in_new_tables() {
    let tables = Tables::new();
    assert!(tables.route([10, 0, 0, 1].into()).is_none());
    assert!(tables.session(0).is_none());
    assert!(!tables.wants_service());
    assert!(tables.next_to_service().is_none());
}

#[test]
fn routes_change_as_a_whole_and_readers_keep_what_they_have() {
    let tables = Tables::new();
    let before = tables.routes();
    let mut routes = Routes::default();
    for (sequence, third) in (0..200_u8).enumerate() {
        let prefix = Prefix::new([10, 0, third, 0].into(), 24).unwrap();
        let route = Route {
            peer: peer(third),
            sequence: sequence as u64,
        };
        routes.insert(prefix, route);
        assert!(tables.route([10, 0, third, 1].into()).is_none());
    }
    tables.publish_routes(routes);
    assert_eq!(tables.routes().len(), 200);
    assert!(before.is_empty());
    let found = tables.route([10, 0, 77, 1].into()).unwrap();
    assert_eq!(found.id(), PeerId(77));
}

#[test]
fn a_peer_is_served_once_however_often_it_asks() {
    let tables = Tables::new();
    let (one, two) = (peer(1), peer(2));
    assert!(tables.request_service(&one), "the owner must be woken");
    assert!(!tables.request_service(&one));
    assert!(!tables.request_service(&two), "it is awake already");
    assert!(tables.wants_service());
    assert_eq!(tables.next_to_service().unwrap().id(), one.id());
    assert!(!tables.request_service(&one), "behind the other");
    assert_eq!(tables.next_to_service().unwrap().id(), two.id());
    assert_eq!(tables.next_to_service().unwrap().id(), one.id());
    assert!(tables.next_to_service().is_none());
    assert!(tables.request_service(&two));
}

#[test]
fn what_was_noted_before_a_request_is_seen_by_who_serves_it() {
    // One thread counts and asks, another serves and reads; nothing may be left unseen.
    use core::sync::atomic::{AtomicU32, Ordering};
    const ROUNDS: u32 = 20_000;
    let (tables, peer, noted) = (Tables::new(), peer(1), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                noted.store(round, Ordering::Relaxed);
                let _ = tables.request_service(&peer);
            }
        });
        let mut seen = 0;
        while seen < ROUNDS {
            if tables.next_to_service().is_some() {
                seen = noted.load(Ordering::Relaxed);
            } else {
                std::thread::yield_now();
            }
        }
    });
    assert!(tables.next_to_service().is_none() || noted.into_inner() == ROUNDS);
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(u32, u8),
    Remove(u32),
}

fn change() -> impl Strategy<Value = Change> {
    // Few indices in few shards, so that they meet.
    let index = (0..40_u32, 0..3_u32).prop_map(|(high, low)| high * 256 + low);
    prop_oneof![
        (index.clone(), any::<u8>()).prop_map(|(index, peer)| Change::Insert(index, peer)),
        index.prop_map(Change::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn indices_are_a_map(changes in proptest::collection::vec(change(), 0..200)) {
        let indices = Indices::<DefaultCrypto>::new();
        let mut model = BTreeMap::new();
        for change in changes {
            match change {
                Change::Insert(index, number) => {
                    indices.insert(session(index, &peer(number)));
                    model.insert(index, number);
                }
                Change::Remove(index) => {
                    indices.remove(index);
                    model.remove(&index);
                }
            }
        }
        for index in (0..41 * 256).step_by(256).flat_map(|high| [high, high + 1, high + 2]) {
            let found = indices.find(index);
            prop_assert_eq!(
                found.as_ref().map(|session| session.peer.id()),
                model.get(&index).map(|number| PeerId((*number).into()))
            );
            if let Some(session) = found {
                prop_assert_eq!(session.keypair.local_index(), index);
            }
        }
        prop_assert_eq!(indices.len(), model.len());
    }
}
