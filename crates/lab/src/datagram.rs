use std::net::{IpAddr, SocketAddr};

const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
const HOP_LIMIT: u8 = 64;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const IPV6_FRAGMENT_HEADER: usize = 8;
const UDP_HEADER: usize = 8;

/// A UDP datagram as it is on a wire: anybody's, whatever it claims of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where it claims to come from; of the same family as `to`.
    pub from: SocketAddr,
    /// Where it goes to.
    pub to: SocketAddr,
    /// Up to 65507 bytes, over IPv6 20 more.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// The IP packets that carry it over a link with this MTU in bytes: one, or fragments, which have a number in
    /// common. Over IPv4 it has no UDP checksum (RFC 768 leaves that open). None when its addresses are of different
    /// families, it is too long for UDP, or the MTU is below 68.
    #[must_use]
    pub fn packets(&self, mtu: usize, number: u32) -> Option<Vec<Vec<u8>>> {
        let udp = self.udp()?;
        let (header, fragment_header) = match self.to {
            SocketAddr::V4(_) => (IPV4_HEADER, 0),
            SocketAddr::V6(_) => (IPV6_HEADER, IPV6_FRAGMENT_HEADER),
        };
        if mtu < 68 {
            return None;
        }
        if header + udp.len() <= mtu {
            return Some(vec![self.packet(&udp, None, number)?]);
        }
        // Every fragment but the last has a multiple of eight bytes.
        let most = (mtu - header - fragment_header) / 8 * 8;
        let count = udp.len().div_ceil(most);
        udp.chunks(most)
            .enumerate()
            .map(|(place, part)| {
                let position = Position {
                    offset: u16::try_from(place * most).ok()?,
                    more: place + 1 < count,
                };
                self.packet(part, Some(position), number)
            })
            .collect()
    }

    /// Reads an IP packet that holds a whole UDP datagram; none of anything else.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<Self> {
        let (from, to, udp): (IpAddr, IpAddr, _) = match packet.first()? >> 4 {
            4 => {
                let header = usize::from(packet.first()? & 0x0f) * 4;
                let whole = u16::from_be_bytes(array(packet, 6)?) & 0x3fff == 0;
                if !whole || *packet.get(9)? != UDP {
                    return None;
                }
                let length = usize::from(u16::from_be_bytes(array(packet, 2)?));
                (
                    array::<4>(packet, 12)?.into(),
                    array::<4>(packet, 16)?.into(),
                    packet.get(header..length)?,
                )
            }
            6 if *packet.get(6)? == UDP => (
                array::<16>(packet, 8)?.into(),
                array::<16>(packet, 24)?.into(),
                packet.get(IPV6_HEADER..)?,
            ),
            _ => return None,
        };
        let port = |at| Some(u16::from_be_bytes(array(udp, at)?));
        let length = usize::from(port(4)?);
        Some(Self {
            from: SocketAddr::new(from, port(0)?),
            to: SocketAddr::new(to, port(2)?),
            payload: udp.get(UDP_HEADER..length)?.to_vec(),
        })
    }

    /// The UDP header and the payload.
    fn udp(&self) -> Option<Vec<u8>> {
        let length = u16::try_from(UDP_HEADER + self.payload.len()).ok()?;
        let mut udp = Vec::with_capacity(usize::from(length));
        udp.extend(self.from.port().to_be_bytes());
        udp.extend(self.to.port().to_be_bytes());
        udp.extend(length.to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(&self.payload);
        if let (IpAddr::V6(from), IpAddr::V6(to)) = (self.from.ip(), self.to.ip()) {
            let tail = [0, 0, 0, UDP];
            let pseudo = [&from.octets()[..], &to.octets(), &tail, &udp[4..6], &udp].concat();
            let checksum = match checksum(&pseudo) {
                0 => 0xffff,
                other => other,
            };
            udp[6..8].copy_from_slice(&checksum.to_be_bytes());
        }
        Some(udp)
    }

    fn packet(&self, part: &[u8], position: Option<Position>, number: u32) -> Option<Vec<u8>> {
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let length = u16::try_from(IPV4_HEADER + part.len()).ok()?;
                let place = position.map_or(0, |p| (u16::from(p.more) << 13) | (p.offset / 8));
                let mut packet = vec![0x45, 0];
                packet.extend(length.to_be_bytes());
                packet.extend((number as u16).to_be_bytes());
                packet.extend(place.to_be_bytes());
                packet.extend([HOP_LIMIT, UDP, 0, 0]);
                packet.extend(from.octets());
                packet.extend(to.octets());
                let sum = checksum(&packet);
                packet[10..12].copy_from_slice(&sum.to_be_bytes());
                packet.extend(part);
                Some(packet)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let extension = position.map(|position| {
                    let place = position.offset | u16::from(position.more);
                    [&[UDP, 0][..], &place.to_be_bytes(), &number.to_be_bytes()].concat()
                });
                let next = if extension.is_some() { FRAGMENT } else { UDP };
                let extension = extension.unwrap_or_default();
                let length = u16::try_from(extension.len() + part.len()).ok()?;
                let mut packet = vec![0x60, 0, 0, 0];
                packet.extend(length.to_be_bytes());
                packet.extend([next, HOP_LIMIT]);
                packet.extend(from.octets());
                packet.extend(to.octets());
                packet.extend(extension);
                packet.extend(part);
                Some(packet)
            }
            _ => None,
        }
    }
}

/// Where a fragment lies in its datagram.
#[derive(Clone, Copy)]
struct Position {
    /// In bytes.
    offset: u16,
    more: bool,
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |byte| u32::from(*byte)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(from: &str, to: &str, length: usize) -> Datagram {
        Datagram {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            payload: (0..length).map(|byte| byte as u8).collect(),
        }
    }

    fn both(length: usize) -> [Datagram; 2] {
        [
            datagram("192.0.2.1:1000", "198.51.100.2:51820", length),
            datagram("[2001:db8::1]:1000", "[2001:db8::2]:51820", length),
        ]
    }

    #[test]
    fn a_whole_datagram_is_read_as_it_was_written() {
        for datagram in both(0).into_iter().chain(both(1000)).chain(both(65_507)) {
            let packets = datagram.packets(65_575, 1).unwrap();
            assert_eq!(packets.len(), 1);
            assert_eq!(Datagram::read(&packets[0]), Some(datagram));
        }
    }

    #[test]
    fn fragments_fit_the_link_and_add_up() {
        for (datagram, header) in both(65_507).iter().zip([IPV4_HEADER, IPV6_HEADER + 8]) {
            let packets = datagram.packets(1500, 7).unwrap();
            assert!(packets.iter().all(|packet| packet.len() <= 1500));
            assert!(
                packets
                    .iter()
                    .all(|packet| Datagram::read(packet).is_none())
            );
            let parts = packets.iter().flat_map(|packet| &packet[header..]);
            assert_eq!(parts.copied().collect::<Vec<u8>>(), datagram.udp().unwrap());
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(both(10)[0].packets(67, 0).is_none());
        assert!(both(65_528)[0].packets(1500, 0).is_none());
        let mixed = datagram("192.0.2.1:1", "[2001:db8::2]:2", 1);
        assert!(mixed.packets(1500, 0).is_none());
        assert_eq!(Datagram::read(&[]), None);
        assert_eq!(Datagram::read(&[0x45; 21]), None);
        assert_eq!(Datagram::read(&[0x60; 41]), None);
    }

    /// The example of RFC 1071, section 3.
    #[test]
    fn the_checksum_is_that_of_the_internet() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes), !0xddf2);
        assert_eq!(checksum(&[]), 0xffff);
    }
}
