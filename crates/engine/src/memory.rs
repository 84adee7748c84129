//! A limit for the memory of the daemon.
//!
//! What can grow is what control clients configure, the sessions of the peers that they
//! configured, packets that wait for sessions, and answers to control clients. Each has a most that
//! it can take, so the sum is known before anything grows: whoever would bring it above the limit
//! with a peer, an allowed IP or a question is refused. Handshakes and packets always find memory,
//! and there is always room for one answer about all that is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hushwire_io::memory::{keep_one_heap, release_freed};

use crate::handoff::SLOTS;
use crate::receive_buffer::MESSAGES_AT_ONCE;
use crate::send_buffer::SEND_BUFFER;

/// The most that the sessions of one peer take, in bytes: three keypairs with their replay
/// windows, a handshake, and their places in the tables.
const SESSIONS: u64 = 5 * 1024;
/// The most that a peer takes beside them.
const PEER: u64 = 2 * 1024;
/// The most that an allowed IP takes in the table and in the peer's own list.
const ALLOWED_IP: u64 = 512;
/// The most that a peer, and an allowed IP, takes in an answer.
const PEER_TEXT: u64 = 400;
const ALLOWED_IP_TEXT: u64 = 64;
/// The buffers of one lane.
const LANE: u64 = 1 << 20;
/// What each lane has under way with helpers: in each direction as many buffers more as there are
/// slots.
const HANDED_OVER: u64 = (SLOTS * (SEND_BUFFER + MESSAGES_AT_ONCE * (64 << 10))) as u64;
/// The stack of a helper.
const HELPER: u64 = 64 << 10;
/// Stacks and buffers of control clients, log lines, what the allocator keeps.
const BESIDES: u64 = 3 << 20;
/// The share of the limit that packets waiting for sessions may take.
const STAGING_SHARE: u64 = 8;

/// Watches over a limit.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    /// In bytes.
    limit: u64,
    /// What the process takes whatever it holds, the packets that wait for sessions included.
    fixed: u64,
    /// Answers that are on their way to their clients.
    answers: AtomicU64,
}

