//! Where the bytes of a batch are: the view of the caller's buffers that the kernels have.

use crate::TAG_LEN;
use crate::chacha20::Lanes;

/// A nonce as the three little-endian words of the ChaCha20 state.
pub(crate) type Nonce = [u32; 3];

/// Bytes that consecutive blocks of keystream turn into ciphertext or plaintext: lines of 64, the
/// last of which may be shorter.
pub(crate) struct Span<'a> {
    /// What is encrypted or decrypted, as long as the target; nothing if it is in the target.
    pub(crate) source: Option<&'a [u8]>,
    /// Where the result goes.
    pub(crate) target: &'a mut [u8],
}

/// What a kernel is to encrypt or decrypt, some blocks at a time.
pub(crate) trait Stream {
    /// The first and the last word of all nonces.
    fn nonce(&self) -> [u32; 2];

    /// The next blocks to make. `false` when there are none left.
    fn fill<const N: usize>(&mut self, lanes: &mut Lanes<N>) -> bool;

    /// The lines of blocks `first` to `first + count - 1` of a member of the group, or only some at
    /// the beginning of these, but one at least.
    fn span(&mut self, member: usize, first: u32, count: usize) -> Span<'_>;
}

/// The packets of a batch.
pub(crate) trait Packets {
    /// How many there are.
    fn count(&self) -> usize;
    /// The nonce of a packet.
    fn nonce(&self, packet: usize) -> Nonce;
    /// Bytes of text, without authenticator; `None` if there is no room for an authenticator.
    fn text_len(&self, packet: usize) -> Option<usize>;
    /// The lines of the text that begin at an offset, a multiple of 64 below the length: `count`
    /// of them, or as many as there are, or only some at the beginning, but one at least.
    fn span(&mut self, packet: usize, offset: usize, count: usize) -> Span<'_>;
    /// The ciphertext: what was made of the text, or the text that is to be opened.
    fn ciphertext(&self, packet: usize) -> &[u8];
    /// Called once for each packet before its text is asked for.
    fn prepare(&mut self, _packet: usize) {}
}

/// Packets to be sealed.
pub(crate) trait Seal: Packets {
    /// Puts the authenticator into its place.
    fn put_tag(&mut self, packet: usize, tag: [u8; TAG_LEN]);
}

/// Packets to be opened.
pub(crate) trait Open: Packets {
    /// The authenticator that came with the packet.
    fn tag(&self, packet: usize) -> [u8; TAG_LEN];
    /// Accepts a packet, the text of which is about to be decrypted, or leaves zeros in its place.
    fn judge(&mut self, packet: usize, authentic: bool);
}

/// Four zero bytes and the counter, little-endian (the paper, section 5.4.6).
#[inline(always)]
pub(crate) const fn nonce(counter: u64) -> Nonce {
    [0, counter as u32, (counter >> 32) as u32]
}
