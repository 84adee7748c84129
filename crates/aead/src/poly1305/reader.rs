//! How messages are cut into lines that fill the lanes.
//!
//! The unit is a line of four blocks. Messages are padded at the front, with zero blocks that lack
//! even the bit which marks a block and so leave the accumulator at zero; so all messages end
//! together, and the last line of every message has the block with the lengths at its end.

use core::ops::Range;

use super::{BLOCK_LEN, LINE_BLOCKS, LINE_LEN, Message};

/// The messages of the lanes, register by register.
pub(super) type Lanes<'a, const GROUPS: usize, const LANES: usize> =
    [[&'a Message<'a>; LANES]; GROUPS];

/// Reads messages line by line, so that all of them end together. A message of several lanes has
/// every second (fourth, eighth) line in each of them.
pub(super) struct Reader<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize> {
    lanes: &'a Lanes<'a, GROUPS, LANES>,
    /// Zero blocks before each message.
    lead: [[usize; LANES]; GROUPS],
    steps: usize,
    /// The steps that are full lines of data in all lanes.
    full: Range<usize>,
}

/// What a lane has in a step: zero blocks, then data, then zeros.
pub(super) struct Edge<'a> {
    /// Zero blocks before the data; `LINE_BLOCKS` if there is nothing but these.
    pub(super) lead: usize,
    /// What fits behind them. In the last step, the block with the lengths is to take the place of
    /// the last block, which has no data.
    pub(super) data: &'a [u8],
}

impl<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize>
    Reader<'a, GROUPS, LANES, SPREAD>
{
    pub(super) fn new(lanes: &'a Lanes<'a, GROUPS, LANES>) -> Self {
        let all = lanes.as_flattened();
        let longest = all.iter().fold(0, |most, lane| most.max(lane.lines()));
        let steps = longest.div_ceil(SPREAD);
        let blocks = steps * SPREAD * LINE_BLOCKS;
        let lead = lanes.map(|group| group.map(|message| blocks - message.blocks()));
        let leads = lead.as_flattened().iter();
        let most = leads.fold(0, |most, &lead| most.max(lead));
        let last = steps - 1;
        Self {
            lanes,
            lead,
            steps,
            full: most.div_ceil(LINE_BLOCKS * SPREAD).min(last)..last,
        }
    }

    /// The steps that [`Self::full_lines`] has.
    pub(super) const fn full(&self) -> &Range<usize> {
        &self.full
    }

    /// The full lines of the data of each lane.
    #[inline(always)]
    pub(super) fn full_lines(&self) -> FullLines<'a, GROUPS, LANES, SPREAD> {
        let mut full = [[[].as_slice(); LANES]; GROUPS];
        for (group, full) in full.iter_mut().enumerate() {
            for (lane, full) in full.iter_mut().enumerate() {
                let line = self.full.start * SPREAD + lane % SPREAD;
                let from = (line * LINE_BLOCKS).checked_sub(self.lead[group][lane]);
                let from = from.map(|block| block * BLOCK_LEN);
                let data = from.and_then(|from| self.lanes[group][lane].data.get(from..));
                *full = data.unwrap_or_default().as_chunks().0;
            }
        }
        FullLines {
            lanes: full,
            at: 0,
            end: self.full.len() * SPREAD,
        }
    }

    /// The line of a lane, wherever its message begins and ends.
    #[inline(always)]
    pub(super) fn edge(&self, step: usize, group: usize, lane: usize) -> Edge<'a> {
        let line = step * SPREAD + lane % SPREAD;
        let before = line * LINE_BLOCKS;
        let lead = self.lead[group][lane].saturating_sub(before);
        let lead = lead.min(LINE_BLOCKS);
        let from = (before + lead).saturating_sub(self.lead[group][lane]) * BLOCK_LEN;
        let data = self.lanes[group][lane].data.get(from..).unwrap_or_default();
        Edge {
            lead,
            data: &data[..data.len().min(LINE_LEN - lead * BLOCK_LEN)],
        }
    }

    /// Whether a lane has the ends of its message in a step: the last block is that of the lengths.
    #[inline(always)]
    pub(super) const fn is_end(&self, step: usize, lane: usize) -> bool {
        step + 1 == self.steps && lane % SPREAD == SPREAD - 1
    }

    /// The lengths of the messages, of associated data and of ciphertext.
    #[inline(always)]
    pub(super) fn lengths(&self, group: usize) -> [[u64; LANES]; 2] {
        [0, 1].map(|which| self.lanes[group].map(|message| message.lengths[which]))
    }
}

/// Lines that are full in all lanes.
pub(super) struct FullLines<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize> {
    lanes: [[&'a [[u8; LINE_LEN]]; LANES]; GROUPS],
    at: usize,
    end: usize,
}

/// A line of each lane.
pub(super) type Rows<'a, const LANES: usize> = [&'a [u8; LINE_LEN]; LANES];

impl<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize>
    FullLines<'a, GROUPS, LANES, SPREAD>
{
    /// The lines of the next step; `None` behind the last.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<[Rows<'a, LANES>; GROUPS]> {
        if self.at == self.end {
            return None;
        }
        let mut rows = [[&[0; LINE_LEN]; LANES]; GROUPS];
        for (rows, lanes) in rows.iter_mut().zip(&self.lanes) {
            for (row, lane) in rows.iter_mut().zip(lanes) {
                *row = lane.get(self.at)?;
            }
        }
        self.at += SPREAD;
        Some(rows)
    }
}