impl MemoryLimit {
    /// A limit in bytes for a process with `lanes` and `helpers`, of which none is running yet.
    ///
    /// # Errors
    /// When the limit is less than a device without peers needs, or the system does not tell how
    /// much memory is in use.
    pub(crate) fn new(limit: u64, lanes: usize, helpers: usize) -> io::Result<Self> {
        // Where it cannot be done, a thread may keep what it has freed, within `BESIDES`.
        keep_one_heap();
        let staging = limit / STAGING_SHARE;
        let lane = LANE + if helpers > 0 { HANDED_OVER } else { 0 };
        let data_path = lane * lanes as u64 + HELPER * helpers as u64;
        let fixed = ResidentSet::open()?.bytes()? + data_path + BESIDES + staging;
        if fixed > limit {
            let least = (fixed - staging) * STAGING_SHARE / (STAGING_SHARE - 1);
            let reason = format!(
                "a memory limit of {limit} bytes is too low: a device without a single peer takes \
                 {least}; {}M is the least that does",
                least.div_ceil(1 << 20)
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(Self {
            limit,
            fixed,
            answers: AtomicU64::new(0),
        })
    }

    /// Bytes for packets that wait for sessions.
    pub(crate) const fn staging(&self) -> u64 {
        self.limit / STAGING_SHARE
    }

    /// In bytes.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes of the limit that a process which holds so much may come to take, and takes for
    /// answers now.
    pub(crate) fn reserved(&self, contents: Contents) -> u64 {
        self.fixed + contents.size() + self.answers.load(Ordering::Relaxed)
    }

    /// Whether there is room for more, with an answer about what would be there then.
    pub(crate) fn allows(&self, contents: Contents) -> bool {
        self.fixed + contents.size() + contents.answer() <= self.limit
    }

    /// Sets the room for an answer aside, if there is any.
    pub(crate) fn answer(self: &Arc<Self>, contents: Contents) -> Option<Answer> {
        let bytes = contents.answer();
        let taken = self.fixed + contents.size() + bytes;
        let add = |answers| (taken + answers <= self.limit).then_some(answers + bytes);
        self.answers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .ok()?;
        Some(Answer {
            memory: Arc::clone(self),
            bytes,
        })
    }
}

/// The room for an answer, until it has been sent.
#[derive(Debug)]
pub(crate) struct Answer {
    memory: Arc<MemoryLimit>,
    bytes: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        release_freed();
        self.memory.answers.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// How much a device holds, or would.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    pub(crate) peers: usize,
    pub(crate) allowed_ips: usize,
}

impl Contents {
    const fn size(self) -> u64 {
        self.peers as u64 * (PEER + SESSIONS) + self.allowed_ips as u64 * ALLOWED_IP
    }

    const fn answer(self) -> u64 {
        self.peers as u64 * PEER_TEXT + self.allowed_ips as u64 * ALLOWED_IP_TEXT
    }
}

/// The resident set of this process (proc(5)). Can be read when files cannot be opened any more.
#[derive(Debug)]
pub(crate) struct ResidentSet {
    statm: File,
    page: u64,
}

impl ResidentSet {
    /// Opens the file that tells it.
    ///
    /// # Errors
    /// Those of the system, in a container without /proc for example.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            statm: File::open("/proc/self/statm")?,
            page: rustix::param::page_size() as u64,
        })
    }

    /// How large it is now, in bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        // Seven numbers of 20 digits at most.
        let mut text = [0; 160];
        let length = self.statm.read_at(&mut text, 0)?;
        let text = std::str::from_utf8(text.get(..length).unwrap_or_default()).ok();
        let pages = text.and_then(|text| text.split(' ').nth(1)?.parse().ok());
        let pages: u64 = pages.ok_or(io::ErrorKind::InvalidData)?;
        Ok(pages * self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Contents = Contents {
        peers: 0,
        allowed_ips: 0,
    };

    fn limit(room: u64) -> Arc<MemoryLimit> {
        Arc::new(MemoryLimit {
            limit: 1_000_000 + room,
            fixed: 1_000_000,
            answers: AtomicU64::new(0),
        })
    }

    #[test]
    fn peers_and_allowed_ips_fit_while_an_answer_about_them_does() {
        let peer = PEER + SESSIONS + PEER_TEXT;
        let allowed_ip = ALLOWED_IP + ALLOWED_IP_TEXT;
        let memory = limit(10 * peer + 3 * allowed_ip);
        for (peers, allowed_ips, fits) in [(10, 3, true), (11, 0, false), (10, 4, false)] {
            let contents = Contents { peers, allowed_ips };
            assert_eq!(memory.allows(contents), fits, "{contents:?}");
        }
    }

    #[test]
    fn an_answer_takes_its_room_until_it_is_sent() {
        let contents = Contents {
            peers: 100,
            allowed_ips: 100,
        };
        let memory = limit(contents.size() + 2 * contents.answer());
        let first = memory.answer(contents).expect("room for one");
        let _second = memory.answer(contents).expect("room for two");
        assert!(memory.answer(contents).is_none());
        drop(first);
        assert!(memory.answer(contents).is_some());
    }

    #[test]
    fn what_is_reserved_is_what_may_come_to_be_taken() {
        let contents = Contents {
            peers: 3,
            allowed_ips: 5,
        };
        let memory = limit(1_000_000);
        let taken = 1_000_000 + contents.size();
        assert_eq!(memory.reserved(contents), taken);
        let answer = memory.answer(contents).expect("room for an answer");
        assert_eq!(memory.reserved(contents), taken + contents.answer());
        drop(answer);
        assert_eq!(memory.reserved(contents), taken);
    }

    #[test]
    fn the_resident_set_is_read_anew_each_time() {
        let resident = ResidentSet::open().expect("statm");
        let before = resident.bytes().expect("a number");
        let block = vec![1_u8; 64 << 20];
        let with_block = resident.bytes().expect("a number");
        assert!(with_block >= before + (32 << 20), "{before}, {with_block}");
        drop(block);
    }

    #[test]
    fn whoever_may_configure_may_always_ask() {
        let memory = limit(0);
        assert!(memory.allows(NOTHING) && memory.answer(NOTHING).is_some());
        assert!(!memory.allows(Contents {
            peers: 1,
            ..NOTHING
        }));
    }

    #[test]
    fn a_limit_that_nothing_fits_into_is_refused_and_the_least_is_told() {
        let error = MemoryLimit::new(1 << 20, 1, 0)
            .expect_err("too low")
            .to_string();
        let megabytes = error
            .strip_suffix("M is the least that does")
            .and_then(|error| error.rsplit(' ').next())
            .and_then(|word| word.parse::<u64>().ok());
        let least = megabytes.unwrap_or_else(|| panic!("{error}")) << 20;
        // The process may have grown in between.
        assert!(MemoryLimit::new(least + (8 << 20), 1, 0).is_ok());
        // What helpers take comes on top.
        assert!(MemoryLimit::new(least + (8 << 20), 4, 2).is_err());
    }
}
