//! What the daemons hold: memory, descriptors, threads.

use std::fs;

use super::scene::{Place, Scene};
use crate::error::{Error, Result};

/// Bytes by which a daemon's memory may differ from one calm moment to another.
const SLACK: u64 = 2 << 20;
/// How many looks at the end count: the calmest of them.
const LAST: usize = 10;

/// What one daemon holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Holdings {
    /// Bytes resident.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
    pub(super) threads: usize,
}

impl Holdings {
    fn of(pid: u32) -> Result<Self> {
        let count = |what: &str| {
            let folder = format!("/proc/{pid}/{what}");
            fs::read_dir(&folder)
                .map(Iterator::count)
                .map_err(Error::file("list", folder))
        };
        Ok(Self {
            memory: hushwire_lab::Usage::of(pid)?.memory,
            descriptors: count("fd")?,
            threads: count("task")?,
        })
    }

    fn each(self, other: Self, choose: impl Fn(u64, u64) -> u64) -> Self {
        let small = |a: usize, b: usize| choose(a as u64, b as u64) as usize;
        Self {
            memory: choose(self.memory, other.memory),
            descriptors: small(self.descriptors, other.descriptors),
            threads: small(self.threads, other.threads),
        }
    }
}

/// One daemon over the whole time.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) interface: String,
    /// The most in the time in which it had settled.
    pub(super) most_at_first: Holdings,
    /// The most afterwards.
    pub(super) most: Holdings,
    /// The least of the last looks.
    pub(super) end: Holdings,
    last: Vec<Holdings>,
}

impl Life {
    /// What has become more, in words.
    pub(super) fn leaks(&self) -> Option<String> {
        let (first, end) = (self.most_at_first, self.end);
        let more = end.memory > first.memory + SLACK
            || end.descriptors > first.descriptors
            || end.threads > first.threads;
        more.then(|| format!("{}: {first:?} at first, {end:?} in the end", self.interface))
    }
}

/// All daemons that live through the whole time.
#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) lives: Vec<Life>,
}

impl Census {
    /// Looks at all of them.
    pub(super) fn take(&mut self, scene: &Scene, settled: bool) -> Result<()> {
        let most = |a: u64, b: u64| a.max(b);
        for (interface, pid) in daemons(scene) {
            let now = Holdings::of(pid)?;
            let known = self
                .lives
                .iter_mut()
                .find(|life| life.interface == interface);
            let Some(life) = known else {
                self.lives.push(Life {
                    interface,
                    most_at_first: now,
                    most: now,
                    end: now,
                    last: vec![now],
                });
                continue;
            };
            if !settled {
                life.most_at_first = life.most_at_first.each(now, most);
            }
            life.most = life.most.each(now, most);
            life.last.push(now);
            if life.last.len() > LAST {
                life.last.remove(0);
            }
        }
        Ok(())
    }

    /// The end: of the last looks the least, because traffic goes on.
    pub(super) fn finish(&mut self, scene: &Scene) -> Result<()> {
        self.take(scene, true)?;
        for life in &mut self.lives {
            let least = |a: u64, b: u64| a.min(b);
            let all = life.last.iter().copied();
            life.end = all.reduce(|a, b| a.each(b, least)).unwrap_or_default();
        }
        Ok(())
    }
}

fn daemons(scene: &Scene) -> Vec<(String, u32)> {
    let ends = scene.places().into_iter().flat_map(Place::ends);
    ends.map(|(_, end)| (end.interface.clone(), end.daemon.process().pid()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(end: Holdings) -> Life {
        let first = Holdings {
            memory: 5 << 20,
            descriptors: 20,
            threads: 6,
        };
        Life {
            interface: "wg1".to_owned(),
            most_at_first: first,
            most: first,
            end,
            last: Vec::new(),
        }
    }

    #[test]
    fn more_in_the_end_than_ever_at_first_is_a_leak() {
        let same = life(Holdings::default()).most_at_first;
        assert_eq!(life(same).leaks(), None);
        for end in [
            Holdings {
                memory: same.memory + SLACK + 1,
                ..same
            },
            Holdings {
                descriptors: 21,
                ..same
            },
            Holdings { threads: 7, ..same },
        ] {
            assert!(life(end).leaks().is_some(), "{end:?}");
        }
    }
}
