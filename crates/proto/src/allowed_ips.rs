//! The allowed-IPs table: cryptokey routing by longest prefix (the paper, section 2).
//!
//! One table serves a whole device in both directions: outgoing packets find their peer by
//! destination, and an incoming packet is taken only from the peer that its *source* leads to. A
//! prefix belongs to one peer at a time; inserting it again moves it.
//!
//! The table is a path-compressed binary trie whose nodes are shared between its clones. A clone
//! costs two reference counts, and a change copies only the nodes on its path that a clone still
//! holds. So a writer can change a table in bulk while readers keep the last published clone.

use alloc::sync::Arc;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP prefix whose host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits that `address` lies in; `None` when the length is beyond 32
    /// for IPv4 or 128 for IPv6.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let width = width(address);
        if length > width {
            return None;
        }
        let key = Key::of(address).bits & mask(length);
        let address = match address {
            IpAddr::V4(_) => Ipv4Addr::from((key >> 96) as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(key).into(),
        };
        Some(Self { address, length })
    }

    /// The first address of the prefix.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of leading bits that are fixed.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether `address` lies in this prefix.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Key::of(address).bits & mask(self.length) == Key::of(self.address).bits
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A map from prefixes to values, looked up by longest match.
#[derive(Clone)]
pub struct AllowedIps<V> {
    v4: Child<V>,
    v6: Child<V>,
    len: usize,
}

impl<V> Default for AllowedIps<V> {
    fn default() -> Self {
        Self {
            v4: None,
            v6: None,
            len: 0,
        }
    }
}

impl<V: Clone> AllowedIps<V> {
    /// The value of the longest prefix that `address` lies in.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<&V> {
        let key = Key::of(address);
        let mut best = None;
        let mut next = self.root(address);
        while let Some(node) = next {
            if !node.covers(key.bits) {
                break;
            }
            if let Some(value) = &node.value {
                best = Some(value);
            }
            next = match node.length {
                128.. => &None,
                length => &node.children[bit(key.bits, length)],
            };
        }
        best
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn exact(&self, prefix: Prefix) -> Option<&V> {
        let key = Key::of_prefix(prefix);
        let mut next = self.root(prefix.address);
        while let Some(node) = next {
            if node.length > key.length || !node.covers(key.bits) {
                return None;
            }
            if node.length == key.length {
                return node.value.as_ref();
            }
            next = &node.children[bit(key.bits, node.length)];
        }
        None
    }

    /// Gives the prefix this value and returns the value it had.
    pub fn insert(&mut self, prefix: Prefix, value: V) -> Option<V> {
        let old = insert(self.root_mut(prefix.address), Key::of_prefix(prefix), value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes exactly this prefix out and returns its value.
    pub fn remove(&mut self, prefix: Prefix) -> Option<V> {
        // Looked up first, so that a removal that does nothing copies nothing.
        self.exact(prefix)?;
        let old = remove(self.root_mut(prefix.address), Key::of_prefix(prefix));
        self.len -= usize::from(old.is_some());
        old
    }

    /// The number of prefixes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no prefix at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    const fn root(&self, address: IpAddr) -> &Child<V> {
        match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }

    const fn root_mut(&mut self, address: IpAddr) -> &mut Child<V> {
        match address {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }
}

type Child<V> = Option<Arc<Node<V>>>;

#[derive(Clone)]
struct Node<V> {
    /// The prefix, left-aligned, host bits zero.
    bits: u128,
    length: u8,
    /// `None` in a node that only branches.
    value: Option<V>,
    children: [Child<V>; 2],
}

impl<V> Node<V> {
    const fn leaf(key: Key, value: V) -> Self {
        Self {
            bits: key.bits,
            length: key.length,
            value: Some(value),
            children: [None, None],
        }
    }

    const fn covers(&self, bits: u128) -> bool {
        (bits ^ self.bits) & mask(self.length) == 0
    }
}

/// Recursion is at most 128 deep: every step down lengthens the prefix.
fn insert<V: Clone>(child: &mut Child<V>, key: Key, value: V) -> Option<V> {
    let Some(node) = child else {
        *child = Some(Arc::new(Node::leaf(key, value)));
        return None;
    };
    let common = common_length(node.bits, key.bits)
        .min(node.length)
        .min(key.length);
    if common < node.length {
        let lower = child.take();
        *child = Some(Arc::new(split(lower, common, key, value)));
        return None;
    }
    let node = Arc::make_mut(node);
    if common == key.length {
        return node.value.replace(value);
    }
    insert(&mut node.children[bit(key.bits, common)], key, value)
}

/// A node above `lower` at `common` bits, which is where `key` leaves the path to it.
fn split<V>(lower: Child<V>, common: u8, key: Key, value: V) -> Node<V> {
    let mut children = [None, None];
    if let Some(node) = lower {
        let side = bit(node.bits, common);
        children[side] = Some(node);
    }
    if common == key.length {
        return Node {
            children,
            ..Node::leaf(key, value)
        };
    }
    children[bit(key.bits, common)] = Some(Arc::new(Node::leaf(key, value)));
    Node {
        bits: key.bits & mask(common),
        length: common,
        value: None,
        children,
    }
}

fn remove<V: Clone>(child: &mut Child<V>, key: Key) -> Option<V> {
    let node = Arc::make_mut(child.as_mut()?);
    if node.length > key.length || !node.covers(key.bits) {
        return None;
    }
    let old = if node.length == key.length {
        node.value.take()
    } else {
        remove(&mut node.children[bit(key.bits, node.length)], key)
    };
    if node.value.is_none() {
        match &mut node.children {
            [Some(_), Some(_)] => {}
            [only, other] => *child = only.take().or_else(|| other.take()),
        }
    }
    old
}

#[derive(Clone, Copy)]
struct Key {
    bits: u128,
    length: u8,
}

impl Key {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self {
                bits: u128::from(u32::from(v4)) << 96,
                length: 32,
            },
            IpAddr::V6(v6) => Self {
                bits: u128::from(v6),
                length: 128,
            },
        }
    }

