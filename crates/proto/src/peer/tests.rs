use alloc::vec;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::handshake::SessionKeys;
use crate::provider::DefaultCrypto;
use crate::tables::Session;

type Peer = super::Peer<DefaultCrypto>;
type Keypair = super::Keypair<DefaultCrypto>;
type Tables = super::Tables<DefaultCrypto>;

const START: Instant = Instant::from_nanos(1_000_000_000);

fn after(secs: u64) -> Instant {
    START + Duration::from_secs(secs)
}

fn path() -> Path {
    Path::to("192.0.2.1:51820".parse().unwrap())
}

/// A peer with its tables, and names for its keypairs.
struct Bench {
    peer: Arc<Peer>,
    tables: Tables,
    next_index: u32,
}

impl Bench {
    fn new() -> Self {
        Self {
            peer: Arc::new(Peer::new(
                PeerId(1),
                PublicKey::new([1; 32]),
                Arc::default(),
            )),
            tables: Tables::new(),
            next_index: 0,
        }
    }

    /// As at the end of a handshake.
    fn install(&mut self, role: Role, now: Instant) -> Arc<Keypair> {
        self.next_index += 1;
        let keys = SessionKeys {
            send: Zeroizing::new([1; 32]),
            recv: Zeroizing::new([2; 32]),
            remote_index: 0,
        };
        let keypair = Arc::new(Keypair::new(role, now, self.next_index, &keys));
        self.tables.indices().insert(Session {
            keypair: Arc::clone(&keypair),
            peer: Arc::clone(&self.peer),
        });
        self.peer.install(&self.tables, Arc::clone(&keypair));
        keypair
    }

    fn receive(&self, keypair: &Arc<Keypair>, now: Instant, data: bool) -> bool {
        self.peer
            .received_data(now, &self.tables, keypair, path(), 100, data)
    }

    /// Previous, current and next, by local index.
    fn slots(&self) -> [Option<u32>; 3] {
        let keypairs = self.peer.keypairs.lock();
        [&keypairs.previous, &keypairs.current, &keypairs.next]
            .map(|slot| slot.as_ref().map(|keypair| keypair.local_index()))
    }

    /// Serves the peer as the owner of the device would, up to this deadline.
    fn arm(&self, deadline: Instant) {
        self.peer.activity().disarm();
        self.peer.activity().arm(deadline);
    }
}

#[test]
fn the_initiator_s_keypair_is_used_at_once() {
    let mut bench = Bench::new();
    assert!(bench.peer.reserve(START, 1).is_none());
    let first = bench.install(Role::Initiator, START);
    assert_eq!(bench.slots(), [None, Some(1), None]);
    let reservation = bench.peer.reserve(START, 3).unwrap();
    assert!(Arc::ptr_eq(&reservation.keypair, &first));
    bench.install(Role::Initiator, START);
    assert_eq!(bench.slots(), [Some(1), Some(2), None]);
    bench.install(Role::Initiator, START);
    assert_eq!(bench.slots(), [Some(2), Some(3), None]);
    assert!(bench.tables.session(1).is_none());
}

#[test]
fn the_responder_s_keypair_waits_and_displaces_the_previous() {
    let mut bench = Bench::new();
    bench.install(Role::Initiator, START);
    bench.install(Role::Initiator, START);
    let next = bench.install(Role::Responder, START);
    assert_eq!(bench.slots(), [None, Some(2), Some(3)]);
    assert!(bench.receive(&next, START, false), "the owner is told");
    assert_eq!(bench.slots(), [Some(2), Some(3), None]);
    assert!(bench.peer.take_completed());
    assert!(!bench.peer.take_completed(), "once");
    bench.arm(after(0));
    assert!(!bench.receive(&next, START, true));
}

#[test]
fn an_own_handshake_makes_a_waiting_keypair_the_previous_one() {
    let mut bench = Bench::new();
    bench.install(Role::Initiator, START);
    let next = bench.install(Role::Responder, START);
    bench.install(Role::Initiator, START);
    assert_eq!(bench.slots(), [Some(2), Some(3), None]);
    // Data on it then confirms it and changes nothing else.
    bench.arm(after(0));
    assert!(!bench.receive(&next, START, true));
    assert!(next.is_confirmed());
    assert_eq!(bench.slots(), [Some(2), Some(3), None]);
    assert!(!bench.peer.take_completed());
}

