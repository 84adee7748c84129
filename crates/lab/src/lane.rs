use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Faults;
use crate::frame;

/// How many frames wait for a slow link at most; more are lost.
const WAITING_ROOM: usize = 1000;
/// How long a frame that is to be overtaken waits for another.
const OVERTAKE_LIMIT: Duration = Duration::from_millis(50);

/// What one direction of a link has done with the packets since its faults were set. Address resolution does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Packets that came in.
    pub received: u64,
    /// Packets that were lost on purpose.
    pub lost: u64,
    /// Packets that were sent twice.
    pub duplicated: u64,
    /// Packets that were held back for another to overtake.
    pub reordered: u64,
    /// Packets in which a bit was flipped.
    pub corrupted: u64,
    /// Packets that found the waiting room of a slow link full.
    pub overrun: u64,
}

/// One direction of a link, without its ends: frames go in, and come out when it is their time.
#[derive(Debug)]
pub(crate) struct Lane {
    direction: u64,
    faults: Faults,
    counts: LaneCounts,
    /// Frames on their way, in the order in which they arrive.
    under_way: VecDeque<(Instant, Vec<u8>)>,
    /// A frame that waits to be overtaken, and until when.
    held: Option<(Instant, Vec<u8>)>,
    /// When the last frame under way arrives.
    last_arrival: Option<Instant>,
    /// When the last frame has left a link with a limited rate.
    line_free: Option<Instant>,
}

impl Lane {
    pub(crate) fn new(direction: u64, faults: Faults) -> Self {
        Self {
            direction,
            faults,
            counts: LaneCounts::default(),
            under_way: VecDeque::new(),
            held: None,
            last_arrival: None,
            line_free: None,
        }
    }

    /// Other faults from now on, and counting from the start. What is under way arrives as it would have.
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.counts = LaneCounts::default();
        self.line_free = None;
    }

    pub(crate) fn counts(&self) -> LaneCounts {
        self.counts
    }

    /// A frame enters.
    pub(crate) fn accept(&mut self, mut frame: Vec<u8>, now: Instant) {
        if frame::is_housekeeping(&frame) {
            return self.send(frame, now, Duration::ZERO);
        }
        let fate = self.faults.fate(self.direction, self.counts.received);
        self.counts.received += 1;
        if fate.lost {
            self.counts.lost += 1;
            return;
        }
        if self.faults.rate.is_some() && self.under_way.len() >= WAITING_ROOM {
            self.counts.overrun += 1;
            return;
        }
        if let Some(choice) = fate.corrupted {
            frame::corrupt(&mut frame, choice);
            self.counts.corrupted += 1;
        }
        let copy = fate.duplicated.then(|| frame.clone());
        self.counts.duplicated += u64::from(fate.duplicated);
        if fate.reordered && self.held.is_none() {
            self.counts.reordered += 1;
            self.held = Some((now + OVERTAKE_LIMIT, frame));
        } else {
            self.send(frame, now, fate.jitter);
            if let Some((_, overtaken)) = self.held.take() {
                self.send(overtaken, now, fate.jitter);
            }
        }
        if let Some(copy) = copy {
            self.send(copy, now, fate.jitter);
        }
    }

    /// The next frame whose time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some((_, frame)) = self.held.take_if(|(limit, _)| *limit <= now) {
            self.send(frame, now, Duration::ZERO);
        }
        let (arrival, _) = self.under_way.front()?;
        if *arrival > now {
            return None;
        }
        self.under_way.pop_front().map(|(_, frame)| frame)
    }

    /// When there will be something to do although nothing comes in.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        let arrival = self.under_way.front().map(|(arrival, _)| *arrival);
        let release = self.held.as_ref().map(|(limit, _)| *limit);
        arrival.into_iter().chain(release).min()
    }

    /// Puts a frame on its way: behind those before it, at the speed of the line, with the delay.
    fn send(&mut self, frame: Vec<u8>, now: Instant, jitter: Duration) {
        let mut departure = now;
        if let Some(rate) = self.faults.rate {
            departure = self.line_free.map_or(now, |free| free.max(now))
                + transmission_time(frame.len(), rate);
            self.line_free = Some(departure);
        }
        let arrival = departure + self.faults.delay + jitter;
        let arrival = self.last_arrival.map_or(arrival, |last| last.max(arrival));
        self.last_arrival = Some(arrival);
        self.under_way.push_back((arrival, frame));
    }
}

