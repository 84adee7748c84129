//! The limit, its bounds, and a naive model.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::crypto::testing::TestRandom;
use crate::provider::DefaultCrypto;

const START: Instant = Instant::from_nanos(5_000_000_000);
const MS: Duration = Duration::from_millis(1);

fn limiter() -> RateLimiter {
    RateLimiter::new(&mut TestRandom(3))
}

fn allow(limiter: &mut RateLimiter, now: Instant, source: IpAddr) -> bool {
    limiter.allow::<DefaultCrypto>(now, SocketAddr::new(source, 51820))
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from(number).into()
}

fn v6(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn constants_are_those_of_the_reference_implementations() {
    assert_eq!((PER_SECOND, BURST), (20, 5));
    assert_eq!((COST, FULL), (50 * MS, 250 * MS));
}

#[test]
fn five_at_once_then_one_in_fifty_milliseconds() {
    let mut limiter = limiter();
    for _ in 0..5 {
        assert!(allow(&mut limiter, START, v4(1)));
    }
    assert!(!allow(&mut limiter, START, v4(1)));
    assert!(!allow(&mut limiter, START + 49 * MS, v4(1)));
    assert!(allow(&mut limiter, START + 50 * MS, v4(1)));
    assert!(!allow(&mut limiter, START + 50 * MS, v4(1)));
}

#[test]
fn refusals_cost_nothing() {
    let mut limiter = limiter();
    for _ in 0..5 {
        assert!(allow(&mut limiter, START, v4(1)));
    }
    for step in 1..50 {
        assert!(!allow(&mut limiter, START + step * MS, v4(1)));
    }
    assert!(allow(&mut limiter, START + 50 * MS, v4(1)));
}

#[test]
fn a_long_silence_saves_up_five() {
    let mut limiter = limiter();
    assert!(allow(&mut limiter, START, v4(1)));
    let later = START + Duration::from_secs(3600);
    for _ in 0..5 {
        assert!(allow(&mut limiter, later, v4(1)));
    }
    assert!(!allow(&mut limiter, later, v4(1)));
}

#[test]
fn sources_do_not_share_unless_they_are_one_network() {
    let mut limiter = limiter();
    let exhaust = |limiter: &mut RateLimiter, source| {
        while allow(limiter, START, source) {}
    };
    exhaust(&mut limiter, v4(1));
    assert!(allow(&mut limiter, START, v4(2)));
    exhaust(&mut limiter, v6("2001:db8::1"));
    assert!(!allow(&mut limiter, START, v6("2001:db8::ffff:1:2:3")));
    assert!(allow(&mut limiter, START, v6("2001:db8:0:1::1")));
    // An IPv4 address is one source in either notation, not part of a network of all of them.
    assert!(!allow(&mut limiter, START, v6("::ffff:0.0.0.1")));
    assert!(allow(&mut limiter, START, v6("::ffff:0.0.0.3")));
}

#[test]
fn a_clock_that_steps_back_gains_nothing() {
    let mut limiter = limiter();
    for _ in 0..5 {
        assert!(allow(&mut limiter, START, v4(1)));
    }
    assert!(!allow(&mut limiter, Instant::from_nanos(0), v4(1)));
    assert!(!allow(&mut limiter, START + 49 * MS, v4(1)));
}

/// Fills the table of sources with the /64s of one IPv6 /48.
fn fill_from_one_site(limiter: &mut RateLimiter) {
    for number in 0..SOURCES_MAX as u16 {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 7, number, 0, 0, 0, 1);
        assert!(allow(limiter, START, address.into()));
    }
    assert_eq!(limiter.len(), SOURCES_MAX);
}

#[test]
fn the_table_is_bounded_and_newcomers_share_with_their_neighbourhood() {
    let mut limiter = limiter();
    fill_from_one_site(&mut limiter);
    // More of that site have five messages at once, all of them together.
    for number in 0..20 {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 8, number, 0, 0, 0, 1);
        assert_eq!(allow(&mut limiter, START, address.into()), number < 5);
    }
    // Nobody else is shut out by that.
    for number in 0..2000 {
        assert!(allow(&mut limiter, START, v4(number << 16 | 7)));
    }
    assert!(allow(&mut limiter, START, v6("2001:db9::1")));
    assert_eq!(limiter.len(), SOURCES_MAX);
    // Those who are in go on.
    assert!(allow(&mut limiter, START, v6("2001:db8:7:1::1")));
    // A second later all but the busy are forgotten.
    let busy = START + 980 * MS;
    while allow(&mut limiter, busy, v6("2001:db8:7::1")) {}
    assert!(allow(&mut limiter, START + 1000 * MS, v4(u32::MAX)));
    assert_eq!(limiter.len(), 2);
    assert_eq!(limiter.neighbourhoods.0.len(), 0);
    assert!(!allow(&mut limiter, START + 1000 * MS, v6("2001:db8:7::1")));
}

#[test]
fn neighbourhoods_are_bounded_too_and_beyond_them_newcomers_are_refused() {
    let mut limiter = limiter();
    fill_from_one_site(&mut limiter);
    for number in 0..SOURCES_MAX as u32 {
        assert!(allow(&mut limiter, START, v4(number << 16)));
    }
    assert!(!allow(&mut limiter, START, v4(u32::MAX)));
    assert_eq!(limiter.neighbourhoods.0.len(), SOURCES_MAX);
}

#[test]
fn a_quiet_limiter_gives_its_memory_back() {
    let mut limiter = limiter();
    for number in 0..1000 {
        assert!(allow(&mut limiter, START, v4(number)));
    }
    limiter.sweep(START + 999 * MS);
    assert_eq!(limiter.len(), 1000);
    limiter.sweep(START + 1000 * MS);
    assert!(limiter.is_empty());
    assert_eq!(limiter.sources.0.capacity(), 0);
}

#[test]
fn the_hash_is_keyed() {
    let source = Source::of(v4(1));
    let (one, two) = (limiter(), RateLimiter::new(&mut TestRandom(4)));
    assert_ne!(
        source.hash::<DefaultCrypto>(&one.secret),
        source.hash::<DefaultCrypto>(&two.secret)
    );
}

/// One bucket a source, counted in whole nanoseconds, never forgotten.
#[derive(Default)]
struct Naive(Vec<(IpAddr, u64, u64)>);

impl Naive {
    fn allow(&mut self, now: u64, source: IpAddr) -> bool {
        let index = self.0.iter().position(|bucket| bucket.0 == source);
        let index = index.unwrap_or_else(|| {
            self.0.push((source, 250_000_000, now));
            self.0.len() - 1
        });
        let (_, credit, updated) = &mut self.0[index];
        *credit = (*credit + (now - *updated)).min(250_000_000);
        *updated = now;
        if *credit >= 50_000_000 {
            *credit -= 50_000_000;
            true
        } else {
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// That full buckets are forgotten shows in no verdict.
    #[test]
    fn the_limiter_is_its_naive_model(
        arrivals in vec((0..4_u32, prop_oneof![0..30_000_000_u64, 0..1_500_000_000_u64]), 1..300),
    ) {
        let (mut limiter, mut naive) = (limiter(), Naive::default());
        let mut now = START.as_nanos();
        for (source, pause) in arrivals {
            now += pause;
            let expected = naive.allow(now, v4(source));
            let allowed = allow(&mut limiter, Instant::from_nanos(now), v4(source));
            prop_assert_eq!(allowed, expected);
        }
    }
}
