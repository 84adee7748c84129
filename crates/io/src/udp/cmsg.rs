//! Control messages (cmsg(3)): packet info, TOS and segment size, as typed values.
//!
//! The bytes are written and read here without a pointer; lengths that come from the kernel
//! are believed no more than any other input.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use super::{Ecn, Family, Local};

/// What accompanies a message to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing {
    pub(super) from: Option<Local>,
    pub(super) tos: u8,
    pub(super) segment: Option<NonZeroU16>,
}

/// What accompanied a received message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) local: Option<Local>,
    pub(super) ecn: Ecn,
    /// The segment size of a run, absent for a single datagram.
    pub(super) segment: Option<NonZeroU16>,
}

/// A control buffer with room for all that is sent (88 bytes) or asked for (88 bytes), and
/// for a message or two more that a later kernel may add.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Control {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Control {
    pub(super) const CAPACITY: usize = 128;

    pub(super) const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        len: 0,
    };

    /// Replaces the contents by the control messages for `outgoing` on a socket of `family`.
    pub(super) fn encode(&mut self, family: Family, outgoing: &Outgoing) {
        self.len = 0;
        match (family, outgoing.from.map(|from| (from.ip, from.ifindex))) {
            (Family::V4, Some((IpAddr::V4(ip), _))) => {
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &pktinfo_v4(ip));
            }
            (Family::V6, Some((IpAddr::V6(ip), ifindex))) => {
                let data = pktinfo_v6(ip, ifindex);
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data);
            }
            _ => {}
        }
        if outgoing.tos != 0 {
            let (level, kind) = match family {
                Family::V4 => (libc::IPPROTO_IP, libc::IP_TOS),
                Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
            };
            self.push(level, kind, &i32::from(outgoing.tos).to_ne_bytes());
        }
        if let Some(size) = outgoing.segment {
            let data = size.get().to_ne_bytes();
            self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &data);
        }
    }

    /// The meaning of the first `len` bytes. What is not known, or makes no sense, is left
    /// out.
    pub(super) fn decode(&self, len: usize) -> Incoming {
        let mut incoming = Incoming::default();
        let rest = self.bytes.get(..len).unwrap_or(&self.bytes);
        for (level, kind, data) in (Messages { rest }) {
            match (level, kind) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => incoming.local = local_v4(data),
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => incoming.local = local_v6(data),
                (libc::IPPROTO_IP, libc::IP_TOS) => {
                    incoming.ecn = data.first().map_or(Ecn::NotEct, |&tos| Ecn::from_tos(tos));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    incoming.ecn = integer(data).map_or(Ecn::NotEct, |n| Ecn::from_tos(n as u8));
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    incoming.segment = integer(data)
                        .and_then(|n| u16::try_from(n).ok())
                        .and_then(NonZeroU16::new);
                }
                _ => {}
            }
        }
        incoming
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The whole buffer, for the kernel to write to.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// What the kernel might have written.
    #[cfg(feature = "fuzzing")]
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().zip(bytes) {
            *place = *byte;
        }
    }

    /// Appends one message. All that [`encode`](Self::encode) can append fits, which a test
    /// holds to.
    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let start = usize::from(self.len);
        let end = start + align(HEADER + data.len());
        let Some(message) = self.bytes.get_mut(start..end) else {
            debug_assert!(false, "control buffer too small");
            return;
        };
        let (header, body) = message.split_at_mut(HEADER);
        header[..WORD].copy_from_slice(&(HEADER + data.len()).to_ne_bytes());
        header[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
        header[WORD + 4..].copy_from_slice(&kind.to_ne_bytes());
        body[..data.len()].copy_from_slice(data);
        body[data.len()..].fill(0);
        self.len = end as u8;
    }
}

/// Size of the length that begins a header, and the alignment of messages.
const WORD: usize = size_of::<usize>();
/// Size of `struct cmsghdr` as the kernel has it: length, level, type.
const HEADER: usize = WORD + 8;

/// `CMSG_ALIGN`.
const fn align(n: usize) -> usize {
    n.next_multiple_of(WORD)
}

/// Walks over (level, type, data).
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = (i32, i32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from_ne_bytes(array(self.rest, 0)?);
        let level = i32::from_ne_bytes(array(self.rest, WORD)?);
        let kind = i32::from_ne_bytes(array(self.rest, WORD + 4)?);
        let data = self.rest.get(HEADER..len)?;
        // The last message may come without its padding.
        self.rest = self.rest.get(align(len)..).unwrap_or_default();
        Some((level, kind, data))
    }
}

