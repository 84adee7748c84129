//! Whether it pays to wake somebody.

/// The most pieces of work that pass before it is tried again.
const MOST: u32 = 63;

/// Learns from what came of earlier calls. To wake a helper costs a system call, and work that lies
/// in wait leaves the nearest cache; on a busy machine, or when the work is done before anybody is
/// awake, it is for nothing. Then it is tried less and less often, and as often as possible again
/// with the first success.
#[derive(Debug, Default)]
pub(super) struct Eagerness {
    /// How many calls were left out after the last one that was for nothing.
    pause: u32,
    /// How many are still to be left out.
    left: u32,
}

impl Eagerness {
    /// Whether to call now.
    pub(super) fn calls(&mut self) -> bool {
        let calls = self.left == 0;
        self.left = self.left.saturating_sub(1);
        calls
    }

    /// Somebody helped.
    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// Somebody was called and came too late; several who were called together count as one.
    pub(super) fn fail(&mut self) {
        if self.left > 0 {
            return;
        }
        self.pause = (2 * self.pause + 1).min(MOST);
        self.left = self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of so many turns, each of which is for nothing.
    fn in_vain(eagerness: &mut Eagerness, turns: usize) -> Vec<usize> {
        let call = |turn| {
            let calls = eagerness.calls();
            if calls {
                eagerness.fail();
            }
            calls.then_some(turn)
        };
        (0..turns).filter_map(call).collect()
    }

    #[test]
    fn calls_for_nothing_become_rare_and_never_stop() {
        let mut eagerness = Eagerness::default();
        let calls = in_vain(&mut eagerness, 1000);
        assert_eq!(calls[..5], [0, 2, 6, 14, 30]);
        let distances = calls.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(distances.skip(5).all(|distance| distance == 64));
    }

    #[test]
    fn a_success_makes_it_eager_again() {
        let mut eagerness = Eagerness::default();
        in_vain(&mut eagerness, 1000);
        eagerness.succeed();
        assert!((0..100).all(|_| eagerness.calls()));
        assert_eq!(in_vain(&mut eagerness, 4), [0, 2]);
    }
}