#[test]
fn dropped_keypairs_leave_nothing() {
    let mut bench = Bench::new();
    bench.install(Role::Initiator, START);
    bench.install(Role::Initiator, START);
    let next = Arc::downgrade(&bench.install(Role::Responder, START));
    bench.install(Role::Responder, START);
    assert!(next.upgrade().is_none());
    bench.peer.drop_keypairs(&bench.tables);
    assert_eq!(bench.slots(), [None; 3]);
    assert_eq!(bench.tables.indices().len(), 0);
    assert!(bench.peer.reserve(START, 1).is_none());
}

#[test]
fn retired_keypairs_receive_and_the_next_of_them_does_not_send_either() {
    let mut bench = Bench::new();
    bench.install(Role::Initiator, START);
    let next = bench.install(Role::Responder, START);
    bench.peer.retire_keypairs();
    assert!(bench.peer.reserve(START, 1).is_none());
    assert!(bench.receive(&next, START, true));
    assert_eq!(bench.slots(), [Some(1), Some(2), None]);
    assert!(bench.peer.reserve(START, 1).is_none());
}

#[test]
fn only_the_current_keypair_asks_for_a_new_one() {
    let mut bench = Bench::new();
    let old = bench.install(Role::Initiator, START);
    let new = bench.install(Role::Initiator, after(170));
    bench.arm(after(170));
    assert!(!bench.peer.sent_data(after(175), &old, 1));
    assert!(!bench.receive(&old, after(175), true));
    assert!(!bench.peer.take_rekey_wanted(after(175)));
    assert!(bench.peer.sent_data(after(170 + 120), &new, 1));
    assert!(bench.peer.take_rekey_wanted(after(170 + 120)));
    assert!(!bench.peer.take_rekey_wanted(after(170 + 120)), "once");
}

#[test]
fn a_wish_that_has_come_true_is_no_wish() {
    let mut bench = Bench::new();
    let old = bench.install(Role::Initiator, START);
    assert!(bench.peer.sent_data(after(120), &old, 1));
    bench.install(Role::Initiator, after(120));
    assert!(!bench.peer.take_rekey_wanted(after(120)));
}

#[test]
fn a_deadline_is_asked_for_only_if_the_owner_would_come_later() {
    let mut bench = Bench::new();
    let keypair = bench.install(Role::Initiator, START);
    bench.arm(after(100));
    assert!(bench.peer.sent_data(after(1), &keypair, 1), "in 15 s");
    bench.arm(after(16));
    assert!(
        !bench.peer.sent_data(after(2), &keypair, 1),
        "not the first"
    );
    assert!(bench.receive(&keypair, after(2), true), "in 10 s");
    bench.arm(after(12));
    assert!(!bench.receive(&keypair, after(3), true));
    assert!(!bench.peer.sent_data(after(4), &keypair, 1), "at 19 s");
    assert!(!bench.receive(&keypair, after(5), true), "at 15 s");
    let activity = bench.peer.activity();
    assert_eq!(activity.unanswered_received(), Some(after(5)));
    assert_eq!(activity.unanswered_sent(), None, "answered at 5 s");
    assert_eq!(activity.last_traversal(), Some(after(5)));
}

#[test]
fn a_peer_that_nobody_watches_asks_for_every_deadline() {
    let mut bench = Bench::new();
    let keypair = bench.install(Role::Initiator, START);
    bench.peer.activity().disarm();
    assert!(bench.peer.sent_data(after(1), &keypair, 1));
    assert!(bench.receive(&keypair, after(2), true));
}

