//! What the tests of several files need.

use std::io::Write;
use std::sync::Once;

use hushwire_aead::Backend;

/// The implementations that this processor can run. One that it cannot is named on the terminal:
/// nothing here says anything about it.
pub(crate) fn backends() -> impl Iterator<Item = Backend> {
    static NAMED: Once = Once::new();
    NAMED.call_once(|| {
        for backend in Backend::ALL {
            if !backend.is_supported() {
                // The test harness captures the macros, but not the stream itself.
                let line = format!("NOT COVERED: {backend}: this processor cannot run it\n");
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            }
        }
    });
    Backend::ALL
        .into_iter()
        .filter(|backend| backend.is_supported())
}

/// Bytes without pattern (xorshift64*).
pub(crate) fn fill(seed: u64, bytes: &mut [u8]) {
    let mut state = seed | 1;
    for chunk in bytes.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}
