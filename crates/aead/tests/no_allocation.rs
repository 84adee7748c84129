//! Sealing and opening a batch takes no memory from the Rust allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hushwire_aead::{Key, Packet, Relocated, Slots, TAG_LEN};

thread_local! {
    /// Allocations of this thread; the test harness has threads of its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_batch_allocates_nothing() {
    let key = Key::new(&[1; 32]);
    let mut buffer = vec![0; 40 * 1452];
    let packets: Vec<_> = (0..40)
        .map(|index| Packet {
            start: index * 1452 + 16,
            len: 1420,
            counter: index as u64,
        })
        .collect();
    let sealed: Vec<_> = packets
        .iter()
        .map(|packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        })
        .collect();
    let mut verdicts = [false; 40];

    let before = ALLOCATIONS.with(Cell::get);
    key.seal_batch(&mut buffer, &packets).unwrap();
    buffer[20] ^= 1;
    key.open_batch(&mut buffer, &sealed, &mut verdicts).unwrap();
    let after = ALLOCATIONS.with(Cell::get);

    assert_eq!(after - before, 0);
    assert!(!verdicts[0] && verdicts[1..].iter().all(|&good| good));
}

#[test]
fn nor_does_a_batch_between_buffers() {
    let key = Key::new(&[1; 32]);
    let source = vec![7; 1420];
    let bodies = [source.as_slice(); 40];
    let slots = Slots {
        bodies: &bodies,
        start: 16,
        stride: 1452,
        mtu: 1420,
        counter: 0,
    };
    let mut sealed = vec![0; 40 * 1452];
    let packets: Vec<_> = (0..40)
        .map(|index| Relocated {
            from: index * 1452 + 16,
            len: 1420 + TAG_LEN,
            to: index * 1420,
            counter: index as u64,
        })
        .collect();
    let mut opened = vec![0; 40 * 1420];
    let mut verdicts = [false; 40];

    let before = ALLOCATIONS.with(Cell::get);
    key.seal_composed(&mut sealed, &slots).unwrap();
    key.open_relocated(&sealed, &mut opened, &packets, &mut verdicts)
        .unwrap();
    let after = ALLOCATIONS.with(Cell::get);

    assert_eq!(after - before, 0);
    assert_eq!(verdicts, [true; 40]);
    assert!(opened.iter().all(|&byte| byte == 7));
}
