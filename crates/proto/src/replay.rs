//! The window of counters that were seen, against packets sent twice (RFC 6479, and the paper,
//! section 5.4.6).

use alloc::boxed::Box;

use crate::constants::REJECT_AFTER_MESSAGES;

/// Words of the bitmap, and bits of a word.
const WORDS: usize = 128;
const WORD_BITS: u64 = u64::BITS as u64;

/// How far a packet may lie behind the newest one, in packets: all of the bitmap but one word, the
/// one that is being filled.
pub const WINDOW: u64 = Ring::<WORDS, WORD_BITS>::WINDOW;

/// Which counters of a session were seen.
///
/// The bitmap, 1 KiB, is a ring of words and is made when the first packet arrives. Moving the
/// window clears whole words and shifts nothing.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow(Ring<WORDS, WORD_BITS>);

impl ReplayWindow {
    /// A window that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Ring::new())
    }

    /// Whether the packet with this counter is new, and from now on it is not.
    ///
    /// Only for packets that have authenticated: others must not move the window. Refused are
    /// counters that were seen, those more than [`WINDOW`] behind the newest, and those from
    /// REJECT_AFTER_MESSAGES on.
    #[must_use]
    pub fn check_and_update(&mut self, counter: u64) -> bool {
        self.0.check_and_update(counter)
    }

    /// The same for a run of packets: `verdicts[i]`, which says whether packet `i` authenticated,
    /// becomes false if it is not new. A packet that did not authenticate leaves the window alone.
    pub fn check_batch(&mut self, counters: impl IntoIterator<Item = u64>, verdicts: &mut [bool]) {
        for (counter, verdict) in counters.into_iter().zip(verdicts) {
            *verdict = *verdict && self.check_and_update(counter);
        }
    }
}

/// The window for any size. Small ones, with words of few bits, are looked at in every state that
/// they can be in (`replay/exhaustive.rs`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ring<const WORDS: usize, const WORD_BITS: u64> {
    /// The greatest counter seen, meaningless before there are words.
    newest: u64,
    words: Option<Box<[u64; WORDS]>>,
}

impl<const WORDS: usize, const WORD_BITS: u64> Ring<WORDS, WORD_BITS> {
    const WINDOW: u64 = (WORDS as u64 - 1) * WORD_BITS;

    const fn new() -> Self {
        Self {
            newest: 0,
            words: None,
        }
    }

    fn check_and_update(&mut self, counter: u64) -> bool {
        if counter >= REJECT_AFTER_MESSAGES {
            return false;
        }
        let words = self.words.get_or_insert_with(|| Box::new([0; WORDS]));
        if counter > self.newest {
            Self::clear(words, self.newest / WORD_BITS, counter / WORD_BITS);
            self.newest = counter;
        } else if self.newest - counter > Self::WINDOW {
            return false;
        }
        let word = &mut words[Self::slot(counter / WORD_BITS)];
        let bit = 1 << (counter % WORD_BITS);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Clears the words that come into the window: those after `from` up to `to`, or all of them.
    fn clear(words: &mut [u64; WORDS], from: u64, to: u64) {
        let first = from + 1;
        let last = to.min(from + WORDS as u64);
        for word in first..=last {
            words[Self::slot(word)] = 0;
        }
    }

    const fn slot(word: u64) -> usize {
        (word % WORDS as u64) as usize
    }
}

impl<const WORDS: usize, const WORD_BITS: u64> Default for Ring<WORDS, WORD_BITS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