/// How long the bits of a frame take at a rate in bits a second.
fn transmission_time(length: usize, rate: u64) -> Duration {
    let nanoseconds = length as u128 * 8 * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that is no housekeeping and carries its number.
    fn numbered(number: u8) -> Vec<u8> {
        let mut frame = vec![0; 60];
        frame[12] = 8;
        frame[59] = number;
        frame
    }

    /// The numbers of all frames that have arrived by then.
    fn arrived(lane: &mut Lane, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| lane.due(now))
            .map(|frame| frame[59])
            .collect()
    }

    fn milliseconds(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn without_faults_everything_arrives_at_once_in_order() {
        let now = Instant::now();
        let mut lane = Lane::new(0, Faults::default());
        (0..10).for_each(|number| lane.accept(numbered(number), now));
        assert_eq!(arrived(&mut lane, now), (0..10).collect::<Vec<_>>());
        assert_eq!(lane.next_event(), None);
        assert_eq!(lane.counts().received, 10);
    }

    #[test]
    fn a_delay_is_kept_to_the_moment() {
        let now = Instant::now();
        let faults = Faults {
            delay: milliseconds(30),
            ..Faults::default()
        };
        let mut lane = Lane::new(0, faults);
        lane.accept(numbered(1), now);
        assert_eq!(lane.next_event(), Some(now + milliseconds(30)));
        assert!(arrived(&mut lane, now + milliseconds(29)).is_empty());
        assert_eq!(arrived(&mut lane, now + milliseconds(30)), [1]);
    }

    #[test]
    fn jitter_never_changes_the_order() {
        let now = Instant::now();
        let faults = Faults {
            jitter: milliseconds(30),
            seed: 5,
            ..Faults::default()
        };
        let mut lane = Lane::new(0, faults);
        (0..100).for_each(|number| lane.accept(numbered(number), now));
        assert_eq!(
            arrived(&mut lane, now + milliseconds(30)),
            (0..100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_reordered_frame_is_overtaken_by_the_next() {
        let now = Instant::now();
        let mut lane = Lane::new(
            0,
            Faults {
                reorder: 1.0,
                ..Faults::default()
            },
        );
        (0..4).for_each(|number| lane.accept(numbered(number), now));
        assert_eq!(arrived(&mut lane, now), [1, 0, 3, 2]);
        assert_eq!(lane.counts().reordered, 2);
    }

    #[test]
    fn a_frame_that_nothing_overtakes_arrives_late() {
        let now = Instant::now();
        let mut lane = Lane::new(
            0,
            Faults {
                reorder: 1.0,
                ..Faults::default()
            },
        );
        lane.accept(numbered(1), now);
        assert_eq!(lane.next_event(), Some(now + OVERTAKE_LIMIT));
        assert!(arrived(&mut lane, now).is_empty());
        assert_eq!(arrived(&mut lane, now + OVERTAKE_LIMIT), [1]);
    }

    #[test]
    fn a_rate_spaces_the_frames_and_a_full_room_turns_them_away() {
        let now = Instant::now();
        let faults = Faults {
            rate: Some(60 * 8 * 1000), // one frame of 60 bytes a millisecond
            ..Faults::default()
        };
        let mut lane = Lane::new(0, faults);
        (0..3).for_each(|number| lane.accept(numbered(number), now));
        assert!(arrived(&mut lane, now).is_empty());
        assert_eq!(arrived(&mut lane, now + milliseconds(1)), [0]);
        assert_eq!(arrived(&mut lane, now + milliseconds(3)), [1, 2]);

        let later = now + milliseconds(10);
        (0..=WAITING_ROOM).for_each(|_| lane.accept(numbered(0), later));
        assert_eq!(lane.counts().overrun, 1);
    }

    #[test]
    fn duplicates_come_twice_and_lost_frames_never() {
        let now = Instant::now();
        let mut lane = Lane::new(
            0,
            Faults {
                duplicate: 1.0,
                ..Faults::default()
            },
        );
        lane.accept(numbered(1), now);
        assert_eq!(arrived(&mut lane, now), [1, 1]);
        lane.set_faults(Faults::cut());
        lane.accept(numbered(2), now);
        assert!(arrived(&mut lane, now).is_empty());
        assert_eq!((lane.counts().received, lane.counts().lost), (1, 1));
    }

    #[test]
    fn address_resolution_passes_a_cut_link_uncounted() {
        let now = Instant::now();
        let mut lane = Lane::new(0, Faults::cut());
        lane.accept(vec![0xff; 60], now);
        assert_eq!(arrived(&mut lane, now), [0xff]);
        assert_eq!(lane.counts(), LaneCounts::default());
    }

    #[test]
    fn the_same_seed_harms_the_same_frames() {
        let run = || {
            let now = Instant::now();
            let faults = Faults {
                loss: 0.2,
                duplicate: 0.2,
                reorder: 0.2,
                corrupt: 0.2,
                seed: 42,
                ..Faults::default()
            };
            let mut lane = Lane::new(0, faults);
            (0..200).for_each(|number| lane.accept(numbered(number), now));
            let frames: Vec<_> = std::iter::from_fn(|| lane.due(now + OVERTAKE_LIMIT)).collect();
            (frames, lane.counts())
        };
        let (frames, counts) = run();
        assert_eq!((frames.clone(), counts), run());
        assert!(
            counts.lost > 0
                && counts.duplicated > 0
                && counts.reordered > 0
                && counts.corrupted > 0
        );
        assert_eq!(
            frames.len() as u64,
            counts.received - counts.lost + counts.duplicated
        );
    }
}
