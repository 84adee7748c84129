//! Packets that wait for a session, and how many bytes of them a device holds.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::constants::{STAGED_BYTES_MAX, STAGED_PACKETS_MAX};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a packet takes besides its bytes: its place in the queue and what the allocator adds.
const PACKET_OVERHEAD: usize = 64;

/// How many bytes the packets that wait take, over all peers of a device. Whoever sends to many
/// peers that do not answer cannot fill the memory.
#[derive(Debug)]
pub struct StagingBudget {
    used: AtomicUsize,
    max: AtomicUsize,
    /// Packets that no session came for.
    dropped: AtomicU64,
}

impl Default for StagingBudget {
    fn default() -> Self {
        Self {
            used: AtomicUsize::new(0),
            max: AtomicUsize::new(STAGED_BYTES_MAX),
            dropped: AtomicU64::new(0),
        }
    }
}

impl StagingBudget {
    /// The bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Packets that were dropped: no session came, or too many waited for it.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn count_dropped(&self, packets: usize) {
        self.dropped.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// Changes how many there may be. What waits already is not dropped.
    pub fn set_max(&self, bytes: usize) {
        self.max.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= max);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The packets of one peer that wait.
#[derive(Debug)]
pub(crate) struct Staging {
    packets: Mutex<VecDeque<Vec<u8>>>,
    budget: Arc<StagingBudget>,
}

impl Staging {
    pub(crate) fn new(budget: Arc<StagingBudget>) -> Self {
        Self {
            packets: Mutex::new(VecDeque::new()),
            budget,
        }
    }

    /// Keeps a packet. When there are too many the peer's oldest go; when that is not enough,
    /// because other peers have all there is, the packet itself goes.
    pub(crate) fn push(&self, packet: Vec<u8>) {
        let mut packets = self.packets.lock();
        while packets.len() >= STAGED_PACKETS_MAX {
            self.drop_oldest(&mut packets);
        }
        while !self.budget.take(cost(&packet)) {
            if !self.drop_oldest(&mut packets) {
                return self.budget.count_dropped(1);
            }
        }
        packets.push_back(packet);
    }

    fn drop_oldest(&self, packets: &mut VecDeque<Vec<u8>>) -> bool {
        let oldest = packets.pop_front();
        if let Some(packet) = &oldest {
            self.budget.give_back(cost(packet));
            self.budget.count_dropped(1);
        }
        oldest.is_some()
    }

    /// Takes all of them out.
    pub(crate) fn take(&self) -> VecDeque<Vec<u8>> {
        let packets = core::mem::take(&mut *self.packets.lock());
        self.budget.give_back(packets.iter().map(cost).sum());
        packets
    }

    /// Drops all of them: there will be no session.
    pub(crate) fn give_up(&self) {
        self.budget.count_dropped(self.take().len());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.lock().is_empty()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.take();
    }
}

fn cost(packet: &Vec<u8>) -> usize {
    packet.capacity() + PACKET_OVERHEAD
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn packet(number: u8, size: usize) -> Vec<u8> {
        vec![number; size]
    }

    #[test]
    fn the_oldest_of_too_many_go() {
        let budget = Arc::new(StagingBudget::default());
        let staging = Staging::new(Arc::clone(&budget));
        for number in 0..=STAGED_PACKETS_MAX {
            staging.push(packet(number as u8, 100));
        }
        assert_eq!(budget.used(), STAGED_PACKETS_MAX * (100 + PACKET_OVERHEAD));
        let packets = staging.take();
        assert_eq!((packets.len(), packets[0][0]), (STAGED_PACKETS_MAX, 1));
        assert_eq!((budget.used(), budget.dropped()), (0, 1));
    }

    #[test]
    fn a_peers_own_packets_make_room_and_no_others() {
        let budget = Arc::new(StagingBudget::default());
        budget.set_max(3 * (1000 + PACKET_OVERHEAD));
        let (one, other) = (
            Staging::new(Arc::clone(&budget)),
            Staging::new(Arc::clone(&budget)),
        );
        other.push(packet(9, 1000));
        for number in 1..=4 {
            one.push(packet(number, 1000));
        }
        let kept = one.take();
        assert_eq!((kept.len(), kept[0][0], kept[1][0]), (2, 3, 4));
        assert_eq!(other.take().len(), 1);
        one.push(packet(1, 1000));
        one.push(packet(2, 2000));
        other.push(packet(9, 1000));
        assert!(other.is_empty(), "the other has all there is");
        assert_eq!(one.take().len(), 2);
    }

    #[test]
    fn what_is_larger_than_all_there_may_be_is_dropped() {
        let budget = Arc::new(StagingBudget::default());
        budget.set_max(100);
        let staging = Staging::new(Arc::clone(&budget));
        staging.push(packet(1, 1000));
        assert!(staging.is_empty() && budget.used() == 0);
        assert_eq!(budget.dropped(), 1);
    }

    #[test]
    fn what_no_session_came_for_is_counted() {
        let budget = Arc::new(StagingBudget::default());
        let staging = Staging::new(Arc::clone(&budget));
        for number in 0..3 {
            staging.push(packet(number, 100));
        }
        staging.give_up();
        assert!(staging.is_empty());
        assert_eq!((budget.used(), budget.dropped()), (0, 3));
        staging.push(packet(1, 100));
        assert_eq!(staging.take().len(), 1);
        assert_eq!(budget.dropped(), 3, "what is taken out is not lost");
    }

    #[test]
    fn a_peer_that_goes_gives_back_what_it_had() {
        let budget = Arc::new(StagingBudget::default());
        let staging = Staging::new(Arc::clone(&budget));
        staging.push(packet(1, 1000));
        drop(staging);
        assert_eq!(budget.used(), 0);
    }
}
