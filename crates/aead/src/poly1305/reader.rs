//! How messages are cut into lines that fill the lanes.
//!
//! The unit is a line of four blocks. Messages are padded at the front, with zero blocks that lack
//! even the bit which marks a block and so leave the accumulator at zero; so all messages end
//! together, and the last line of every message has the block with the lengths at its end.

use core::ops::Range;

use super::{BLOCK_LEN, LINE_BLOCKS, LINE_LEN, Message};

/// Reads messages line by line, so that all of them end together. A message of several lanes has
/// every second (fourth, eighth) line in each of them.
pub(super) struct Reader<'a, const LANES: usize, const SPREAD: usize> {
    lanes: &'a [&'a Message<'a>; LANES],
    /// Zero blocks before each message.
    lead: [usize; LANES],
    steps: usize,
    /// The steps that are full lines of data in all lanes.
    full: Range<usize>,
}

/// What a lane has in a step: zero blocks, then data, then zeros.
pub(super) struct Edge<'a> {
    /// Zero blocks before the data; `LINE_BLOCKS` if there is nothing but these.
    pub(super) lead: usize,
    /// What fits behind them, the end of the message perhaps.
    pub(super) data: &'a [u8],
    /// The last block of the line, if the line is the last.
    pub(super) lengths: Option<[u64; 2]>,
}

impl<'a, const LANES: usize, const SPREAD: usize> Reader<'a, LANES, SPREAD> {
    pub(super) fn new(lanes: &'a [&'a Message<'a>; LANES]) -> Self {
        let longest = lanes.iter().fold(0, |most, lane| most.max(lane.lines()));
        let steps = longest.div_ceil(SPREAD);
        let blocks = steps * SPREAD * LINE_BLOCKS;
        let lead = lanes.map(|message| blocks - message.blocks());
        let most = lead.iter().fold(0, |most, &lead| most.max(lead));
        let last = steps - 1;
        Self {
            lanes,
            lead,
            steps,
            full: most.div_ceil(LINE_BLOCKS * SPREAD).min(last)..last,
        }
    }

    /// The steps that [`Self::full_lines`] reads.
    pub(super) const fn full(&self) -> &Range<usize> {
        &self.full
    }

    /// The data of each lane from its first full line on.
    #[inline(always)]
    pub(super) fn full_lines(&self) -> FullLines<'a, LANES, SPREAD> {
        let mut lanes = [[].as_slice(); LANES];
        for (lane, bytes) in lanes.iter_mut().enumerate() {
            let line = self.full.start * SPREAD + lane % SPREAD;
            let from = (line * LINE_BLOCKS).checked_sub(self.lead[lane]);
            let from = from.map(|block| block * BLOCK_LEN);
            *bytes = from
                .and_then(|from| self.lanes[lane].data.get(from..))
                .unwrap_or_default();
        }
        FullLines(lanes)
    }

    /// The line of a lane, wherever its message begins and ends.
    #[inline]
    pub(super) fn edge(&self, step: usize, lane: usize) -> Edge<'a> {
        let line = step * SPREAD + lane % SPREAD;
        let lead = self.lead[lane].saturating_sub(line * LINE_BLOCKS);
        let lead = lead.min(LINE_BLOCKS);
        let message = self.lanes[lane];
        let from = (line * LINE_BLOCKS + lead).saturating_sub(self.lead[lane]) * BLOCK_LEN;
        let data = message.data.get(from..).unwrap_or_default();
        let last = line + 1 == self.steps * SPREAD;
        Edge {
            lead,
            data: &data[..data.len().min(LINE_LEN - lead * BLOCK_LEN)],
            lengths: last.then_some(message.lengths),
        }
    }
}

/// Lines that are full in all lanes.
pub(super) struct FullLines<'a, const LANES: usize, const SPREAD: usize>([&'a [u8]; LANES]);

impl<'a, const LANES: usize, const SPREAD: usize> FullLines<'a, LANES, SPREAD> {
    /// The lines of the next step; `None` behind the last.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<[&'a [u8; LINE_LEN]; LANES]> {
        let mut rows = [&[0; LINE_LEN]; LANES];
        for (row, bytes) in rows.iter_mut().zip(&mut self.0) {
            *row = bytes.first_chunk()?;
            *bytes = bytes.get(SPREAD * LINE_LEN..).unwrap_or_default();
        }
        Some(rows)
    }
}