/// `struct in_pktinfo`: interface, source, (received) header destination. No interface; see
/// the module's account of sticky sources.
fn pktinfo_v4(ip: Ipv4Addr) -> [u8; 12] {
    let mut data = [0; 12];
    data[4..8].copy_from_slice(&ip.octets());
    data
}

/// `struct in6_pktinfo`: address, interface.
fn pktinfo_v6(ip: Ipv6Addr, ifindex: u32) -> [u8; 20] {
    let mut data = [0; 20];
    data[..16].copy_from_slice(&ip.octets());
    if ip.is_unicast_link_local() {
        data[16..].copy_from_slice(&ifindex.to_ne_bytes());
    }
    data
}

/// The received `struct in_pktinfo`. Its second field is the local address to answer from,
/// the same as the third, the header's destination, but for broadcasts.
fn local_v4(data: &[u8]) -> Option<Local> {
    let ifindex = u32::from_ne_bytes(array(data, 0)?);
    let ip = Ipv4Addr::from(array::<4>(data, 4)?);
    let unicast = !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast());
    let ip = IpAddr::V4(ip);
    unicast.then_some(Local { ip, ifindex })
}

/// The received `struct in6_pktinfo`.
fn local_v6(data: &[u8]) -> Option<Local> {
    let ip = Ipv6Addr::from(array::<16>(data, 0)?);
    let ifindex = u32::from_ne_bytes(array(data, 16)?);
    let unicast = !(ip.is_unspecified() || ip.is_multicast());
    let ip = IpAddr::V6(ip);
    unicast.then_some(Local { ip, ifindex })
}

fn integer(data: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(array(data, 0)?))
}