/// A sender and the owner at the same moment: the owner sees what was sent, or the sender sees
/// that the owner would come too late. Neither may miss the other.
#[test]
fn no_deadline_is_lost_between_two_threads() {
    const ROUNDS: usize = 5_000;
    let far = after(1_000);
    let rounds: Vec<Activity> = (0..ROUNDS).map(|_| Activity::default()).collect();
    for activity in &rounds {
        activity.arm(far);
    }
    let (ready, started) = (AtomicU64::new(0), AtomicBool::new(false));
    let start_together = || {
        ready.fetch_add(1, Ordering::SeqCst);
        while !started.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    };
    let asked: Vec<bool> = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            start_together();
            let send = |activity: &Activity| activity.is_before_armed(activity.data_sent(START));
            rounds.iter().map(send).collect()
        });
        let owner = scope.spawn(|| {
            start_together();
            for activity in &rounds {
                activity.disarm();
                let sent = activity.unanswered_sent();
                activity.arm(sent.map_or(far, |sent| sent + NO_ANSWER_AFTER));
            }
        });
        while ready.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        started.store(true, Ordering::SeqCst);
        owner.join().unwrap();
        sender.join().unwrap()
    });
    for (round, (activity, asked)) in rounds.iter().zip(asked).enumerate() {
        let armed = activity.armed.load(Ordering::SeqCst);
        let seen = armed == (START + NO_ANSWER_AFTER).as_nanos();
        assert!(asked || seen, "round {round}");
    }
}

#[test]
fn keepalives_start_no_deadline() {
    let mut bench = Bench::new();
    let keypair = bench.install(Role::Initiator, START);
    bench.peer.activity().disarm();
    assert!(!bench.peer.sent_keepalive(after(1), &keypair, 32));
    assert!(!bench.receive(&keypair, after(2), false));
    let activity = bench.peer.activity();
    assert_eq!(activity.unanswered_sent(), None);
    assert_eq!(activity.unanswered_received(), None);
    assert_eq!(activity.last_traversal(), Some(after(2)));
}

#[test]
fn of_the_packets_that_wait_the_oldest_goes() {
    let bench = Bench::new();
    assert!(!bench.peer.take_send_wanted());
    for number in 0..130_u8 {
        bench.peer.stage(vec![number]);
    }
    assert!(bench.peer.take_send_wanted());
    assert!(!bench.peer.take_send_wanted(), "once for what was staged");
    bench.peer.send_staged();
    assert!(bench.peer.take_send_wanted());
    let staged = bench.peer.take_staged();
    assert_eq!((staged.len(), staged[0][0], staged[127][0]), (128, 2, 129));
    assert!(!bench.peer.has_staged());
    bench.peer.send_staged();
    assert!(!bench.peer.take_send_wanted(), "nothing waits");
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Initiated,
    Answered,
    /// Data on one of the keypairs so far.
    Data(u8),
    Dropped,
}

/// The paper's rules (section 6.3) as a table of three numbers.
#[derive(Default)]
struct Model {
    slots: [Option<u32>; 3],
}

impl Model {
    fn take(&mut self, event: Event, index: u32) {
        let [previous, current, next] = self.slots;
        self.slots = match event {
            Event::Initiated => [next.or(current), Some(index), None],
            Event::Answered => [None, current, Some(index)],
            Event::Data(_) if next == Some(index) => [current, next, None],
            Event::Data(_) => [previous, current, next],
            Event::Dropped => [None; 3],
        };
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Initiated),
        3 => Just(Event::Answered),
        6 => any::<u8>().prop_map(Event::Data),
        1 => Just(Event::Dropped),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rotation_follows_the_paper_and_leaks_nothing(
        events in proptest::collection::vec(event(), 0..60),
    ) {
        let (mut bench, mut model) = (Bench::new(), Model::default());
        let mut keypairs = vec![];
        for event in events {
            let index = match event {
                Event::Initiated => {
                    keypairs.push(bench.install(Role::Initiator, START));
                    bench.next_index
                }
                Event::Answered => {
                    keypairs.push(bench.install(Role::Responder, START));
                    bench.next_index
                }
                Event::Data(which) => {
                    // Also on keypairs that are gone: a thread may still hold them.
                    let Some(keypair) = keypairs.get(usize::from(which) % keypairs.len().max(1))
                    else {
                        continue;
                    };
                    let _ = bench.receive(keypair, START, true);
                    keypair.local_index()
                }
                Event::Dropped => {
                    bench.peer.drop_keypairs(&bench.tables);
                    0
                }
            };
            model.take(event, index);
            prop_assert_eq!(bench.slots(), model.slots);
            let published = bench.peer.current().map(|current| current.local_index());
            prop_assert_eq!(published, model.slots[1]);
            let alive = model.slots.iter().flatten();
            prop_assert!(alive.clone().all(|index| bench.tables.session(*index).is_some()));
            prop_assert_eq!(bench.tables.indices().len(), alive.count());
        }
    }
}
