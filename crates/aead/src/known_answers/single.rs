//! One message with any nonce and with associated data, on every path: what the published vectors
//! need and the API has no use for.

use std::io::Write;
use std::sync::Once;

use crate::aws::AwsKey;
use crate::backend::{Backend, Engine};
use crate::chacha20::{BLOCK_LEN, Lanes, Run};
use crate::kernel::Kernel;
use crate::lines::{Span, Stream};
use crate::poly1305::{self, Message, words};
use crate::{KEY_LEN, NONCE_LEN, TAG_LEN};

/// An implementation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cipher(Engine);

impl Cipher {
    /// Those that this processor can run. One that it cannot is named on the terminal: nothing here
    /// says anything about it.
    pub(super) fn all() -> impl Iterator<Item = Self> {
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
        Backend::ALL.into_iter().filter_map(Engine::new).map(Self)
    }

    pub(super) fn seal(
        self,
        key: &[u8; KEY_LEN],
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> [u8; TAG_LEN] {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => seal(kernel, key, nonce, aad, text),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => seal(kernel, key, nonce, aad, text),
            Engine::AwsLc => {
                let mut tag = [0; TAG_LEN];
                AwsKey::new(key).seal(nonce, aad, text, &mut tag).unwrap();
                tag
            }
        }
    }

    pub(super) fn open(
        self,
        key: &[u8; KEY_LEN],
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => open(kernel, key, nonce, aad, text) == *tag,
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => open(kernel, key, nonce, aad, text) == *tag,
            Engine::AwsLc => AwsKey::new(key).open(nonce, aad, text, tag).is_ok(),
        }
    }

    /// The authenticator of bytes of which the last sixteen are taken for the lengths; `None` where
    /// Poly1305 is not to be had by itself.
    pub(super) fn poly1305(self, key: &[u8; 32], bytes: &[u8]) -> Option<[u8; TAG_LEN]> {
        let (data, end) = bytes.split_last_chunk::<{ poly1305::BLOCK_LEN }>()?;
        let lengths = u128::from_le_bytes(*end);
        let message = Message {
            key,
            data,
            lengths: [lengths as u64, (lengths >> 64) as u64],
        };
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => Some(tag_everywhere(kernel, message)),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => Some(tag_everywhere(kernel, message)),
            Engine::AwsLc => None,
        }
    }
}

fn seal<K: Kernel>(
    kernel: K,
    key: &[u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; TAG_LEN] {
    let one_time_key = apply(kernel, key, nonce, text);
    tag(kernel, &one_time_key, aad, text)
}

/// Decrypts all the same, and returns what the authenticator should have been.
fn open<K: Kernel>(
    kernel: K,
    key: &[u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; TAG_LEN] {
    let ciphertext = text.to_vec();
    let one_time_key = apply(kernel, key, nonce, text);
    tag(kernel, &one_time_key, aad, &ciphertext)
}

fn apply<K: Kernel>(
    kernel: K,
    key: &[u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
    text: &mut [u8],
) -> [u8; BLOCK_LEN] {
    let key = std::array::from_fn(|i| u32::from_le_bytes(key.as_chunks().0[i]));
    let nonce = std::array::from_fn(|i| u32::from_le_bytes(nonce.as_chunks().0[i]));
    let mut single = Single {
        nonce,
        next: 0,
        first: [0; BLOCK_LEN],
        text,
    };
    kernel.apply(&key, &mut single);
    single.first
}

fn tag<K: Kernel>(
    kernel: K,
    one_time_key: &[u8; BLOCK_LEN],
    aad: &[u8],
    ciphertext: &[u8],
) -> [u8; TAG_LEN] {
    let mut data = aad.to_vec();
    data.resize(aad.len().next_multiple_of(poly1305::BLOCK_LEN), 0);
    data.extend_from_slice(ciphertext);
    let message = Message {
        key: one_time_key.first_chunk().unwrap(),
        data: &data,
        lengths: [aad.len() as u64, ciphertext.len() as u64],
    };
    tag_everywhere(kernel, message)
}

/// The authenticator, the same in whatever company, in lanes and without: alone it has several
/// lanes, among others one.
fn tag_everywhere<K: Kernel>(kernel: K, message: Message<'_>) -> [u8; TAG_LEN] {
    let mut expected = [[0; TAG_LEN]];
    kernel.tags(&[message], &mut expected);
    for count in 1..=16 {
        let messages = vec![message; count];
        let mut tags = [[0; TAG_LEN]; 16];
        kernel.tags(&messages, &mut tags);
        assert!(tags[..count].iter().all(|tag| *tag == expected[0]));
        let mut tags = [[0; TAG_LEN]; 16];
        words::tags(&messages, &mut tags);
        assert!(tags[..count].iter().all(|tag| *tag == expected[0]));
    }
    expected[0]
}

/// The blocks of one message, the first of which makes the one-time key.
struct Single<'a> {
    nonce: [u32; 3],
    next: u32,
    first: [u8; BLOCK_LEN],
    text: &'a mut [u8],
}

impl Stream for Single<'_> {
    fn nonce(&self) -> [u32; 2] {
        [self.nonce[0], self.nonce[2]]
    }

    fn fill<const N: usize>(&mut self, lanes: &mut Lanes<N>) -> bool {
        lanes.clear();
        let end = 1 + self.text.len().div_ceil(BLOCK_LEN) as u32;
        let count = (end - self.next).min(N as u32);
        if count > 0 {
            lanes.push(Run {
                member: 0,
                nonce: self.nonce[1],
                first: self.next,
                count,
            });
        }
        self.next += count;
        count > 0
    }

    fn span(&mut self, _member: usize, first: u32, count: usize) -> Span<'_> {
        let Some(line) = first.checked_sub(1) else {
            return Span {
                source: None,
                target: &mut self.first,
            };
        };
        let rest = &mut self.text[line as usize * BLOCK_LEN..];
        let len = rest.len().min(count * BLOCK_LEN);
        Span {
            source: None,
            target: &mut rest[..len],
        }
    }
}
