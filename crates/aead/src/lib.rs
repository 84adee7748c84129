//! ChaCha20-Poly1305 (RFC 8439) over batches of packets under one key.
//!
//! A tunnel seals and opens runs of packets that lie one behind the other in one buffer, so that is
//! the unit here: a [`Key`], a buffer, and a list of [`Packet`]s that says where in the buffer each
//! packet lies and which counter it has. A batch of one is fine. The list may also be of the
//! caller's own type, if that is [`AsPacket`]; nothing is copied or allocated for a batch.
//!
//! Packets can also be sealed and opened on their way from one buffer into another, which spares a
//! copy: [`Key::seal_composed`] puts each plaintext together from headers that stand in their
//! place, a body from elsewhere and zero padding, and [`Key::open_relocated`] is its counterpart.
//!
//! The nonce is WireGuard's and that of the Noise protocol: four zero bytes, then the counter as
//! eight little-endian bytes (the paper, section 5.4.6). A counter must never be sealed twice under
//! one key; that is the caller's duty.
//!
//! [`Backend`] says which implementation is at work. A key that nobody has forced leaves batches to
//! aws-lc-rs for which that is faster.
//!
//! # What is claimed, and what is not
//!
//! - The output is that of RFC 8439, whichever implementation makes it: its vectors, those of
//!   Wycheproof and a comparison with aws-lc-rs over lengths, batches, mixtures and places are
//!   tests, on all implementations that the processor at hand can run. Those that it cannot run are
//!   named in the output of the tests.
//! - No branch and no address depends on a key, a plaintext or an authenticator. Numbers, lengths,
//!   places and counters of packets are public, and so is, afterwards, which packet did not
//!   authenticate. Authenticators are compared as a whole. For aws-lc-rs its own promises hold.
//! - A packet that does not authenticate leaves zeros, and is not decrypted before it has been
//!   authenticated, unless aws-lc-rs does it, which zeroes it afterwards.
//! - A key is overwritten when it is dropped, and one-time keys after their batch. Copies in
//!   registers and on the stack, keystream among them, are not.
//! - Constant time is a property of the source. The compiler could undo it; `--dudect` of the bench
//!   measures whether times differ, which can refute and not prove. Nothing is claimed against other
//!   side channels than time (power, emission, speculation), nor in case of a counter used twice.
//! - Nobody has audited this code.
//!
//! # Example
//!
//! ```
//! use hushwire_aead::{Key, Packet, TAG_LEN};
//!
//! let key = Key::new(&[7; 32]);
//! let mut buffer = *b"first----------------second----------------";
//! let sent = [
//!     Packet { start: 0, len: 5, counter: 0 },
//!     Packet { start: 21, len: 6, counter: 1 },
//! ];
//! key.seal_batch(&mut buffer, &sent)?;
//!
//! buffer[21] ^= 1; // damage the second packet on its way
//! let received = sent.map(|packet| Packet { len: packet.len + TAG_LEN, ..packet });
//! let mut verdicts = [false; 2];
//! key.open_batch(&mut buffer, &received, &mut verdicts)?;
//! assert_eq!(verdicts, [true, false]);
//! assert_eq!(&buffer[..5], b"first");
//! assert_eq!(&buffer[21..43], &[0; 22]);
//! # Ok::<(), hushwire_aead::LayoutError>(())
//! ```

mod aws;
mod backend;
mod batch;
mod between;
mod chacha20;
mod choice;
mod compose;
mod in_place;
mod kernel;
mod key;
mod layout;
mod lines;
mod poly1305;

#[cfg(test)]
mod known_answers;

pub use backend::{BACKEND_VARIABLE, Backend, Selection};
pub use compose::{AsRelocated, Compose, Composed, Relocated, Slots};
pub use key::{Key, TooLong, Unauthenticated};
pub use layout::{AsPacket, LayoutError, Packet};

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;

/// Length of the authenticator that follows each ciphertext, in bytes.
pub const TAG_LEN: usize = 16;

/// Length of a nonce in bytes.
const NONCE_LEN: usize = 12;

/// Longest plaintext under one nonce, in bytes: 2^32 - 1 blocks of 64 (RFC 8439, section 2.8).
pub const PLAINTEXT_LEN_MAX: u64 = ((1 << 32) - 1) * 64;
