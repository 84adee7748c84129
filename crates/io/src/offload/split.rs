//! Cutting a super-packet into the packets that it stands for.

use super::{
    PartialChecksum, Received, Segmentation, Sum,
    headers::{IPV6_HEADER, Layout, Transport, Version, at, field, number, put, tcp_flag},
};

pub use super::headers::Malformed;

/// A packet read from a TUN device, ready to be written out segment by segment.
///
/// A packet that is no super-packet is its own only segment; a partial checksum is finished
/// either way. The virtio header's own idea of the header length is never used: it is wrong
/// for packets that the host forwards.
///
/// ```
/// use hushwire_io::offload::{Received, Splitter};
/// let packet = [0x60, 0, 0, 0, 0, 0, 59, 64, /* … */];
/// let whole = Received { start: 0, len: packet.len(), segmentation: None, checksum: None };
/// let splitter = Splitter::new(&packet, &whole)?;
/// let mut out = [0; 100];
/// assert_eq!(splitter.segments(), 1);
/// assert_eq!(splitter.write_segment(0, &mut out), packet.len());
/// assert_eq!(out[..packet.len()], packet);
/// # Ok::<(), hushwire_io::offload::Malformed>(())
/// ```
#[derive(Clone, Debug)]
pub struct Splitter<'a> {
    packet: &'a [u8],
    plan: Plan,
}

#[derive(Clone, Debug)]
enum Plan {
    Whole(Option<PartialChecksum>),
    Cut(Cut),
}

/// Everything about a super-packet that is the same for all of its segments.
#[derive(Clone, Debug)]
struct Cut {
    layout: Layout,
    size: usize,
    segments: usize,
    /// The IPv4 header without what differs between segments: length, identification,
    /// checksum.
    network: Sum,
    /// The pseudo-header and the transport header without what differs between segments:
    /// lengths, sequence number, flags, checksum.
    transport: Sum,
    /// The first segment's identification (IPv4).
    id: u16,
    /// The first segment's sequence number (TCP).
    sequence: u32,
    /// The byte before the flags (data offset), and the flags (TCP).
    offset_and_flags: [u8; 2],
}

impl<'a> Splitter<'a> {
    /// Looks at the packet that `received` says is in `buffer`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the packet is not what its virtio header announced. The kernel does
    /// not produce such packets; one is to be dropped.
    pub fn new(buffer: &'a [u8], received: &Received) -> Result<Self, Malformed> {
        let packet = buffer
            .get(received.range())
            .ok_or(Malformed::OutsideBuffer)?;
        let plan = match received.segmentation {
            None => Plan::Whole(check_partial(packet, received.checksum)?),
            Some(segmentation) => Plan::Cut(Cut::new(packet, segmentation, received.checksum)?),
        };
        Ok(Self { packet, plan })
    }

    /// How many packets this one stands for: at least one.
    #[must_use]
    pub fn segments(&self) -> usize {
        match &self.plan {
            Plan::Whole(_) => 1,
            Plan::Cut(cut) => cut.segments,
        }
    }

    /// The bytes of the IP packet that is segment `index`. All but the last are of equal
    /// length. Zero if there is no such segment.
    #[must_use]
    pub fn segment_len(&self, index: usize) -> usize {
        match &self.plan {
            Plan::Whole(_) if index == 0 => self.packet.len(),
            Plan::Whole(_) => 0,
            Plan::Cut(cut) => cut
                .payload(self.packet, index)
                .map_or(0, |payload| cut.layout.payload_at + payload.len()),
        }
    }

    /// Writes the IP packet that is segment `index` to the start of `out`, headers and
    /// checksums complete, and returns its length, which is that of
    /// [`segment_len`](Self::segment_len). Zero, and nothing written, if there is no such
    /// segment or `out` is too short.
    pub fn write_segment(&self, index: usize, out: &mut [u8]) -> usize {
        let written = match &self.plan {
            Plan::Whole(checksum) if index == 0 => write_whole(self.packet, *checksum, out),
            Plan::Whole(_) => None,
            Plan::Cut(cut) => cut.write(self.packet, index, out),
        };
        written.unwrap_or(0)
    }
}

