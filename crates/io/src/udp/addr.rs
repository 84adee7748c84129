//! Socket addresses as the kernel's bytes (ip(7), ipv6(7)).

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::cmsg::array;

/// Size of `struct sockaddr_in6`, the larger one.
const CAPACITY: usize = 28;
/// Size of `struct sockaddr_in`.
const V4_LEN: usize = 16;

/// A `sockaddr_in` or a `sockaddr_in6`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Name {
    bytes: [u8; CAPACITY],
    len: u8,
}

impl Name {
    pub(super) const CAPACITY: usize = CAPACITY;

    pub(super) const EMPTY: Self = Self {
        bytes: [0; CAPACITY],
        len: 0,
    };

    pub(super) fn encode(&mut self, address: SocketAddr) {
        let b = &mut self.bytes;
        b[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                b[0..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                b[4..8].copy_from_slice(&v4.ip().octets());
                b[8..V4_LEN].fill(0);
                self.len = V4_LEN as u8;
            }
            SocketAddr::V6(v6) => {
                b[0..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                b[4..8].fill(0);
                b[8..24].copy_from_slice(&v6.ip().octets());
                b[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                self.len = CAPACITY as u8;
            }
        }
    }

    /// The address in the first `len` bytes; `None` for another family or too few bytes.
    pub(super) fn decode(&self, len: usize) -> Option<SocketAddr> {
        let b = self.bytes.get(..len)?;
        let family = i32::from(u16::from_ne_bytes(array(b, 0)?));
        let port = u16::from_be_bytes(array(b, 2)?);
        match family {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(array::<4>(b, 4)?);
                Some(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(array::<16>(b, 8)?);
                let scope = u32::from_ne_bytes(array(b, 24)?);
                // The flow label differs from datagram to datagram, and is no part of where
                // a peer is.
                Some(SocketAddrV6::new(ip, port, 0, scope).into())
            }
            _ => None,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The whole buffer, for the kernel to write to.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(address: SocketAddr) -> Option<SocketAddr> {
        let mut name = Name::EMPTY;
        name.encode(address);
        name.decode(name.as_bytes().len())
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let mut name = Name::EMPTY;
        name.encode("10.1.2.3:65535".parse().unwrap());
        assert_eq!(name.as_bytes().len(), size_of::<libc::sockaddr_in>());
        assert_eq!(&name.as_bytes()[2..8], &[0xff, 0xff, 10, 1, 2, 3]);
        name.encode("[fe80::1%7]:256".parse().unwrap());
        assert_eq!(name.as_bytes().len(), size_of::<libc::sockaddr_in6>());
        assert_eq!(&name.as_bytes()[2..4], &[1, 0]);
        assert_eq!(&name.as_bytes()[24..], &7u32.to_ne_bytes());
    }

    #[test]
    fn an_ipv4_name_after_an_ipv6_one_keeps_nothing_of_it() {
        let mut name = Name::EMPTY;
        name.encode("[ffff:ffff:ffff:ffff::]:1".parse().unwrap());
        name.encode("1.2.3.4:5".parse().unwrap());
        assert_eq!(&name.as_bytes()[8..], &[0; 8]);
    }

    #[test]
    fn short_or_foreign_names_are_refused() {
        let mut name = Name::EMPTY;
        assert_eq!(name.decode(0), None);
        assert_eq!(name.decode(16), None, "family 0");
        name.encode("[::1]:1".parse().unwrap());
        assert_eq!(name.decode(27), None);
        assert_eq!(name.decode(usize::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(ip: [u8; 16], port: u16, scope: u32) {
            let v4 = SocketAddr::from(([ip[0], ip[1], ip[2], ip[3]], port));
            prop_assert_eq!(round_trip(v4), Some(v4));
            let v6 = SocketAddr::from(SocketAddrV6::new(ip.into(), port, 0, scope));
            prop_assert_eq!(round_trip(v6), Some(v6));
        }
    }
}
