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
    all_begun: usize,
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
        Self {
            lanes,
            lead,
            steps,
            all_begun: most.div_ceil(LINE_BLOCKS * SPREAD).min(steps - 1),
        }
    }

    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    /// The steps from `from` on in which each lane has either a full line of data or nothing,
    /// and in all of which or none of which all lanes have begun. There are none if a message begins within a line, or ends.
    #[inline]
    pub(super) fn whole(&self, from: usize) -> Range<usize> {
        if from >= self.all_begun {
            return from..self.steps - 1;
        }
        let inside = |lead: &usize| !lead.is_multiple_of(LINE_BLOCKS);
        let begin = |lead: &usize| lead / LINE_BLOCKS / SPREAD;
        let leads = self.lead.as_flattened().iter();
        let edges = leads.filter(|lead| inside(lead)).map(begin);
        let next = edges.filter(|&step| step >= from).min();
        from..next.unwrap_or(self.all_begun).min(self.all_begun)
    }

    /// The first step in which there is no lane without data.
    #[inline(always)]
    pub(super) const fn all_begun(&self) -> usize {
        self.all_begun
    }

    /// The lines of steps in which all lanes have begun.
    #[inline(always)]
    pub(super) fn all_lines(&self, steps: Range<usize>) -> AllLines<'a, GROUPS, LANES, SPREAD> {
        let lanes = self.lines_from(steps.start);
        AllLines {
            lanes: lanes.map(|group| group.map(|(_, lines)| lines)),
            at: 0,
            end: steps.len() * SPREAD,
        }
    }

    /// The lines of the steps from `from` on, up to the next edge.
    #[inline(always)]
    pub(super) fn some_lines(&self, from: usize) -> SomeLines<'a, GROUPS, LANES, SPREAD> {
        let lanes = self.lines_from(from);
        SomeLines {
            lanes: lanes.map(|group| group.map(|(_, lines)| lines)),
            begins: lanes.map(|group| group.map(|(begin, _)| begin as u64)),
        }
    }

    /// The step from `from` on in which each lane has its first whole line, and its lines from there
    /// on, those of other lanes of its message among them.
    #[inline(always)]
    fn lines_from(&self, from: usize) -> [[(usize, Lines<'a>); LANES]; GROUPS] {
        let mut lanes = [[(0, [].as_slice()); LANES]; GROUPS];
        for (group, lanes) in lanes.iter_mut().enumerate() {
            for (lane, (begin, lines)) in lanes.iter_mut().enumerate() {
                let lead = self.lead[group][lane];
                // The first line of this lane that comes after the zero blocks.
                let after = lead.div_ceil(LINE_BLOCKS).saturating_sub(lane % SPREAD);
                *begin = after.div_ceil(SPREAD).max(from);
                let block = (*begin * SPREAD + lane % SPREAD) * LINE_BLOCKS - lead;
                let data = self.lanes[group][lane].data.get(block * BLOCK_LEN..);
                *lines = data.unwrap_or_default().as_chunks().0;
            }
        }
        lanes
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

/// Lines of a message, one behind the other.
type Lines<'a> = &'a [[u8; LINE_LEN]];

/// A line of each lane.
pub(super) type Rows<'a, const LANES: usize> = [&'a [u8; LINE_LEN]; LANES];

/// Lines that are all data in all lanes.
pub(super) struct AllLines<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize> {
    lanes: [[Lines<'a>; LANES]; GROUPS],
    at: usize,
    end: usize,
}

impl<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize>
    AllLines<'a, GROUPS, LANES, SPREAD>
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

/// Lines that are all data in those lanes that have begun.
pub(super) struct SomeLines<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize> {
    lanes: [[Lines<'a>; LANES]; GROUPS],
    /// The steps in which the lanes begin.
    begins: [[u64; LANES]; GROUPS],
}

impl<'a, const GROUPS: usize, const LANES: usize, const SPREAD: usize>
    SomeLines<'a, GROUPS, LANES, SPREAD>
{
    /// The steps in which the lanes of a group begin.
    pub(super) const fn begins(&self, group: usize) -> &[u64; LANES] {
        &self.begins[group]
    }

    /// The lines of a group in a step; zeros where there is none.
    #[inline(always)]
    pub(super) fn rows(&self, step: usize, group: usize) -> Rows<'a, LANES> {
        let mut rows = [&[0; LINE_LEN]; LANES];
        let lanes = self.lanes[group].iter().zip(&self.begins[group]);
        for (row, (lane, &begin)) in rows.iter_mut().zip(lanes) {
            // Before it has begun a lane is asked for a line far behind its end.
            let line = step.wrapping_sub(begin as usize).wrapping_mul(SPREAD);
            if let Some(line) = lane.get(line) {
                *row = line;
            }
        }
        rows
    }
}
