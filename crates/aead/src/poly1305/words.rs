//! Words of 64 bits, without vector instructions: three messages side by side, so that each fills
//! the waits of the others. There are no powers to be made beforehand, and so this is the way for
//! short messages.

use super::{BLOCK_LEN, CLAMP, Message};
use crate::TAG_LEN;

/// Messages side by side.
const CHAINS: usize = 3;

/// Up to this many blocks in all, powers of `r` cost more than any lanes spare.
const FEW: usize = 36;

/// Whether this is faster than lanes, for which no message may have more than `short` blocks if
/// there are many.
pub(crate) fn are_short(messages: &[Message<'_>], short: usize) -> bool {
    let blocks = || messages.iter().map(Message::blocks);
    let mut left = FEW;
    blocks().all(|blocks| blocks <= short)
        || blocks().all(|blocks| {
            let fits = blocks <= left;
            left = left.saturating_sub(blocks);
            fits
        })
}

/// Authenticates messages; `tags[i]` is that of `messages[i]`.
pub(crate) fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    for (messages, tags) in messages.chunks(CHAINS).zip(tags.chunks_mut(CHAINS)) {
        let mut chains = [Chain::IDLE; CHAINS];
        // A chain to spare reads what another reads.
        let mut blocks: [&[[u8; BLOCK_LEN]]; CHAINS] = [messages[0].data.as_chunks().0; CHAINS];
        for ((chain, blocks), message) in chains.iter_mut().zip(&mut blocks).zip(messages) {
            *chain = Chain::new(message.key);
            *blocks = message.data.as_chunks().0;
        }
        let [a, b, c] = blocks;
        let mut done = 0;
        for ((a, b), c) in a.iter().zip(b).zip(c) {
            for (chain, block) in chains.iter_mut().zip([a, b, c]) {
                chain.add(block);
            }
            done += 1;
        }
        for ((chain, message), tag) in chains.into_iter().zip(messages).zip(tags) {
            let data = &message.data[done * BLOCK_LEN..];
            *tag = chain.finish(&Message { data, ..*message });
        }
    }
}

/// The accumulator and the factor of one message, little-endian words.
#[derive(Clone, Copy)]
struct Chain {
    /// The upper word is below 8 between blocks.
    h: [u64; 3],
    r: [u64; 2],
    /// Five quarters of `r[1]`, which is a multiple of four: what a product with it is that returns
    /// from above 2^130 at the bottom.
    returned: u64,
}

impl Chain {
    /// Stays at zero, whatever is added.
    const IDLE: Self = Self {
        h: [0; 3],
        r: [0; 2],
        returned: 0,
    };

    /// Before the first block of a message under a one-time key.
    fn new(key: &[u8; 32]) -> Self {
        let [low, high, _, _] = words(key);
        let r = [low & CLAMP[0], high & CLAMP[1]];
        Self {
            h: [0; 3],
            r,
            returned: r[1] + (r[1] >> 2),
        }
    }

    /// Adds a block and multiplies.
    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK_LEN]) {
        let [m0, m1] = words(block);
        let [r0, r1] = self.r;
        let (h0, carry) = self.h[0].overflowing_add(m0);
        let (h1, carry) = add_with_carry(self.h[1], m1, carry);
        // The bit that marks a block is bit 128.
        let h2 = self.h[2] + 1 + u64::from(carry);

        // With r below 2^124 and h2 below 16 no sum leaves its type.
        let d0 = wide(h0, r0) + wide(h1, self.returned);
        let d1 = wide(h0, r1) + wide(h1, r0) + u128::from(h2 * self.returned) + (d0 >> 64);
        let d2 = h2 * r0 + (d1 >> 64) as u64;

        // From bit 130 upwards five times at the bottom: once four times, once as it is.
        let above = (d2 & !3) + (d2 >> 2);
        let (h0, carry) = (d0 as u64).overflowing_add(above);
        let (h1, carry) = (d1 as u64).overflowing_add(u64::from(carry));
        self.h = [h0, h1, (d2 & 3) + u64::from(carry)];
    }

    /// The authenticator: behind what has been added comes the rest of the message.
    #[inline(always)]
    fn finish(mut self, rest: &Message<'_>) -> [u8; TAG_LEN] {
        let (blocks, end) = rest.data.as_chunks();
        for block in blocks {
            self.add(block);
        }
        if !end.is_empty() {
            let mut block = [0; BLOCK_LEN];
            block[..end.len()].copy_from_slice(end);
            self.add(&block);
        }
        let [aad, text] = rest.lengths.map(u128::from);
        self.add(&(aad | (text << 64)).to_le_bytes());

        // Minus the prime, if it is not below it: that is plus five without bit 130.
        let [h0, h1, h2] = self.h;
        let h = u128::from(h0) | (u128::from(h1) << 64);
        let (g, carry) = h.overflowing_add(5);
        let subtract = ((h2 + u64::from(carry)) >> 2).wrapping_neg();
        let subtract = u128::from(subtract) | (u128::from(subtract) << 64);
        let h = (h & !subtract) | (g & subtract);
        let [_, _, s0, s1] = words(rest.key);
        let s = u128::from(s0) | (u128::from(s1) << 64);
        h.wrapping_add(s).to_le_bytes()
    }
}

#[inline(always)]
fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    let words = bytes.as_chunks().0;
    core::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[inline(always)]
fn add_with_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u64::from(carry));
    (sum, first | second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: &[u8]) -> Message<'_> {
        Message {
            key: &[0x77; 32],
            data,
            lengths: [0, data.len() as u64],
        }
    }

    #[test]
    fn each_is_short_or_all_are_few() {
        let bytes = [0; 16 * FEW];
        let of = |blocks: usize| message(&bytes[..(blocks - 1) * BLOCK_LEN]);
        assert!(are_short(&[of(5); 16], 5));
        assert!(are_short(&[of(FEW)], 5));
        assert!(are_short(&[of(FEW - 1), of(1)], 5));
        assert!(!are_short(&[of(FEW), of(1)], 5));
        assert!(!are_short(&[of(6); 16], 5));
        assert!(are_short(&[of(6); 6], 5));
        assert!(!are_short(&[of(6); 7], 5));
    }

    /// In company of others of any length it has the authenticator that it has alone.
    #[test]
    fn messages_do_not_disturb_one_another() {
        let bytes: [u8; 100] = core::array::from_fn(|i| (37 * i) as u8);
        let lens = [0, 1, 15, 16, 17, 48, 64, 100];
        let alone = |len| {
            let mut tags_of_one = [[0; TAG_LEN]];
            tags(&[message(&bytes[..len])], &mut tags_of_one);
            tags_of_one[0]
        };
        for a in lens {
            for b in lens {
                for c in lens {
                    let order = [a, b, c, a];
                    let mut together = [[0; TAG_LEN]; 4];
                    tags(&order.map(|len| message(&bytes[..len])), &mut together);
                    assert_eq!(together, order.map(alone), "{order:?}");
                }
            }
        }
    }
}
