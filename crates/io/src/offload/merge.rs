//! Joining consecutive packets of a flow into super-packets, and writing them.

use core::ops::Range;
use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use super::{
    Offload, Offloads, Outgoing, PartialChecksum, Segmentation, SegmentationKind, State, Sum,
    flow::Member,
    headers::{Transport, Version, at, field, put, tcp_flag},
};
use crate::tun::{TunQueue, is_gone};

/// The most packets that are joined into one.
const MAX_PACKETS: usize = 64;

/// The longest super-packet that is made, in bytes: what the length fields of both versions of
/// IP can express.
const MAX_MERGED: usize = 65_535;

/// The most slices that are handed to [`TunQueue::write`] at once: a header and the payload of
/// each packet.
pub const MAX_PARTS: usize = MAX_PACKETS + 1;

/// The longest headers that can be joined: IPv6 and TCP with all its options.
const MAX_HEADER: usize = 40 + 60;

/// What became of a batch of packets.
#[derive(Debug, Default)]
pub struct WriteStats {
    /// Packets that the device took.
    pub packets: usize,
    /// System calls that it took them in. The difference is what merging saved.
    pub writes: usize,
    /// Packets that the device refused.
    pub dropped: usize,
    /// Why it refused the last of them. Ask [`is_gone`] whether it will ever take one again;
    /// `EIO` says that it is down.
    pub error: Option<io::Error>,
}

/// Writes batches of packets to a TUN device, in order, consecutive packets of one flow as one
/// super-packet.
///
/// No payload is copied. What the kernel refuses as a super-packet is written packet by packet;
/// if it takes it so, the kind of super-packet is switched off in [`Offloads`] with the reason.
///
/// # Checksums
///
/// A single packet is written as it came, and the kernel checks its transport checksum as that
/// of any packet. A super-packet's checksum is left to the kernel to fill in if the packet goes
/// any further, so those of its packets are not looked at. That is the trade that Linux's own
/// WireGuard makes, which marks all that it decrypts as checked: the authenticator has proved
/// that a packet is what the peer sealed. IPv4 header checksums are verified.
#[derive(Clone, Debug)]
pub struct Coalescer {
    offloads: Arc<Offloads>,
}

impl Coalescer {
    /// A coalescer for the device that `offloads` belongs to.
    #[must_use]
    pub const fn new(offloads: Arc<Offloads>) -> Self {
        Self { offloads }
    }

    /// Writes `packets`, each a range of `buffer` with one IP packet, to `tun`.
    ///
    /// Does not stop at an error unless the device is gone: a packet that cannot be written is
    /// dropped, as on any network, and counted.
    pub fn write_all<T: TunQueue + ?Sized>(
        &self,
        tun: &T,
        buffer: &[u8],
        packets: &[Range<usize>],
    ) -> WriteStats {
        let mut writer = Writer {
            tun,
            offloads: &self.offloads,
            stats: WriteStats::default(),
        };
        let mut rest = packets;
        while let Some((range, after)) = rest.split_first() {
            let packet = buffer.get(range.clone()).unwrap_or_default();
            let first = self.mergeable(packet);
            let count = 1 + first.map_or(0, |first| followers(&first, buffer, after));
            let (run, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            match first {
                Some(first) if count > 1 => writer.write_merged(&first, buffer, run),
                _ => writer.write_single(packet),
            }
            rest = after;
            if writer.is_gone() {
                writer.stats.dropped += rest.len();
                break;
            }
        }
        writer.stats
    }

    fn mergeable<'b>(&self, packet: &'b [u8]) -> Option<Member<'b>> {
        let member = Member::parse(packet)?;
        self.offloads.is_on(offload(member.kind)).then_some(member)
    }
}

const fn offload(kind: SegmentationKind) -> Offload {
    match kind {
        SegmentationKind::Tcp4 => Offload::TcpMerge4,
        SegmentationKind::Tcp6 => Offload::TcpMerge6,
        SegmentationKind::Udp => Offload::UdpMerge,
    }
}

/// How many of `candidates` continue the super-packet that starts with `first`.
fn followers(first: &Member<'_>, buffer: &[u8], candidates: &[Range<usize>]) -> usize {
    if first.ends(first) {
        return 0;
    }
    let mut len = first.packet().len();
    let mut count = 0;
    for range in candidates.iter().take(MAX_PACKETS - 1) {
        let packet = buffer.get(range.clone()).unwrap_or_default();
        let Some(member) = Member::parse(packet) else {
            break;
        };
        len += member.payload().len();
        if len > MAX_MERGED || !member.continues(first, count + 1) {
            break;
        }
        count += 1;
        if member.ends(first) {
            break;
        }
    }
    count
}

struct Writer<'a, T: ?Sized> {
    tun: &'a T,
    offloads: &'a Offloads,
    stats: WriteStats,
}