/// A partial checksum whose field and data lie within the packet.
fn check_partial(
    packet: &[u8],
    checksum: Option<PartialChecksum>,
) -> Result<Option<PartialChecksum>, Malformed> {
    let Some(PartialChecksum { start, offset }) = checksum else {
        return Ok(None);
    };
    let field_end = usize::from(start) + usize::from(offset) + 2;
    if field_end > packet.len() {
        return Err(Malformed::Checksum);
    }
    Ok(checksum)
}

/// Not every partial checksum is TCP's or UDP's, nor that of the outermost header: it may
/// belong to a packet within a packet. So the offsets are taken at their word.
fn write_whole(packet: &[u8], checksum: Option<PartialChecksum>, out: &mut [u8]) -> Option<usize> {
    let out = out.get_mut(..packet.len())?;
    out.copy_from_slice(packet);
    if let Some(PartialChecksum { start, offset }) = checksum {
        let (start, offset) = (usize::from(start), usize::from(offset));
        // The field is part of what is summed: it holds the pseudo-header's sum.
        let sum = Sum::new().bytes(out.get(start..)?);
        put(out, start + offset, sum.finish_nonzero());
    }
    Some(packet.len())
}

impl Cut {
    fn new(
        packet: &[u8],
        Segmentation { kind, size }: Segmentation,
        checksum: Option<PartialChecksum>,
    ) -> Result<Self, Malformed> {
        if size == 0 {
            return Err(Malformed::SegmentSize);
        }
        let layout = Layout::parse(packet, kind)?;
        let header = packet
            .get(..layout.payload_at)
            .ok_or(Malformed::Truncated)?;
        let (network_header, transport_header) = header.split_at(layout.transport_at);
        let size = usize::from(size);
        let payload = packet.len() - layout.payload_at;
        Ok(Self {
            layout,
            size,
            segments: payload.div_ceil(size).max(1),
            network: network_sum(network_header),
            transport: pseudo_header(packet, &layout, checksum)?
                .sum(transport_sum(transport_header, layout.transport)),
            id: number(header, at::IPV4_ID).ok_or(Malformed::Truncated)?,
            sequence: field(transport_header, at::TCP_SEQUENCE)
                .map(u32::from_be_bytes)
                .ok_or(Malformed::Truncated)?,
            // UDP has no such field and needs no value for it.
            offset_and_flags: field(transport_header, at::TCP_DATA_OFFSET).unwrap_or_default(),
        })
    }

    fn payload<'p>(&self, packet: &'p [u8], index: usize) -> Option<&'p [u8]> {
        if index >= self.segments {
            return None;
        }
        let payload = packet.get(self.layout.payload_at..)?;
        let start = index.checked_mul(self.size)?;
        payload.get(start..payload.len().min(start + self.size))
    }

    fn write(&self, packet: &[u8], index: usize, out: &mut [u8]) -> Option<usize> {
        let payload = self.payload(packet, index)?;
        let header_len = self.layout.payload_at;
        let out = out.get_mut(..header_len + payload.len())?;
        let (header, body) = out.split_at_mut_checked(header_len)?;
        header.copy_from_slice(packet.get(..header_len)?);
        // Copying first and summing what is then in the nearest cache is as fast as doing both
        // in one loop: the stores are the limit.
        body.copy_from_slice(payload);
        let (network, transport) = header.split_at_mut_checked(self.layout.transport_at)?;
        let transport_len = transport.len() + body.len();
        self.write_network(network, index, transport_len);
        let sum = self.transport.sum(Sum::new().bytes(body));
        match self.layout.transport {
            Transport::Tcp => self.write_tcp(transport, index, transport_len, sum),
            Transport::Udp => write_udp(transport, transport_len, sum),
        }
        Some(out.len())
    }

    fn write_network(&self, header: &mut [u8], index: usize, transport_len: usize) {
        // A segment is no longer than the super-packet, whose length fits its field.
        let total = header.len() + transport_len;
        match self.layout.version {
            Version::V4 => {
                let id = self.id.wrapping_add(index as u16);
                let total = total as u16;
                let sum = self.network.word(total).word(id);
                put(header, at::IPV4_TOTAL_LENGTH, total.to_be_bytes());
                put(header, at::IPV4_ID, id.to_be_bytes());
                put(header, at::IPV4_CHECKSUM, sum.finish());
            }
            Version::V6 => {
                let payload = total.saturating_sub(IPV6_HEADER) as u16;
                put(header, at::IPV6_PAYLOAD_LENGTH, payload.to_be_bytes());
            }
        }
    }

    fn write_tcp(&self, header: &mut [u8], index: usize, len: usize, sum: Sum) {
        let sequence = self
            .sequence
            .wrapping_add((index as u32).wrapping_mul(self.size as u32));
        let [offset, mut flags] = self.offset_and_flags;
        // The congestion signal is sent once (RFC 3168 section 6.1.2); what tells the receiver
        // that something ends belongs to the end.
        if index != 0 {
            flags &= !tcp_flag::CWR;
        }
        if index + 1 != self.segments {
            flags &= !(tcp_flag::FIN | tcp_flag::PSH);
        }
        let sum = sum
            .word(len as u16)
            .word((sequence >> 16) as u16)
            .word(sequence as u16)
            .word(u16::from_be_bytes([offset, flags]));
        put(header, at::TCP_SEQUENCE, sequence.to_be_bytes());
        put(header, at::TCP_FLAGS, [flags]);
        put(header, at::TCP_CHECKSUM, sum.finish());
    }
}

