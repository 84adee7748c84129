//! Which implementation seals and opens.

use core::fmt;
use std::env;
use std::sync::OnceLock;

use crate::choice::{self, Range};
#[cfg(target_arch = "x86_64")]
use crate::kernel::{Avx2, Avx512};

/// The environment variable that picks the implementation by its [name](Backend::name).
pub const BACKEND_VARIABLE: &str = "HUSHWIRE_AEAD";

/// An implementation of the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Batches in AVX-512: sixteen ChaCha20 blocks at once, Poly1305 in eight lanes of 52-bit
    /// multiply-add. Needs F, BW, IFMA and VBMI2, as Ice Lake and Zen 4 and their successors have.
    Avx512,
    /// Batches in AVX2: eight ChaCha20 blocks at once, Poly1305 in four lanes of 32-bit
    /// multiplication.
    Avx2,
    /// aws-lc-rs, one packet at a time; it picks its own assembly for the processor.
    AwsLc,
}

impl Backend {
    /// All of them, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::AwsLc];

    /// The implementation that new keys of this process use.
    #[must_use]
    pub fn current() -> Self {
        Selection::current().backend()
    }

    /// Whether the processor at hand can run it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        Engine::new(self).is_some()
    }

    /// The fastest that the processor at hand can run.
    #[must_use]
    pub fn best() -> Self {
        Engine::best().backend()
    }

    /// A short name for status displays.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::AwsLc => "aws-lc",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The implementation in use and why it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    engine: Engine,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    Best,
    Forced,
    Unsupported(Backend),
    Unknown(String),
}

impl Selection {
    /// The selection of this process: made at the first use, by the environment variable
    /// [`BACKEND_VARIABLE`] or, without it, by what the processor has.
    #[must_use]
    pub fn current() -> &'static Self {
        static CURRENT: OnceLock<Selection> = OnceLock::new();
        CURRENT.get_or_init(|| {
            let wish = env::var_os(BACKEND_VARIABLE);
            Self::from_wish(
                wish.map(|wish| wish.to_string_lossy().into_owned())
                    .as_deref(),
            )
        })
    }

    fn from_wish(wish: Option<&str>) -> Self {
        let best = |reason| Self {
            engine: Engine::best(),
            reason,
        };
        let wish = match wish {
            None | Some("") => return best(Reason::Best),
            Some(wish) => wish,
        };
        let mut all = Backend::ALL.into_iter();
        let Some(backend) = all.find(|backend| backend.name() == wish) else {
            return best(Reason::Unknown(wish.to_owned()));
        };
        match Engine::new(backend) {
            Some(engine) => Self {
                engine,
                reason: Reason::Forced,
            },
            None => best(Reason::Unsupported(backend)),
        }
    }

    /// The implementation.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.engine.backend()
    }

    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether the environment asked for this implementation and so for no other, not even where
    /// another would be faster.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.reason == Reason::Forced
    }

    /// Whether the environment asked for something that could not be had. The `Display` form says
    /// what; a program should show it.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        matches!(self.reason, Reason::Unsupported(_) | Reason::Unknown(_))
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = self.backend();
        match &self.reason {
            Reason::Best => write!(f, "{backend}"),
            Reason::Forced => write!(f, "{backend} (set by {BACKEND_VARIABLE})"),
            Reason::Unsupported(wish) => write!(
                f,
                "{backend} ({BACKEND_VARIABLE} asks for {wish}, which this processor cannot run)"
            ),
            Reason::Unknown(wish) => {
                write!(
                    f,
                    "{backend} ({BACKEND_VARIABLE} asks for {wish:?}; known are"
                )?;
                for backend in Backend::ALL {
                    write!(f, " {backend}")?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A backend with the proof that the processor can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    AwsLc,
}

impl Engine {
    pub(crate) fn new(backend: Backend) -> Option<Self> {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => Avx2::detect().map(Self::Avx2),
            Backend::AwsLc => Some(Self::AwsLc),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }

    fn best() -> Self {
        let mut supported = Backend::ALL.into_iter().filter_map(Self::new);
        supported.next().unwrap_or(Self::AwsLc)
    }

    /// The batches that it seals faster than aws-lc-rs.
    pub(crate) const fn sealed_faster(self) -> Option<Range> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Some(choice::AVX512_SEAL),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Some(choice::AVX2_SEAL),
            Self::AwsLc => None,
        }
    }

    /// The batches that it opens faster than aws-lc-rs.
    pub(crate) const fn opened_faster(self) -> Option<Range> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Some(choice::AVX512_OPEN),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Some(choice::AVX2_OPEN),
            Self::AwsLc => None,
        }
    }

    pub(crate) const fn backend(self) -> Backend {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Backend::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Backend::Avx2,
            Self::AwsLc => Backend::AwsLc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_the_best_is_taken() {
        for wish in [None, Some("")] {
            let selection = Selection::from_wish(wish);
            assert_eq!(selection.backend(), Backend::best());
            assert!(!selection.is_forced() && !selection.is_fallback());
            assert_eq!(selection.to_string(), Backend::best().name());
        }
    }

    #[test]
    fn a_wish_is_granted_where_the_processor_can() {
        for backend in Backend::ALL {
            let selection = Selection::from_wish(Some(backend.name()));
            assert_eq!(selection.is_forced(), backend.is_supported());
            assert_eq!(selection.is_fallback(), !backend.is_supported());
            if backend.is_supported() {
                assert_eq!(selection.backend(), backend);
            } else {
                assert!(selection.to_string().contains("cannot run"));
            }
        }
        assert!(Backend::AwsLc.is_supported());
    }

    #[test]
    fn an_unknown_wish_is_named() {
        let selection = Selection::from_wish(Some("avx9"));
        assert_eq!(selection.backend(), Backend::best());
        assert!(selection.is_fallback());
        assert!(
            selection
                .to_string()
                .contains("\"avx9\"; known are avx512 avx2 ")
        );
    }
}