impl<T: TunQueue + ?Sized> Writer<'_, T> {
    fn is_gone(&self) -> bool {
        self.stats.error.as_ref().is_some_and(is_gone)
    }

    /// Writes one packet as it is.
    fn write_single(&mut self, packet: &[u8]) {
        match self.tun.write(&Outgoing::PLAIN, &[IoSlice::new(packet)]) {
            Ok(()) => {
                self.stats.packets += 1;
                self.stats.writes += 1;
            }
            Err(error) => {
                self.stats.dropped += 1;
                self.stats.error = Some(error);
            }
        }
    }

    /// Writes a run of at least two packets as one.
    fn write_merged(&mut self, first: &Member<'_>, buffer: &[u8], run: &[Range<usize>]) {
        let last = run.last().and_then(|range| buffer.get(range.clone()));
        let len = run
            .iter()
            .map(|range| range.len().saturating_sub(first.payload_at))
            .fold(first.payload_at, usize::saturating_add);
        let mut scratch = [0; MAX_HEADER];
        let Some(header) = scratch.get_mut(..first.payload_at) else {
            return self.write_singly(buffer, run);
        };
        header.copy_from_slice(first.header());
        complete_header(header, first, last.unwrap_or_default(), len);

        let mut parts = [IoSlice::new(&[]); MAX_PARTS];
        let payloads = run.iter().map(|range| {
            let packet = buffer.get(range.clone()).unwrap_or_default();
            packet.get(first.payload_at..).unwrap_or_default()
        });
        let slices = core::iter::once(&*header).chain(payloads);
        for (part, slice) in parts.iter_mut().zip(slices) {
            *part = IoSlice::new(slice);
        }
        let parts = parts.get(..=run.len()).unwrap_or_default();
        match self.tun.write(&outgoing(first), parts) {
            Ok(()) => {
                self.stats.packets += run.len();
                self.stats.writes += 1;
            }
            Err(error) => self.fall_back(&error, first.kind, buffer, run),
        }
    }

    /// Writes singly what was refused together. If it is taken that way, it was the merging
    /// that the kernel refused, and that stops; otherwise the device is down, or gone.
    fn fall_back(
        &mut self,
        error: &io::Error,
        kind: SegmentationKind,
        buffer: &[u8],
        run: &[Range<usize>],
    ) {
        if is_gone(error) {
            self.stats.dropped += run.len();
            self.stats.error = error.raw_os_error().map(io::Error::from_raw_os_error);
            return;
        }
        let before = self.stats.packets;
        self.write_singly(buffer, run);
        if self.stats.packets == before + run.len()
            && let Some(errno) = error.raw_os_error()
            && refuses_offload(errno)
        {
            self.offloads.set(offload(kind), State::Refused(errno));
        }
    }

    fn write_singly(&mut self, buffer: &[u8], run: &[Range<usize>]) {
        for range in run {
            self.write_single(buffer.get(range.clone()).unwrap_or_default());
        }
    }
}

/// Whether an error number can mean that the kernel does not want this kind of super-packet:
/// `EINVAL` is the usual one; some paths say `EIO`, which a device that is down says as well.
/// Lack of memory and the like pass.
const fn refuses_offload(errno: i32) -> bool {
    matches!(
        errno,
        libc::EINVAL | libc::EIO | libc::EOPNOTSUPP | libc::EMSGSIZE
    )
}

fn outgoing(first: &Member<'_>) -> Outgoing {
    // Both fit: headers are at most MAX_HEADER bytes long, packets at most MAX_MERGED.
    Outgoing {
        segmentation: Some(Segmentation {
            kind: first.kind,
            size: first.payload().len() as u16,
        }),
        checksum: Some(PartialChecksum {
            start: first.transport_at as u16,
            offset: first.transport.checksum_at() as u16,
        }),
        header_len: first.payload_at as u16,
    }
}

/// Turns the first packet's header into that of a super-packet of `len` bytes that ends with
/// `last`.
fn complete_header(header: &mut [u8], first: &Member<'_>, last: &[u8], len: usize) {
    let Some((network, transport)) = header.split_at_mut_checked(first.transport_at) else {
        return;
    };
    let transport_len = len.saturating_sub(first.transport_at);
    match first.version {
        Version::V4 => {
            put(network, at::IPV4_TOTAL_LENGTH, (len as u16).to_be_bytes());
            put(network, at::IPV4_CHECKSUM, [0, 0]);
            put(
                network,
                at::IPV4_CHECKSUM,
                Sum::new().bytes(network).finish(),
            );
        }
        Version::V6 => put(
            network,
            at::IPV6_PAYLOAD_LENGTH,
            (transport_len as u16).to_be_bytes(),
        ),
    }
    match first.transport {
        Transport::Tcp => {
            let flags_at = first.transport_at + at::TCP_FLAGS;
            let [flags] = field(first.packet(), flags_at).unwrap_or_default();
            let [last_flags] = field(last, flags_at).unwrap_or_default();
            put(
                transport,
                at::TCP_FLAGS,
                [flags | last_flags & tcp_flag::PSH],
            );
        }
        Transport::Udp => put(
            transport,
            at::UDP_LENGTH,
            (transport_len as u16).to_be_bytes(),
        ),
    }
    let addresses = first.version.addresses(network).unwrap_or_default();
    let pseudo_header = Sum::pseudo_header(addresses, first.transport.protocol(), transport_len);
    put(
        transport,
        first.transport.checksum_at(),
        pseudo_header.partial(),
    );
}

#[cfg(test)]
mod tests;
