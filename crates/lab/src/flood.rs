use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result, Wire};

/// Nobody floods faster: the laboratory is there to test, not to hurt the machine it runs on.
const RATE_MAX: u32 = 100_000;
/// Nor for longer.
const TIME_MAX: Duration = Duration::from_secs(600);
/// How often packets are sent; between two times so many as the rate asks for.
const BEAT: Duration = Duration::from_millis(1);

/// A stream of hostile packets down a [`Wire`], bounded in rate and time. It reaches one host of a lab and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    rate: u32,
    time: Duration,
}

/// What a [`Flood`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flooded {
    /// Packets that were sent.
    pub sent: u64,
    /// How long that took.
    pub time: Duration,
}

impl Flood {
    /// So many packets a second, up to 100,000, for so long, up to ten minutes.
    ///
    /// # Errors
    /// When one of them is nothing or too much.
    pub fn new(rate: u32, time: Duration) -> Result<Self> {
        if !(1..=RATE_MAX).contains(&rate) || time.is_zero() || time > TIME_MAX {
            let reason = "1 to 100000 packets a second for up to ten minutes are allowed";
            return Err(Error::unexpected("flood", reason));
        }
        Ok(Self { rate, time })
    }

    /// Sends the frames ([`Wire::frame`]) one after the other and again from the start, until the time is over or the
    /// word to stop comes. When the machine cannot keep up, packets are left out, not sent later in a heap.
    ///
    /// # Errors
    /// When there are no frames, or the host's interface is down or gone.
    pub fn run(&self, wire: &Wire, frames: &[Vec<u8>], stop: &AtomicBool) -> Result<Flooded> {
        let mut frames = frames.iter().cycle();
        let start = Instant::now();
        let (mut sent, mut due) = (0_u64, 0_u64);
        loop {
            let time = start.elapsed();
            if time >= self.time || stop.load(Ordering::Relaxed) {
                return Ok(Flooded { sent, time });
            }
            let wanted = (time.as_secs_f64() * f64::from(self.rate)) as u64;
            let at_once = (wanted - due).min(u64::from(self.rate.div_ceil(100)));
            due = wanted;
            for _ in 0..at_once {
                let frame = frames
                    .next()
                    .ok_or_else(|| Error::unexpected("flood", "there are no frames to send"))?;
                wire.send_frame(frame)?;
            }
            sent += at_once;
            thread::sleep(BEAT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_bounds() {
        let second = Duration::from_secs(1);
        assert!(Flood::new(20_000, second).is_ok());
        assert!(Flood::new(100_000, TIME_MAX).is_ok());
        for (rate, time) in [
            (0, second),
            (100_001, second),
            (1, second * 601),
            (1, Duration::ZERO),
        ] {
            assert!(Flood::new(rate, time).is_err(), "{rate} for {time:?}");
        }
    }
}
