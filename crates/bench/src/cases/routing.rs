//! Looking up the peer of an address.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hushwire_proto::AllowedIps;
use hushwire_proto::allowed_ips::Prefix;

use crate::case::Case;
use crate::random::Repeatable;

const COUNTS: [usize; 3] = [10, 1_000, 100_000];

/// Addresses that are looked up in turn: as many as a busy device has flows.
const ADDRESSES: usize = 1024;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [4, 6] {
        for count in COUNTS {
            let name = format!("routing/lookup/v{version}/{count}");
            let case = Case::new(name, move || {
                let (table, addresses) = prepare(version, count);
                let mut turn = 0;
                move || {
                    turn += 1;
                    let found = table.lookup(addresses[turn % ADDRESSES]);
                    assert!(black_box(found).is_some(), "an address has no peer");
                }
            });
            cases.push(case.counted(4 * ADDRESSES as u64));
        }
    }
    cases
}

/// A table of so many host prefixes, and addresses that are in it.
fn prepare(version: u8, count: usize) -> (AllowedIps<u32>, Vec<IpAddr>) {
    let mut random = Repeatable::new(count as u64);
    let mut hosts = Vec::with_capacity(count);
    let mut table = AllowedIps::default();
    for value in 0..count {
        let (address, length): (IpAddr, u8) = match version {
            4 => (Ipv4Addr::from(random.next() as u32).into(), 32),
            // One site's /64, as the networks of a backplane have it, or any of 65,536.
            _ => {
                let site = u128::from(random.next() & 0xffff);
                let host = u128::from(random.next());
                let bits = 0xfd00 << 112 | site << 64 | host;
                (Ipv6Addr::from(bits).into(), 128)
            }
        };
        let prefix = Prefix::new(address, length).expect("a good length");
        table.insert(prefix, value as u32);
        hosts.push(address);
    }
    let addresses = (0..ADDRESSES)
        .map(|_| hosts[random.next() as usize % count])
        .collect();
    (table, addresses)
}
