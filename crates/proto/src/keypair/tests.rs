use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::*;
use crate::messages::TAG_SIZE;
use crate::provider::DefaultCrypto;

type Keypair = super::Keypair<DefaultCrypto>;

// The paper's limits, declared anew.
const REKEY_MESSAGES: u64 = 1 << 60;
const REJECT_MESSAGES: u64 = u64::MAX - (1 << 13);

const START: Instant = Instant::from_nanos(1_000_000_000);

fn keypair(role: Role) -> Keypair {
    let keys = SessionKeys {
        send: Zeroizing::new([1; 32]),
        recv: Zeroizing::new([1; 32]),
        remote_index: 8,
    };
    Keypair::new(role, START, 7, &keys)
}

fn after(secs: u64) -> Instant {
    START + Duration::from_secs(secs)
}

/// Packets with these counters, one after the other in a buffer, sealed.
fn sealed(keypair: &Keypair, counters: &[u64]) -> (Vec<u8>, Vec<Packet>) {
    let places = |len: usize| {
        let place = |(i, counter): (usize, &u64)| Packet {
            start: i * 48,
            len,
            counter: *counter,
        };
        counters.iter().enumerate().map(place).collect::<Vec<_>>()
    };
    let mut buffer = vec![0x5a; counters.len() * 48];
    keypair.seal_batch(&mut buffer, &places(32)).unwrap();
    (buffer, places(32 + TAG_SIZE))
}

fn open(keypair: &Keypair, now: Instant, counters: &[u64]) -> Vec<bool> {
    let (mut buffer, places) = sealed(keypair, counters);
    let mut verdicts = vec![true; counters.len()];
    keypair.open_batch(now, &mut buffer, &places, &mut verdicts);
    verdicts
}

#[test]
fn counters_start_at_zero_and_no_two_are_the_same() {
    let keypair = keypair(Role::Initiator);
    assert_eq!(keypair.reserve(START, 1), Some(0));
    assert_eq!(keypair.reserve(START, 5), Some(1));
    assert_eq!(keypair.reserve(START, 1), Some(6));
}

#[test]
fn threads_get_counters_of_their_own() {
    let keypair = keypair(Role::Initiator);
    let mut runs: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let reserve = |count: u64| {
            let keypair = &keypair;
            scope.spawn(move || -> Vec<_> {
                (0..500)
                    .map(|_| (keypair.reserve(START, count).unwrap(), count))
                    .collect()
            })
        };
        let threads = [reserve(1), reserve(3), reserve(64)];
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    runs.sort_unstable();
    let mut next = 0;
    for (first, count) in runs {
        assert_eq!(first, next);
        next += count;
    }
}

#[test]
fn counters_end_at_reject_after_messages() {
    let keypair = keypair(Role::Initiator);
    keypair.set_counter(REJECT_MESSAGES - 2);
    assert!(keypair.can_send(START));
    assert_eq!(keypair.reserve(START, 3), None, "not the whole run");
    assert_eq!(keypair.reserve(START, 1), Some(REJECT_MESSAGES - 2));
    assert_eq!(keypair.reserve(START, 1), Some(REJECT_MESSAGES - 1));
    assert!(!keypair.can_send(START));
    for _ in 0..3 {
        assert_eq!(keypair.reserve(START, 1), None);
        assert_eq!(keypair.reserve(START, u64::MAX), None, "no way around");
    }
    assert_eq!(keypair.counter.load(Ordering::Relaxed), REJECT_MESSAGES);
}

#[test]
fn counters_are_64_bits_wide_on_every_machine() {
    let keypair = keypair(Role::Initiator);
    keypair.set_counter(u64::from(u32::MAX));
    assert_eq!(keypair.reserve(START, 2), Some(0xffff_ffff));
    assert_eq!(keypair.reserve(START, 1), Some(0x1_0000_0001));
}

#[test]
fn packets_from_reject_after_messages_on_are_not_received() {
    let keypair = keypair(Role::Initiator);
    let last = [REJECT_MESSAGES - 1, REJECT_MESSAGES, u64::MAX];
    assert_eq!(open(&keypair, START, &last), [true, false, false]);
}

#[test]
fn either_side_wants_a_new_keypair_after_rekey_after_messages() {
    for role in [Role::Initiator, Role::Responder] {
        let keypair = keypair(role);
        keypair.set_counter(REKEY_MESSAGES);
        assert!(!keypair.wants_rekey(START));
        assert_eq!(keypair.reserve(START, 1), Some(REKEY_MESSAGES));
        assert!(keypair.wants_rekey(START));
        assert!(keypair.can_send(START), "it may still be used");
    }
}

