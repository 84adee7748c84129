//! Sealing and opening with a kernel: which blocks go into which lanes.
//!
//! Packets are taken sixteen at a time. The first block of each makes its Poly1305 key, and all of
//! these go first; the blocks that encrypt follow without regard to where a packet ends.

use zeroize::optimization_barrier;

use crate::TAG_LEN;
use crate::chacha20::{BLOCK_LEN, LANES, Lanes, Run};
use crate::kernel::Kernel;
use crate::lines::{Lines, Open, Packets, Seal, Span};
use crate::poly1305::Message;

pub(crate) fn seal<K: Kernel, P: Seal>(kernel: K, key: &[u32; 8], packets: &mut P) {
    let mut keys = OneTimeKeys::new();
    let mut group = Group::new();
    let mut next = 0;
    while group.take(packets, &mut next) {
        let mut lanes = Feed::new(kernel, key);
        lanes.push_keys(&mut group.sink(packets, &mut keys));
        lanes.push_text(&mut group.sink(packets, &mut keys), |_| true);
        let tags = group.tags(kernel, packets, &keys);
        for (&packet, tag) in group.members().iter().zip(tags) {
            packets.put_tag(packet, tag);
        }
    }
}

pub(crate) fn open<K: Kernel, P: Open>(kernel: K, key: &[u32; 8], packets: &mut P) {
    for packet in 0..packets.count() {
        if packets.text_len(packet).is_none() {
            packets.judge(packet, false);
        }
    }
    let mut keys = OneTimeKeys::new();
    let mut group = Group::new();
    let mut next = 0;
    while group.take(packets, &mut next) {
        let mut lanes = Feed::new(kernel, key);
        lanes.push_keys(&mut group.sink(packets, &mut keys));
        lanes.flush(&mut group.sink(packets, &mut keys));
        let tags = group.tags(kernel, packets, &keys);
        let mut authentic = [false; LANES];
        for (member, &packet) in group.members().iter().enumerate() {
            authentic[member] = same(tags[member], packets.tag(packet));
            packets.judge(packet, authentic[member]);
        }
        lanes.push_text(&mut group.sink(packets, &mut keys), |member| {
            authentic[member]
        });
    }
}

/// Compares in constant time: nothing branches before all bits have been looked at.
fn same(a: [u8; TAG_LEN], b: [u8; TAG_LEN]) -> bool {
    core::hint::black_box(u128::from_le_bytes(a) ^ u128::from_le_bytes(b)) == 0
}

/// The first keystream block of each packet of a group, half of which is its Poly1305 key;
/// overwritten when dropped.
struct OneTimeKeys([[u8; BLOCK_LEN]; LANES]);

impl OneTimeKeys {
    const fn new() -> Self {
        Self([[0; BLOCK_LEN]; LANES])
    }

    fn poly1305_key(&self, member: usize) -> &[u8; 32] {
        self.0[member].first_chunk().expect("32 of 64 bytes")
    }
}

impl Drop for OneTimeKeys {
    fn drop(&mut self) {
        self.0 = [[0; BLOCK_LEN]; LANES];
        optimization_barrier(&self.0);
    }
}

/// Up to sixteen packets of a batch.
struct Group {
    packets: [usize; LANES],
    len: usize,
}

impl Group {
    const fn new() -> Self {
        Self {
            packets: [0; LANES],
            len: 0,
        }
    }

    /// Takes the next packets from `next` on. Those that have no room for an authenticator are
    /// passed over.
    fn take<P: Packets>(&mut self, packets: &P, next: &mut usize) -> bool {
        self.len = 0;
        while *next < packets.count() && self.len < LANES {
            if packets.text_len(*next).is_some() {
                self.packets[self.len] = *next;
                self.len += 1;
            }
            *next += 1;
        }
        self.len > 0
    }

    fn members(&self) -> &[usize] {
        &self.packets[..self.len]
    }

    const fn sink<'a, P: Packets>(
        &'a self,
        packets: &'a mut P,
        keys: &'a mut OneTimeKeys,
    ) -> Sink<'a, P> {
        Sink {
            group: self,
            packets,
            keys,
        }
    }

    fn tags<K: Kernel, P: Packets>(
        &self,
        kernel: K,
        packets: &P,
        keys: &OneTimeKeys,
    ) -> [[u8; TAG_LEN]; LANES] {
        let mut messages = [Message::EMPTY; LANES];
        for (member, &packet) in self.members().iter().enumerate() {
            let data = packets.ciphertext(packet);
            messages[member] = Message {
                key: keys.poly1305_key(member),
                data,
                lengths: [0, data.len() as u64],
            };
        }
        let mut tags = [[0; TAG_LEN]; LANES];
        kernel.tags(&messages[..self.len], &mut tags);
        tags
    }
}

/// Takes in the keystream of a group: first blocks to the one-time keys, others to the text.
struct Sink<'a, P> {
    group: &'a Group,
    packets: &'a mut P,
    keys: &'a mut OneTimeKeys,
}

impl<P: Packets> Lines for Sink<'_, P> {
    #[inline(always)]
    fn span(&mut self, member: usize, first: u32, count: usize) -> Span<'_> {
        match first.checked_sub(1) {
            Some(first) => {
                let offset = first as usize * BLOCK_LEN;
                self.packets.span(self.group.packets[member], offset, count)
            }
            None => Span {
                source: Some(&[0; BLOCK_LEN]),
                target: &mut self.keys.0[member],
            },
        }
    }
}

/// Collects runs and has the kernel make them, sixteen blocks at a time.
struct Feed<'a, K> {
    kernel: K,
    key: &'a [u32; 8],
    lanes: Lanes,
}

impl<'a, K: Kernel> Feed<'a, K> {
    const fn new(kernel: K, key: &'a [u32; 8]) -> Self {
        Self {
            kernel,
            key,
            lanes: Lanes::new(),
        }
    }

    /// The first blocks of all members.
    fn push_keys<P: Packets>(&mut self, sink: &mut Sink<'_, P>) {
        for member in 0..sink.group.len {
            self.push(sink, member, 0, 1);
        }
    }

    /// All blocks of text of the members that are wanted, and whatever is waiting.
    fn push_text<P: Packets>(&mut self, sink: &mut Sink<'_, P>, wanted: impl Fn(usize) -> bool) {
        for member in (0..sink.group.len).filter(|&member| wanted(member)) {
            let len = sink.packets.text_len(sink.group.packets[member]);
            self.push(sink, member, 1, len.unwrap_or_default().div_ceil(BLOCK_LEN));
        }
        self.flush(sink);
    }

    fn push<P: Packets>(
        &mut self,
        sink: &mut Sink<'_, P>,
        member: usize,
        first: u32,
        count: usize,
    ) {
        let nonce = sink.packets.nonce(sink.group.packets[member]);
        let mut run = Run {
            member,
            nonce,
            first,
            count,
        };
        while run.count > 0 {
            self.lanes.take(&mut run);
            if self.lanes.is_full() {
                self.flush(sink);
            }
        }
    }

    fn flush<P: Packets>(&mut self, sink: &mut Sink<'_, P>) {
        if !self.lanes.is_empty() {
            self.kernel.apply(self.key, &self.lanes, sink);
            self.lanes.clear();
        }
    }
}
