//! The bytes of packets that wait, over all peers.

use alloc::sync::Arc;
use alloc::vec;

use crate::staging::{Staging, StagingBudget};

use super::explore;

/// Two peers stage as the control thread empties one: there are never more bytes than there may be,
/// and in the end none is counted that is not there.
#[test]
fn the_budget_is_kept_and_given_back() {
    explore(3, || {
        let budget = Arc::new(StagingBudget::default());
        budget.set_max(300);
        let peers = [(); 2].map(|()| Arc::new(Staging::new(Arc::clone(&budget))));
        let threads = peers.clone().map(|peer| {
            let budget = Arc::clone(&budget);
            loom::thread::spawn(move || {
                for _ in 0..2 {
                    peer.push(vec![0; 100]);
                    assert!(budget.used() <= 300);
                }
            })
        });
        drop(peers[0].take());
        for thread in threads {
            thread.join().unwrap();
        }
        drop(peers);
        assert_eq!(budget.used(), 0);
    });
}
