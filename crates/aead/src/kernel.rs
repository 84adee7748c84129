//! What the batch driver asks of an implementation in SIMD instructions.

use crate::TAG_LEN;
use crate::chacha20;
use crate::lines::Stream;
use crate::poly1305::{self, Message};

/// An implementation of both halves of the cipher. A value of it exists only where the processor
/// has the instructions.
pub(crate) trait Kernel: Copy {
    /// Messages of more than this many blocks of Poly1305 are worth its powers of `r`.
    const SHORT: usize;

    /// Makes all blocks of a stream and applies each to its line.
    fn apply<S: Stream>(self, key: &[u32; 8], stream: &mut S);

    /// Authenticates up to sixteen messages; `tags[i]` is that of `messages[i]`.
    fn tags(self, messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]);
}

/// AVX-512 as Ice Lake and Zen 4 and their successors have it.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi2");
        found.then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernel for Avx512 {
    const SHORT: usize = 5;

    fn apply<S: Stream>(self, key: &[u32; 8], stream: &mut S) {
        // SAFETY: a value of this type proves that the processor has the instructions.
        unsafe { chacha20::avx512::apply(key, stream) }
    }

    fn tags(self, messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
        // SAFETY: a value of this type proves that the processor has the instructions.
        unsafe { poly1305::ifma::tags(messages, tags) }
    }
}

/// AVX2, as every x86-64 processor of this kind has it since Haswell and Zen.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernel for Avx2 {
    const SHORT: usize = 20;

    fn apply<S: Stream>(self, key: &[u32; 8], stream: &mut S) {
        // SAFETY: a value of this type proves that the processor has the instructions.
        unsafe { chacha20::avx2::apply(key, stream) }
    }

    fn tags(self, messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
        // SAFETY: a value of this type proves that the processor has the instructions.
        unsafe { poly1305::avx2::tags(messages, tags) }
    }
}
