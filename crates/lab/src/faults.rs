use std::time::Duration;

/// What a link does to the packets that go through it in one direction.
///
/// Which packet meets which fault depends on the seed and on the packet's number alone, counted from the moment the
/// faults were set. Address resolution (ARP, neighbour discovery) and everything else that is broadcast or multicast
/// passes unharmed and uncounted, so that the n-th packet of a test always meets the same fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of packets that vanish, from 0 to 1.
    pub loss: f64,
    /// The share of packets that arrive twice, from 0 to 1.
    pub duplicate: f64,
    /// The share of packets that are overtaken by the next one, from 0 to 1. If none comes, they arrive 50 ms late.
    pub reorder: f64,
    /// The share of packets in which one bit is flipped, from 0 to 1. In UDP it is a bit of the payload and the checksum
    /// is mended, so that the receiving program gets it and not only its kernel.
    pub corrupt: f64,
    /// Time that every packet takes.
    pub delay: Duration,
    /// Up to this much more, another time for each packet. It alone never changes their order.
    pub jitter: Duration,
    /// Bits a second that go through at most, Ethernet headers included; a thousand packets wait at most.
    pub rate: Option<u64>,
    /// Another seed is another sequence of faults.
    pub seed: u64,
}

/// What becomes of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) lost: bool,
    pub(crate) duplicated: bool,
    pub(crate) reordered: bool,
    /// Chooses the bit to flip.
    pub(crate) corrupted: Option<u64>,
    pub(crate) jitter: Duration,
}

impl Faults {
    /// A link on which everything is lost: a cable that is cut.
    #[must_use]
    pub fn cut() -> Self {
        Self {
            loss: 1.0,
            ..Self::default()
        }
    }

    /// What becomes of the packet with this number. `direction` tells the two directions of a link apart.
    pub(crate) fn fate(&self, direction: u64, number: u64) -> Fate {
        let mut random = SplitMix64::for_packet(self.seed, direction, number);
        // Every question draws its own number whatever the others' answers, so that changing one share changes only
        // which packets meet that fault.
        Fate {
            lost: random.share() < self.loss,
            duplicated: random.share() < self.duplicate,
            reordered: random.share() < self.reorder,
            corrupted: {
                let meets = random.share() < self.corrupt;
                let bit = random.next();
                meets.then_some(bit)
            },
            jitter: self.jitter.mul_f64(random.share()),
        }
    }
}

/// Sebastiano Vigna's SplitMix64: small, seedable, and good enough to break links with.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn for_packet(seed: u64, direction: u64, number: u64) -> Self {
        let mut lane = Self {
            state: seed ^ (direction << 63),
        };
        let lane = lane.next();
        Self {
            state: lane ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03),
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to but not including 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn half(seed: u64) -> Faults {
        Faults {
            loss: 0.5,
            duplicate: 0.5,
            reorder: 0.5,
            corrupt: 0.5,
            jitter: Duration::from_millis(10),
            seed,
            ..Faults::default()
        }
    }

    fn losses(faults: &Faults, direction: u64) -> Vec<bool> {
        (0..1000)
            .map(|number| faults.fate(direction, number).lost)
            .collect()
    }

    #[test]
    fn no_faults_harm_nothing() {
        for number in 0..1000 {
            let fate = Faults::default().fate(0, number);
            assert!(!fate.lost && !fate.duplicated && !fate.reordered && fate.corrupted.is_none());
            assert_eq!(fate.jitter, Duration::ZERO);
        }
    }

    #[test]
    fn a_cut_link_loses_everything() {
        assert!(losses(&Faults::cut(), 0).iter().all(|lost| *lost));
    }

    #[test]
    fn another_seed_and_another_direction_are_another_sequence() {
        assert_ne!(losses(&half(1), 0), losses(&half(2), 0));
        assert_ne!(losses(&half(1), 0), losses(&half(1), 1));
    }

    #[test]
    fn shares_are_met() {
        let faults = Faults {
            loss: 0.1,
            ..half(7)
        };
        let lost = (0..100_000)
            .filter(|number| faults.fate(0, *number).lost)
            .count();
        assert!(
            (9_500..10_500).contains(&lost),
            "{lost} of 100000 at a share of 0.1"
        );
    }

    proptest! {
        #[test]
        fn a_seed_says_it_all(seed: u64, direction in 0..2_u64, number: u64) {
            prop_assert_eq!(half(seed).fate(direction, number), half(seed).fate(direction, number));
        }

        #[test]
        fn one_share_does_not_change_another_fault(seed: u64, number: u64, loss in 0.0..1.0_f64) {
            let (one, other) = (half(seed).fate(0, number), Faults { loss, ..half(seed) }.fate(0, number));
            prop_assert_eq!(Fate { lost: false, ..one }, Fate { lost: false, ..other });
        }

        #[test]
        fn jitter_stays_under_its_limit(seed: u64, number: u64) {
            prop_assert!(half(seed).fate(0, number).jitter < Duration::from_millis(10));
        }
    }
}