fn write_udp(header: &mut [u8], len: usize, sum: Sum) {
    // The length counts twice: in the pseudo-header and in the header.
    let sum = sum.word(len as u16).word(len as u16);
    put(header, at::UDP_LENGTH, (len as u16).to_be_bytes());
    put(header, at::UDP_CHECKSUM, sum.finish_nonzero());
}

/// The sum of an IPv4 header with the fields zeroed that differ between segments. (IPv6 has no
/// header checksum; what comes out for it is not used.)
fn network_sum(header: &[u8]) -> Sum {
    let zeroed = |at| Sum::new().word(!number(header, at).unwrap_or(0xffff));
    Sum::new()
        .bytes(header)
        .sum(zeroed(at::IPV4_TOTAL_LENGTH))
        .sum(zeroed(at::IPV4_ID))
        .sum(zeroed(at::IPV4_CHECKSUM))
}

/// The sum of a transport header with the fields zeroed that differ between segments.
fn transport_sum(header: &[u8], transport: Transport) -> Sum {
    let zeroed = |at| Sum::new().word(!number(header, at).unwrap_or(0xffff));
    let sum = Sum::new()
        .bytes(header)
        .sum(zeroed(transport.checksum_at()));
    match transport {
        Transport::Tcp => sum
            .sum(zeroed(at::TCP_SEQUENCE))
            .sum(zeroed(at::TCP_SEQUENCE + 2))
            .sum(zeroed(at::TCP_DATA_OFFSET)),
        Transport::Udp => sum.sum(zeroed(at::UDP_LENGTH)),
    }
}

/// The sum of the pseudo-header without its length.
///
/// If there is a partial checksum, it is in the field already, with the length of the whole;
/// and it alone knows the final destination of a packet with a routing header or a source
/// route (RFC 8200 section 8.1).
fn pseudo_header(
    packet: &[u8],
    layout: &Layout,
    checksum: Option<PartialChecksum>,
) -> Result<Sum, Malformed> {
    let transport_at = layout.transport_at;
    let checksum_at = layout.transport.checksum_at();
    let Some(PartialChecksum { start, offset }) = checksum else {
        let addresses = layout
            .version
            .addresses(packet)
            .ok_or(Malformed::Truncated)?;
        return Ok(Sum::pseudo_header(
            addresses,
            layout.transport.protocol(),
            0,
        ));
    };
    if usize::from(start) != transport_at || usize::from(offset) != checksum_at {
        return Err(Malformed::Checksum);
    }
    let partial = number(packet, transport_at + checksum_at).ok_or(Malformed::Truncated)?;
    let len = (packet.len() - transport_at) as u16;
    Ok(Sum::new().word(partial).word(!len))
}

#[cfg(test)]
mod tests;
