//! Sealing and opening with a kernel: which blocks go into which lanes.
//!
//! Packets are taken sixteen at a time. The first block of each makes its Poly1305 key, and all of
//! these go first; the blocks that encrypt follow without regard to where a packet ends.

use zeroize::optimization_barrier;

use crate::TAG_LEN;
use crate::chacha20::{BLOCK_LEN, Lanes, Run};
use crate::kernel::Kernel;
use crate::lines::{Open, Packets, Seal, Span, Stream};
use crate::poly1305::{Message, words};

/// Packets that are worked on together, and most messages of one [`Kernel::tags`].
const GROUP: usize = 16;

pub(crate) fn seal<K: Kernel, P: Seal>(kernel: K, key: &[u32; 8], packets: &mut P) {
    let mut keys = OneTimeKeys::new();
    let mut group = Group::new();
    let mut next = 0;
    while group.take(packets, &mut next) {
        let mut blocks = Blocks::new(&group, packets, &mut keys);
        blocks.push_keys();
        blocks.push_text(|_| true);
        kernel.apply(key, &mut blocks);
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
        let mut blocks = Blocks::new(&group, packets, &mut keys);
        blocks.push_keys();
        kernel.apply(key, &mut blocks);
        let tags = group.tags(kernel, packets, &keys);
        let mut authentic = [false; GROUP];
        for (member, &packet) in group.members().iter().enumerate() {
            authentic[member] = same(tags[member], packets.tag(packet));
            packets.judge(packet, authentic[member]);
        }
        let mut blocks = Blocks::new(&group, packets, &mut keys);
        blocks.push_text(|member| authentic[member]);
        kernel.apply(key, &mut blocks);
    }
}

/// Compares in constant time: nothing branches before all bits have been looked at.
fn same(a: [u8; TAG_LEN], b: [u8; TAG_LEN]) -> bool {
    core::hint::black_box(u128::from_le_bytes(a) ^ u128::from_le_bytes(b)) == 0
}

/// The first keystream block of each packet of a group, half of which is its Poly1305 key;
/// overwritten when dropped.
struct OneTimeKeys([[u8; BLOCK_LEN]; GROUP]);

impl OneTimeKeys {
    const fn new() -> Self {
        Self([[0; BLOCK_LEN]; GROUP])
    }

    fn poly1305_key(&self, member: usize) -> &[u8; 32] {
        self.0[member].first_chunk().expect("32 of 64 bytes")
    }
}

impl Drop for OneTimeKeys {
    fn drop(&mut self) {
        self.0 = [[0; BLOCK_LEN]; GROUP];
        optimization_barrier(&self.0);
    }
}

/// Up to sixteen packets of a batch, with the first and the last word of the nonce in common: with
/// counters in a row, all of the batch, unless 2^32 is passed.
struct Group {
    packets: [usize; GROUP],
    len: usize,
    nonce: [u32; 2],
}

impl Group {
    const fn new() -> Self {
        Self {
            packets: [0; GROUP],
            len: 0,
            nonce: [0; 2],
        }
    }

    /// Takes the next packets from `next` on. Those that have no room for an authenticator are
    /// passed over.
    fn take<P: Packets>(&mut self, packets: &mut P, next: &mut usize) -> bool {
        self.len = 0;
        while *next < packets.count() && self.len < GROUP {
            if packets.text_len(*next).is_some() {
                let [first, _, last] = packets.nonce(*next);
                if self.len == 0 {
                    self.nonce = [first, last];
                } else if self.nonce != [first, last] {
                    break;
                }
                packets.prepare(*next);
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

    fn tags<K: Kernel, P: Packets>(
        &self,
        kernel: K,
        packets: &P,
        keys: &OneTimeKeys,
    ) -> [[u8; TAG_LEN]; GROUP] {
        let mut messages = [Message::EMPTY; GROUP];
        for (member, &packet) in self.members().iter().enumerate() {
            let data = packets.ciphertext(packet);
            messages[member] = Message {
                key: keys.poly1305_key(member),
                data,
                lengths: [0, data.len() as u64],
            };
        }
        let mut tags = [[0; TAG_LEN]; GROUP];
        let messages = &messages[..self.len];
        if words::are_short(messages, K::SHORT) {
            words::tags(messages, &mut tags);
        } else {
            kernel.tags(messages, &mut tags);
        }
        tags
    }
}

/// The blocks of a group, in order: consecutive blocks of one member are a run.
struct Blocks<'a, P> {
    group: &'a Group,
    packets: &'a mut P,
    keys: &'a mut OneTimeKeys,
    /// A first block and the text of each member.
    runs: [Run; 2 * GROUP],
    run_count: usize,
    /// How far the lanes have come: run, and block within it.
    at: (usize, u32),
}

impl<'a, P: Packets> Blocks<'a, P> {
    #[inline(always)]
    const fn new(group: &'a Group, packets: &'a mut P, keys: &'a mut OneTimeKeys) -> Self {
        Self {
            group,
            packets,
            keys,
            runs: [Run::EMPTY; 2 * GROUP],
            run_count: 0,
            at: (0, 0),
        }
    }

    /// The first blocks of all members, which make their Poly1305 keys.
    fn push_keys(&mut self) {
        for member in 0..self.group.len {
            self.push(member, 0, 1);
        }
    }

    /// The text of those members that are wanted.
    fn push_text(&mut self, wanted: impl Fn(usize) -> bool) {
        for member in (0..self.group.len).filter(|&member| wanted(member)) {
            let len = self.packets.text_len(self.group.packets[member]);
            // The layout has been checked: there are less than 2^32 blocks.
            let blocks = len.unwrap_or_default().div_ceil(BLOCK_LEN) as u32;
            if blocks > 0 {
                self.push(member, 1, blocks);
            }
        }
    }

    fn push(&mut self, member: usize, first: u32, count: u32) {
        let [_, nonce, _] = self.packets.nonce(self.group.packets[member]);
        self.runs[self.run_count] = Run {
            member,
            nonce,
            first,
            count,
        };
        self.run_count += 1;
    }
}

impl<P: Packets> Stream for Blocks<'_, P> {
    fn nonce(&self) -> [u32; 2] {
        self.group.nonce
    }

    #[inline(always)]
    fn fill<const N: usize>(&mut self, lanes: &mut Lanes<N>) -> bool {
        lanes.clear();
        let (mut index, mut block) = self.at;
        let mut room = N as u32;
        while room > 0 && index < self.run_count {
            let run = &self.runs[index];
            let count = room.min(run.count - block);
            lanes.push(Run {
                member: run.member,
                nonce: run.nonce,
                first: run.first + block,
                count,
            });
            room -= count;
            block += count;
            if block == run.count {
                (index, block) = (index + 1, 0);
            }
        }
        self.at = (index, block);
        room < N as u32
    }

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
