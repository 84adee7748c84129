//! The operating system's randomness.

use hushwire_proto::crypto::Random;

/// `getrandom(2)`.
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(error) = getrandom::fill(out) {
            // Going on without randomness would give every secret away.
            eprintln!("hushwired: the system has no randomness to give: {error}");
            std::process::abort();
        }
    }
}
