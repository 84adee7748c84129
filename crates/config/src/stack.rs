//! What functions leave behind on the stack.

/// Deeper than the functions reach that handle keys, in bytes.
const DEPTH: usize = 16 * 1024;

/// Overwrites what functions that have returned have left below the frame of the caller.
///
/// A key that is moved is a key that is copied, and nobody zeroes the place that it was moved out
/// of. There it would stay, and be copied about as the unused part of the next value that lies
/// there. So whoever has had keys handled by a function calls this after it; the function must be
/// one that is not inlined, or its frame is the caller's.
#[inline(never)]
pub fn wipe_stack() {
    let mut dead = [0_u8; DEPTH];
    std::hint::black_box(&mut dead);
}
