//! Packets of a flow that the fuzzer thinks of.

use super::model::{put, sum};
use crate::input::Input;

/// What the packets of a flow have in common.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    is_v4: bool,
    is_tcp: bool,
    class: u8,
    hops: u8,
    dont_fragment: bool,
    id: u16,
    /// IPv4 options or IPv6 extension headers, in units of eight bytes.
    extra: usize,
    last_address_byte: u8,
    sequence: u32,
    flags: u8,
    window: u16,
    /// TCP options, in units of four bytes.
    options: usize,
}

impl Flow {
    pub(crate) fn new(input: &mut Input<'_>) -> Self {
        let [shape, class, hops, flow, extra, options] = input.array();
        Self {
            is_v4: shape & 1 == 0,
            is_tcp: shape & 2 == 0,
            dont_fragment: shape & 4 == 0,
            // Most packets are so, and others are not joined.
            flags: if shape & 8 == 0 { 0x10 } else { input.byte() },
            extra: if shape & 16 == 0 {
                0
            } else {
                usize::from(extra % 4)
            },
            options: if shape & 32 == 0 {
                0
            } else {
                usize::from(options % 11)
            },
            class,
            hops,
            id: input.u16(),
            last_address_byte: flow,
            sequence: input.u32(),
            window: input.u16(),
        }
    }

    /// A super-packet with so much payload, its checksum left open.
    pub(crate) fn super_packet(&self, payload: usize) -> Vec<u8> {
        let payload: Vec<u8> = (0..payload).map(|at| (at * 31 + at / 256) as u8).collect();
        let mut packet = self.packet(0, 0, self.flags, &payload);
        let transport = self.transport_at();
        let len = packet.len() - transport;
        let pseudo = self.pseudo_header(len);
        put(&mut packet, transport + self.checksum_at(), pseudo);
        packet
    }

    /// The virtio header of [`Self::super_packet`].
    pub(crate) fn virtio_header(&self, size: u16) -> [u8; 10] {
        let kind = match (self.is_tcp, self.is_v4) {
            (true, true) => 1,
            (true, false) => 4,
            (false, _) => 5,
        };
        let [size0, size1] = size.to_le_bytes();
        let [start, offset] = [self.transport_at() as u8, self.checksum_at() as u8];
        [1, kind, 0, 0, size0, size1, start, 0, offset, 0]
    }

    /// Packet number `index` of the flow, after so many bytes of payload, complete.
    pub(crate) fn packet(&self, index: u16, offset: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let transport = self.transport(offset, flags, payload);
        let mut packet = self.network(index, transport.len());
        packet.extend(transport);
        self.sum_up(&mut packet);
        packet
    }

    pub(crate) const fn flags(&self) -> u8 {
        self.flags
    }

    /// Writes the transport checksum of a packet of the flow.
    fn sum_up(&self, packet: &mut [u8]) {
        let at = self.transport_at();
        let field = at + self.checksum_at();
        put(packet, field, 0);
        let check = !sum(self.pseudo_header(packet.len() - at), &packet[at..]);
        let check = if check == 0 && !self.is_tcp {
            0xffff
        } else {
            check
        };
        put(packet, field, check);
    }

    const fn transport_at(&self) -> usize {
        (if self.is_v4 { 20 } else { 40 }) + self.extra * 8
    }

    const fn checksum_at(&self) -> usize {
        if self.is_tcp { 16 } else { 6 }
    }

    const fn protocol(&self) -> u8 {
        if self.is_tcp { 6 } else { 17 }
    }

    fn addresses(&self) -> Vec<u8> {
        let last = self.last_address_byte;
        if self.is_v4 {
            return vec![10, 0, 0, last, 10, 9, 8, last];
        }
        let mut addresses = vec![0xfd; 32];
        addresses[15] = last;
        addresses[31] = last;
        addresses
    }

    fn pseudo_header(&self, len: usize) -> u16 {
        let rest = [&(len as u16).to_be_bytes()[..], &[0, self.protocol()]].concat();
        sum(sum(0, &self.addresses()), &rest)
    }

    fn network(&self, index: u16, transport: usize) -> Vec<u8> {
        let behind = (self.extra * 8 + transport) as u16;
        let mut header = Vec::new();
        if self.is_v4 {
            header.extend([0x45 + self.extra as u8 * 2, self.class]);
            header.extend((20 + behind).to_be_bytes());
            header.extend(self.id.wrapping_add(index).to_be_bytes());
            header.extend([if self.dont_fragment { 0x40 } else { 0 }, 0]);
            header.extend([self.hops, self.protocol(), 0, 0]);
            header.extend(self.addresses());
            header.resize(20 + self.extra * 8, 1);
            let check = !sum(0, &header);
            put(&mut header, 10, check);
        } else {
            header.extend([0x60 | self.class >> 4, self.class << 4, 0, 0]);
            header.extend(behind.to_be_bytes());
            let destination_options = 60;
            let extended = self.extra > 0;
            header.push(if extended {
                destination_options
            } else {
                self.protocol()
            });
            header.push(self.hops);
            header.extend(self.addresses());
            if extended {
                header.extend([self.protocol(), self.extra as u8 - 1]);
                header.resize(40 + self.extra * 8, 0);
            }
        }
        header
    }

    fn transport(&self, offset: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![4, self.last_address_byte, 1, 187];
        if self.is_tcp {
            bytes.extend(self.sequence.wrapping_add(offset).to_be_bytes());
            bytes.extend(77u32.to_be_bytes());
            bytes.extend([0x50 + (self.options as u8) * 16, flags]);
            bytes.extend(self.window.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.resize(20 + self.options * 4, 1);
        } else {
            bytes.extend(((8 + payload.len()) as u16).to_be_bytes());
            bytes.extend([0; 2]);
        }
        bytes.extend(payload);
        bytes
    }
}