/// The `N` bytes of `bytes` from `at` on, if there are as many.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn local(ip: &str, ifindex: u32) -> Local {
        let ip = ip.parse().expect("an address");
        Local { ip, ifindex }
    }

    fn encode(family: Family, outgoing: Outgoing) -> Control {
        let mut control = Control::EMPTY;
        control.encode(family, &outgoing);
        control
    }

    fn received(messages: &[(i32, i32, &[u8])]) -> Incoming {
        let mut control = Control::EMPTY;
        for &(level, kind, data) in messages {
            control.push(level, kind, data);
        }
        control.decode(usize::from(control.len))
    }

    fn everything(from: &str) -> Outgoing {
        Outgoing {
            from: Some(local(from, 3)),
            tos: 0xff,
            segment: NonZeroU16::new(1452),
        }
    }

    #[test]
    fn the_header_is_the_kernels() {
        let outgoing = Outgoing {
            segment: NonZeroU16::new(0x1234),
            ..Outgoing::default()
        };
        let control = encode(Family::V4, outgoing);
        let mut expected = Vec::new();
        expected.extend((size_of::<libc::cmsghdr>() + 2).to_ne_bytes());
        expected.extend(17i32.to_ne_bytes());
        expected.extend(103i32.to_ne_bytes());
        expected.extend(0x1234u16.to_ne_bytes());
        expected.resize(expected.len().next_multiple_of(align_of::<usize>()), 0);
        assert_eq!(control.as_bytes(), expected);
    }

    #[test]
    fn nothing_to_say_is_no_message() {
        assert!(
            encode(Family::V6, Outgoing::default())
                .as_bytes()
                .is_empty()
        );
    }

    #[test]
    fn all_that_can_be_said_fits() {
        for (family, from) in [(Family::V4, "10.0.0.1"), (Family::V6, "fe80::1")] {
            let control = encode(family, everything(from));
            let kinds: Vec<_> = Messages {
                rest: control.as_bytes(),
            }
            .map(|(_, kind, data)| (kind, data.len()))
            .collect();
            match family {
                Family::V4 => assert_eq!(kinds, [(8, 12), (1, 4), (103, 2)]),
                Family::V6 => assert_eq!(kinds, [(50, 20), (67, 4), (103, 2)]),
            }
        }
    }

    #[test]
    fn a_shorter_encoding_leaves_nothing_of_a_longer_one() {
        let mut control = encode(Family::V6, everything("fe80::1"));
        control.encode(
            Family::V6,
            &Outgoing {
                tos: 1,
                ..Outgoing::default()
            },
        );
        let fresh = encode(
            Family::V6,
            Outgoing {
                tos: 1,
                ..Outgoing::default()
            },
        );
        assert_eq!(control.as_bytes(), fresh.as_bytes());
    }

    #[test]
    fn a_source_of_the_other_family_is_left_to_the_routes() {
        let from = |ip| Outgoing {
            from: Some(local(ip, 1)),
            ..Outgoing::default()
        };
        assert!(encode(Family::V4, from("::1")).as_bytes().is_empty());
        assert!(encode(Family::V6, from("127.0.0.1")).as_bytes().is_empty());
    }

    #[test]
    fn only_a_link_local_source_names_its_interface() {
        let ifindex = |ip: &str| {
            let outgoing = Outgoing {
                from: Some(local(ip, 9)),
                ..Outgoing::default()
            };
            let control = encode(Family::V6, outgoing);
            u32::from_ne_bytes(array(control.as_bytes(), HEADER + 16).expect("pktinfo"))
        };
        assert_eq!(ifindex("fe80::1"), 9);
        assert_eq!(ifindex("fd00::1"), 0);
        let v4 = encode(Family::V4, everything("10.0.0.1"));
        assert_eq!(array(v4.as_bytes(), HEADER), Some([0; 4]));
        assert_eq!(array(v4.as_bytes(), HEADER + 4), Some([10, 0, 0, 1]));
    }

    #[test]
    fn a_received_run_is_understood() {
        let mut pktinfo = [0; 12];
        pktinfo[..4].copy_from_slice(&5u32.to_ne_bytes());
        pktinfo[4..].copy_from_slice(&[10, 0, 0, 7, 10, 0, 0, 255]);
        let incoming = received(&[
            (libc::IPPROTO_IP, libc::IP_PKTINFO, &pktinfo),
            (libc::IPPROTO_IP, libc::IP_TOS, &[0x8b]),
            (libc::SOL_UDP, libc::UDP_GRO, &1452i32.to_ne_bytes()),
        ]);
        let expected = Incoming {
            local: Some(local("10.0.0.7", 5)),
            ecn: Ecn::Ce,
            segment: NonZeroU16::new(1452),
        };
        assert_eq!(incoming, expected);
    }

    #[test]
    fn a_received_ipv6_datagram_is_understood() {
        let mut pktinfo = [0; 20];
        pktinfo[0] = 0xfd;
        pktinfo[15] = 1;
        pktinfo[16..].copy_from_slice(&2u32.to_ne_bytes());
        let incoming = received(&[
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &pktinfo),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &2i32.to_ne_bytes()),
        ]);
        let expected = Incoming {
            local: Some(local("fd00::1", 2)),
            ecn: Ecn::Ect0,
            segment: None,
        };
        assert_eq!(incoming, expected);
    }

    #[test]
    fn what_cannot_be_answered_from_is_no_source() {
        let v4 = |ip: [u8; 4]| local_v4(&[[0; 4], ip, ip].concat());
        assert_eq!(v4([0, 0, 0, 0]), None);
        assert_eq!(v4([224, 0, 0, 1]), None);
        assert_eq!(v4([255; 4]), None);
        let mut multicast = [0; 20];
        multicast[..2].copy_from_slice(&[0xff, 0x02]);
        assert_eq!(local_v6(&multicast), None);
        assert_eq!(local_v6(&[0; 20]), None);
    }

    #[test]
    fn foreign_and_senseless_messages_are_passed_over() {
        let incoming = received(&[
            (libc::SOL_SOCKET, libc::SCM_RIGHTS, &[1, 2, 3, 4]),
            (libc::IPPROTO_IP, libc::IP_PKTINFO, &[1, 2, 3]),
            (libc::IPPROTO_IP, libc::IP_TOS, &[]),
            (libc::SOL_UDP, libc::UDP_GRO, &(-1i32).to_ne_bytes()),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &1i32.to_ne_bytes()),
        ]);
        let expected = Incoming {
            ecn: Ecn::Ect1,
            ..Incoming::default()
        };
        assert_eq!(incoming, expected);
    }

    #[test]
    fn the_last_message_may_lack_its_padding() {
        let mut control = Control::EMPTY;
        control.push(libc::IPPROTO_IP, libc::IP_TOS, &[3]);
        assert_eq!(control.decode(HEADER + 1).ecn, Ecn::Ce);
        assert_eq!(control.decode(HEADER).ecn, Ecn::NotEct);
    }

    proptest! {
        #[test]
        fn any_bytes_of_any_length_are_harmless(bytes: [u8; 32], fill: u8, len: usize) {
            let mut control = Control::EMPTY;
            control.bytes.fill(fill);
            control.bytes[..32].copy_from_slice(&bytes);
            let _ = control.decode(len);
            let _ = control.decode(len % 200);
        }

        #[test]
        fn a_walk_ends_whatever_the_lengths(lens in proptest::collection::vec(0usize..40, 0..8)) {
            let mut bytes = Vec::new();
            for len in lens {
                bytes.extend(len.to_ne_bytes());
                bytes.extend([0; 12]);
            }
            let walked = Messages { rest: &bytes }.count();
            prop_assert!(walked <= bytes.len() / HEADER);
        }
    }
}