#[test]
fn only_the_initiator_wants_one_because_of_age() {
    let (initiator, responder) = (keypair(Role::Initiator), keypair(Role::Responder));
    let just_before = after(120) + Duration::ZERO;
    assert!(!initiator.wants_rekey(Instant::from_nanos(just_before.as_nanos() - 1)));
    assert!(initiator.wants_rekey(just_before));
    assert!(!initiator.wants_rekey_on_receive(after(164)));
    assert!(initiator.wants_rekey_on_receive(after(165)));
    assert!(!responder.wants_rekey(after(179)));
    assert!(!responder.wants_rekey_on_receive(after(179)));
}

#[test]
fn it_is_asked_for_once_a_second() {
    let keypair = keypair(Role::Initiator);
    assert!(keypair.ask_for_rekey(after(120)));
    assert!(!keypair.ask_for_rekey(after(120)));
    let almost = after(120) + Duration::from_millis(999);
    assert!(!keypair.ask_for_rekey(almost));
    assert!(keypair.ask_for_rekey(after(121)));
}

#[test]
fn a_keypair_of_180_s_neither_sends_nor_receives() {
    let keypair = keypair(Role::Initiator);
    let before = Instant::from_nanos(after(180).as_nanos() - 1);
    assert!(keypair.can_send(before) && keypair.reserve(before, 1).is_some());
    assert_eq!(open(&keypair, before, &[0]), [true]);
    assert!(!keypair.can_send(after(180)));
    assert_eq!(keypair.reserve(after(180), 1), None);
    assert_eq!(open(&keypair, after(180), &[1]), [false]);
    assert_eq!(
        open(&keypair, before, &[1]),
        [true],
        "it was not taken note of"
    );
}

#[test]
fn a_retired_keypair_receives_but_does_not_send() {
    let keypair = keypair(Role::Initiator);
    keypair.retire();
    assert!(!keypair.can_send(START));
    assert_eq!(keypair.reserve(START, 1), None);
    assert_eq!(open(&keypair, START, &[0]), [true]);
}

#[test]
fn the_responder_s_keypair_waits_for_confirmation() {
    assert!(keypair(Role::Initiator).is_confirmed());
    let responder = keypair(Role::Responder);
    assert!(!responder.is_confirmed());
    responder.confirm();
    assert!(responder.is_confirmed());
}

#[test]
fn each_packet_of_a_batch_has_a_verdict_of_its_own() {
    let keypair = keypair(Role::Initiator);
    assert_eq!(open(&keypair, START, &[5]), [true]);
    let (mut buffer, places) = sealed(&keypair, &[3, 5, 4, 4, 9]);
    buffer[2 * 48] ^= 1;
    let mut verdicts = [true; 5];
    keypair.open_batch(START, &mut buffer, &places, &mut verdicts);
    // New, seen before, forged, new although the forged one had its counter, new.
    assert_eq!(verdicts, [true, false, false, true, true]);
}

#[test]
fn threads_that_open_the_same_packets_take_each_once() {
    let keypair = keypair(Role::Initiator);
    let counters: Vec<u64> = (0..2000).collect();
    let taken: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let open_all = |batch: usize| {
            let (keypair, counters) = (&keypair, &counters);
            scope.spawn(move || -> Vec<bool> {
                let batches = counters.chunks(batch);
                batches
                    .flat_map(|some| open(keypair, START, some))
                    .collect()
            })
        };
        let threads = [open_all(1), open_all(7), open_all(64)];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for counter in 0..counters.len() {
        let times = taken.iter().filter(|verdicts| verdicts[counter]).count();
        assert_eq!(times, 1, "{counter}");
    }
}

#[test]
fn a_batch_that_does_not_fit_its_buffer_opens_nothing() {
    let keypair = keypair(Role::Initiator);
    let (mut buffer, mut places) = sealed(&keypair, &[0, 1]);
    places[1].len += 1;
    let mut verdicts = [true; 2];
    keypair.open_batch(START, &mut buffer, &places, &mut verdicts);
    assert_eq!(verdicts, [false; 2]);
    assert!(keypair.seal_batch(&mut buffer, &places).is_err());
    let (mut buffer, places) = sealed(&keypair, &[0, 1]);
    keypair.open_batch(START, &mut buffer, &places, &mut verdicts);
    assert_eq!(verdicts, [true; 2]);
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", keypair(Role::Initiator));
    assert_eq!(
        text,
        "Keypair { role: Initiator, local_index: 7, remote_index: 8, .. }"
    );
}
