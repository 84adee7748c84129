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
    /// Lanes of each message: 1, 2, 4 or 8.
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

    /// Those that go next through `lanes` lanes.
    pub(super) fn next(&mut self, lanes: usize) -> Option<Turn<'_>> {
        let rest = &self.order[self.taken..self.messages.len()];
        let spread = self.spread(rest, lanes)?;
        let order = &rest[..rest.len().min(lanes / spread)];
        self.taken += order.len();
        Some(Turn { spread, order })
    }

    /// How many lanes a message should get. `order` begins with the longest messages.
    fn spread(&self, order: &[usize], lanes: usize) -> Option<usize> {
        let longest = self.messages[*order.first()?].lines();
        if longest <= SHORT {
            return Some(1);
        }
        // Messages that are far shorter would leave their lanes idle for most of the time.
        let alike = order.iter().take(lanes);
        let alike = alike.filter(|&&i| self.messages[i].lines() * 2 > longest);
        Some(lanes / alike.count().next_power_of_two())
    }
}
