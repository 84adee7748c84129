//! The allowed IPs of one peer, in the order in which they were added last.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::allowed_ips::Prefix;

/// The longest list: taking one out moves all behind it.
const LIST_MAX: usize = 16;

/// Prefixes by sequence number. Most peers have one or two, for which a list takes a tenth of the
/// memory of a map; some have a hundred thousand, of which a list could not let go one by one.
#[derive(Debug)]
pub(super) enum OwnPrefixes {
    /// Sorted, as sequence numbers rise.
    List(Vec<(u64, Prefix)>),
    Map(BTreeMap<u64, Prefix>),
}

impl Default for OwnPrefixes {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl OwnPrefixes {
    /// Adds a prefix under a sequence number above all others.
    pub(super) fn push(&mut self, sequence: u64, prefix: Prefix) {
        match self {
            Self::List(list) if list.len() < LIST_MAX => {
                list.reserve_exact(1);
                list.push((sequence, prefix));
            }
            Self::List(list) => {
                let mut map: BTreeMap<_, _> = core::mem::take(list).into_iter().collect();
                map.insert(sequence, prefix);
                *self = Self::Map(map);
            }
            Self::Map(map) => {
                map.insert(sequence, prefix);
            }
        }
    }

    /// Takes out what was added under this number.
    pub(super) fn remove(&mut self, sequence: u64) {
        match self {
            Self::List(list) => {
                if let Ok(at) = list.binary_search_by_key(&sequence, |entry| entry.0) {
                    list.remove(at);
                }
            }
            Self::Map(map) => {
                map.remove(&sequence);
            }
        }
    }

    /// All, the one added first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Prefix> + '_ {
        let (list, map) = match self {
            Self::List(list) => (list.as_slice(), None),
            Self::Map(map) => (&[][..], Some(map)),
        };
        let in_map = map.into_iter().flat_map(|map| map.values().copied());
        list.iter().map(|entry| entry.1).chain(in_map)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn prefix(number: u64) -> Prefix {
        Prefix::new(Ipv4Addr::from(number as u32).into(), 32).unwrap()
    }

    proptest! {
        /// Each step adds a prefix, or takes out the one added so many steps ago.
        #[test]
        fn it_agrees_with_a_map(steps in prop::collection::vec(prop::option::of(0u64..40), 0..120)) {
            let (mut own, mut model) = (OwnPrefixes::default(), BTreeMap::new());
            for (sequence, step) in (0..).zip(steps) {
                if let Some(ago) = step {
                    let old = u64::saturating_sub(sequence, ago);
                    own.remove(old);
                    model.remove(&old);
                } else {
                    own.push(sequence, prefix(sequence));
                    model.insert(sequence, prefix(sequence));
                }
                prop_assert!(own.iter().eq(model.values().copied()));
            }
        }
    }
}
