//! How many handshake messages a source may send while the device is under load (the paper,
//! section 5.3).
//!
//! Each source has a bucket that holds five messages and gains twenty a second. A source is an IPv4
//! address, or the /64 of an IPv6 address, which is what one host can have all of. The number of
//! sources is bounded. When there is no place for a new one, it shares a bucket with its whole
//! neighbourhood, an IPv4 /16 or an IPv6 /32: so somebody who has thousands of networks, as the
//! owner of an IPv6 /48 does, shuts out his neighbours at most. The number of these is bounded, too;
//! beyond it newcomers are refused.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use hashbrown::HashTable;
use zeroize::Zeroizing;

use crate::crypto::{Crypto, KEY_LEN, Random};
use crate::time::Instant;

/// Messages a second that a source may send in the long run.
pub const PER_SECOND: u32 = 20;

/// Messages that a source may send at once.
pub const BURST: u32 = 5;

/// Most sources that are remembered at a time, and most neighbourhoods.
pub const SOURCES_MAX: usize = 8192;

/// Time that a bucket gains a message in.
const COST: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

/// Time that an empty bucket is full after. A full bucket can as well be forgotten.
const FULL: Duration = Duration::from_nanos(COST.as_nanos() as u64 * BURST as u64);

/// Full buckets are looked for this often at most, so that a refusal costs no walk of the table.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The buckets of all sources that have sent lately.
pub struct RateLimiter {
    /// Keys the hash, so that nobody can choose sources that fall into one place of the table.
    secret: Zeroizing<[u8; KEY_LEN]>,
    sources: Buckets,
    /// Used only while `sources` has no place.
    neighbourhoods: Buckets,
    swept: Option<Instant>,
}

/// A bounded table of buckets.
#[derive(Default)]
struct Buckets(HashTable<Bucket>);

struct Bucket {
    source: Source,
    hash: u64,
    /// What is in the bucket, as the time that it takes to gain it.
    credit: Duration,
    updated: Instant,
}

/// What counts as one sender.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    V4([u8; 4]),
    /// The first half of the address.
    V6([u8; 8]),
}

impl RateLimiter {
    /// A limiter that has seen nobody.
    #[must_use]
    pub fn new(random: &mut (impl Random + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        random.fill(&mut *secret);
        Self {
            secret,
            sources: Buckets::default(),
            neighbourhoods: Buckets::default(),
            swept: None,
        }
    }

    /// Whether a message from this source may be worked on; if so, it has used up its share.
    #[must_use]
    pub fn allow<C: Crypto>(&mut self, now: Instant, source: SocketAddr) -> bool {
        self.sweep(now);
        let source = Source::of(source.ip());
        let hash = source.hash::<C>(&self.secret);
        if let Some(allowed) = self.sources.take(now, source, hash) {
            return allowed;
        }
        let neighbourhood = source.neighbourhood();
        let hash = neighbourhood.hash::<C>(&self.secret);
        let allowed = self.neighbourhoods.take(now, neighbourhood, hash);
        allowed.unwrap_or(false)
    }

    /// Sources that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.0.len()
    }

    /// Whether no source is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.0.is_empty()
    }

    /// Forgets the sources whose buckets are full again, if it has not done so for a second, and
    /// gives the memory back when none is left.
    pub fn sweep(&mut self, now: Instant) {
        let recently = |swept| now.saturating_since(swept) < SWEEP_INTERVAL;
        if self.swept.is_some_and(recently) {
            return;
        }
        self.swept = Some(now);
        self.sources.sweep(now);
        self.neighbourhoods.sweep(now);
    }
}

impl Buckets {
    /// Whether there was something in the bucket of a source, which has got a full one if it had
    /// none; `None` when there is no place for it.
    fn take(&mut self, now: Instant, source: Source, hash: u64) -> Option<bool> {
        let known = self.0.find_mut(hash, |bucket| bucket.source == source);
        if let Some(bucket) = known {
            return Some(bucket.take(now));
        }
        if self.0.len() >= SOURCES_MAX {
            return None;
        }
        let bucket = Bucket {
            source,
            hash,
            credit: FULL - COST,
            updated: now,
        };
        self.0.insert_unique(hash, bucket, |bucket| bucket.hash);
        Some(true)
    }

    /// Forgets full buckets.
    fn sweep(&mut self, now: Instant) {
        self.0.retain(|bucket| bucket.credit_at(now) < FULL);
        if self.0.is_empty() {
            self.0 = HashTable::new();
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("sources", &self.len())
            .finish_non_exhaustive()
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let credit = self.credit_at(now);
        let left = credit.checked_sub(COST);
        self.credit = left.unwrap_or(credit);
        self.updated = self.updated.max(now);
        left.is_some()
    }

    fn credit_at(&self, now: Instant) -> Duration {
        let gained = now.saturating_since(self.updated);
        self.credit.saturating_add(gained).min(FULL)
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(network(address)),
        }
    }

    /// All that a provider, or a part of one, may have.
    const fn neighbourhood(self) -> Self {
        match self {
            Self::V4([a, b, ..]) => Self::V4([a, b, 0, 0]),
            Self::V6([a, b, c, d, ..]) => Self::V6([a, b, c, d, 0, 0, 0, 0]),
        }
    }

    /// Keyed, and of different lengths for the two families.
    fn hash<C: Crypto>(&self, secret: &[u8; KEY_LEN]) -> u64 {
        let bytes: &[u8] = match self {
            Self::V4(address) => address,
            Self::V6(network) => network,
        };
        let [a, b, c, d, e, f, g, h, ..] = C::mac(secret, &[bytes]);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The /64 of an address.
const fn network(address: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

#[cfg(all(test, feature = "provider"))]
mod tests;
