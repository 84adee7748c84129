//! How many handshake messages a source may send while the device is under load (the paper,
//! section 5.3).
//!
//! Each source has a bucket that holds five messages and gains twenty a second. A source is an IPv4
//! address, or the /64 of an IPv6 address, which is what one host can have all of. The number of
//! sources is bounded; when there is no place for a new one, it is refused.

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

/// Most sources that are remembered at a time.
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
    buckets: HashTable<Bucket>,
    swept: Option<Instant>,
}

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
            buckets: HashTable::new(),
            swept: None,
        }
    }

    /// Whether a message from this source may be worked on; if so, it has used up its share.
    #[must_use]
    pub fn allow<C: Crypto>(&mut self, now: Instant, source: SocketAddr) -> bool {
        self.sweep(now);
        let source = Source::of(source.ip());
        let hash = source.hash::<C>(&self.secret);
        if let Some(bucket) = self
            .buckets
            .find_mut(hash, |bucket| bucket.source == source)
        {
            return bucket.take(now);
        }
        if self.buckets.len() >= SOURCES_MAX {
            return false;
        }
        let bucket = Bucket {
            source,
            hash,
            credit: FULL - COST,
            updated: now,
        };
        self.buckets
            .insert_unique(hash, bucket, |bucket| bucket.hash);
        true
    }

    /// Sources that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no source is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Forgets the sources whose buckets are full again, if it has not done so for a second, and
    /// gives the memory back when none is left.
    pub fn sweep(&mut self, now: Instant) {
        let recently = |swept| now.saturating_since(swept) < SWEEP_INTERVAL;
        if self.swept.is_some_and(recently) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|bucket| bucket.credit_at(now) < FULL);
        if self.buckets.is_empty() {
            self.buckets = HashTable::new();
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("sources", &self.buckets.len())
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
