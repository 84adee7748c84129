//! The replay window.

use hushwire_proto::replay::ReplayWindow;

use crate::case::Case;

const TURNS: u64 = 1 << 16;

pub(super) fn cases() -> Vec<Case> {
    let in_order = Case::new("replay/in-order", || {
        let (mut window, mut counter) = (ReplayWindow::new(), 0);
        move || {
            counter += 1;
            assert!(window.check_and_update(counter), "a new packet was refused");
        }
    });
    let reordered = Case::new("replay/reordered", || {
        let (mut window, mut turn) = (ReplayWindow::new(), 0_u64);
        move || {
            // Runs of 64 packets that arrive back to front.
            let counter = (turn & !63) + 63 - (turn & 63);
            turn += 1;
            assert!(window.check_and_update(counter), "a new packet was refused");
        }
    });
    let replayed = Case::new("replay/replayed", || {
        let (mut window, mut turn) = (ReplayWindow::new(), 0_u64);
        for counter in 0..4096 {
            assert!(window.check_and_update(counter));
        }
        move || {
            turn += 1;
            let old = window.check_and_update(turn % 4096);
            assert!(!old, "a packet was taken twice");
        }
    });
    [in_order, reordered, replayed]
        .map(|case| case.counted(TURNS))
        .into()
}
