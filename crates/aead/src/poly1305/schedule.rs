//! Which messages go together, and how many lanes each has.

use super::Message;

/// Most messages of one call.
const MESSAGES: usize = 16;

/// Up to this many lines a message has one lane: more would cost more than they spare.
const SHORT: usize = 3;

/// Messages in the order of their length, to be taken some at a time.
pub(super) struct Schedule<'a> {
    messages: &'a [Message<'a>],
    order: [usize; MESSAGES],
    taken: usize,
}

/// Messages that are authenticated in lock-step.
pub(super) struct Turn<'s> {
    /// How many registers of lanes they fill, 1 or 2.
    pub(super) groups: usize,
    /// Lanes of each message: 1, 2, 4 or 8. With two groups it is 1.
    pub(super) spread: usize,
    /// Which messages, the longest first.
    pub(super) order: &'s [usize],
}

impl<'a> Schedule<'a> {
    pub(super) fn new(messages: &'a [Message<'a>]) -> Self {
        let mut order = core::array::from_fn(|i| i);
        let used = &mut order[..messages.len()];
        let len = |&i: &usize| core::cmp::Reverse(messages[i].lines());
        if !used.is_sorted_by_key(len) {
            used.sort_unstable_by_key(len);
        }
        Self {
            messages,
            order,
            taken: 0,
        }
    }

    /// Those that go next through one register of `lanes` lanes, or `most` of them.
    pub(super) fn next(&mut self, lanes: usize, most: usize) -> Option<Turn<'_>> {
        let rest = &self.order[self.taken..self.messages.len()];
        let longest = self.messages[*rest.first()?].lines();
        // Messages that are far shorter would leave their lanes idle for most of the time.
        let worthwhile = |&&i: &&usize| longest <= SHORT || self.messages[i].lines() * 2 > longest;
        let alike = rest.iter().take(most * lanes).filter(worthwhile).count();
        // A second register pays when it is half full.
        let groups = if 2 * alike >= 3 * lanes { most } else { 1 };
        let spread = match alike {
            _ if longest <= SHORT => 1,
            alike if alike >= lanes => 1,
            alike => lanes / alike.next_power_of_two(),
        };
        let order = &rest[..rest.len().min(groups * lanes / spread)];
        self.taken += order.len();
        Some(Turn {
            groups,
            spread,
            order,
        })
    }
}