    fn of_prefix(prefix: Prefix) -> Self {
        Self {
            length: prefix.length,
            ..Self::of(prefix.address)
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

const fn mask(length: u8) -> u128 {
    match length {
        0 => 0,
        length => u128::MAX << (128 - length as u32),
    }
}

/// The bit after the first `length` ones, for `length` below 128.
const fn bit(bits: u128, length: u8) -> usize {
    (bits >> (127 - length as u32) & 1) as usize
}

const fn common_length(a: u128, b: u128) -> u8 {
    (a ^ b).leading_zeros() as u8
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn table(entries: &[(&str, u32)]) -> AllowedIps<u32> {
        let mut table = AllowedIps::default();
        for (text, value) in entries {
            table.insert(prefix(text), *value);
        }
        table
    }

    fn at(table: &AllowedIps<u32>, address: &str) -> Option<u32> {
        table.lookup(address.parse().unwrap()).copied()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = table(&[
            ("0.0.0.0/0", 0),
            ("10.0.0.0/8", 1),
            ("10.1.0.0/16", 2),
            ("10.1.2.3/32", 3),
            ("::/0", 4),
            ("fd00::/64", 5),
            ("fd00::1/128", 6),
        ]);
        assert_eq!(at(&table, "192.0.2.1"), Some(0));
        assert_eq!(at(&table, "10.200.0.1"), Some(1));
        assert_eq!(at(&table, "10.1.200.1"), Some(2));
        assert_eq!(at(&table, "10.1.2.3"), Some(3));
        assert_eq!(at(&table, "2001:db8::1"), Some(4));
        assert_eq!(at(&table, "fd00::2"), Some(5));
        assert_eq!(at(&table, "fd00::1"), Some(6));
    }

    #[test]
    fn the_families_do_not_see_each_other() {
        let table = table(&[("0.0.0.0/0", 1)]);
        assert_eq!(at(&table, "::ffff:10.0.0.1"), None);
        assert_eq!(at(&table, "::"), None);
    }

    #[test]
    fn inserting_a_prefix_again_moves_it() {
        let mut table = table(&[("10.0.0.0/8", 1)]);
        assert_eq!(table.insert(prefix("10.255.0.0/8"), 2), Some(1));
        assert_eq!(at(&table, "10.0.0.1"), Some(2));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn removing_takes_exactly_that_prefix() {
        let mut table = table(&[("10.0.0.0/8", 1), ("10.0.0.0/16", 2)]);
        assert_eq!(table.remove(prefix("10.0.0.0/12")), None);
        assert_eq!(table.remove(prefix("10.0.0.0/16")), Some(2));
        assert_eq!(at(&table, "10.0.0.1"), Some(1));
        assert_eq!(table.remove(prefix("10.0.0.0/8")), Some(1));
        assert!(table.is_empty() && table.v4.is_none());
    }

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut table = table(&[("10.0.0.0/8", 1)]);
        let published = table.clone();
        table.insert(prefix("10.0.0.0/8"), 2);
        table.insert(prefix("10.1.0.0/16"), 3);
        assert_eq!(at(&published, "10.1.0.1"), Some(1));
        assert_eq!(at(&table, "10.1.0.1"), Some(3));
    }

    #[test]
    fn host_bits_are_cleared_and_lengths_checked() {
        assert_eq!(prefix("10.1.2.3/8"), prefix("10.0.0.0/8"));
        assert!(Prefix::new("10.0.0.0".parse().unwrap(), 33).is_none());
        assert!(Prefix::new("::".parse().unwrap(), 129).is_none());
    }

    /// Addresses from a small space, so that prefixes nest and collide.
    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0u32..64).prop_map(|low| Ipv4Addr::from(low << 26 | low).into()),
            (0u128..64).prop_map(|low| Ipv6Addr::from(low << 122 | low).into()),
        ]
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        (any_address(), 0u8..=128).prop_map(|(address, length)| {
            Prefix::new(address, length % (width(address) + 1)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_linear_scan(
            steps in prop::collection::vec((any_prefix(), any::<bool>()), 0..120),
            addresses in prop::collection::vec(any_address(), 20),
        ) {
            let mut table = AllowedIps::default();
            let mut model: Vec<(Prefix, usize)> = Vec::new();
            for (value, (prefix, add)) in steps.into_iter().enumerate() {
                let old = model.iter().position(|(p, _)| *p == prefix).map(|at| model.remove(at).1);
                if add {
                    model.push((prefix, value));
                    prop_assert_eq!(table.insert(prefix, value), old);
                } else {
                    prop_assert_eq!(table.remove(prefix), old);
                }
                prop_assert_eq!(table.len(), model.len());
            }
            for address in addresses {
                let expected = model
                    .iter()
                    .filter(|(prefix, _)| prefix.contains(address))
                    .max_by_key(|(prefix, _)| prefix.length())
                    .map(|(_, value)| value);
                prop_assert_eq!(table.lookup(address), expected);
            }
        }
    }
}
