//! The four messages on the wire (the paper, section 5.4): checked parsing and building.
//!
//! All numbers are little-endian. The type is one byte and is followed by three reserved bytes,
//! which must be zero. Parsing looks at nothing but type and length; whatever a message claims is
//! proved elsewhere.

use core::fmt;

use crate::crypto::{KEY_LEN, TAG_LEN, XNONCE_LEN};
use crate::tai64n::TAI64N_LEN;

/// Length of a handshake initiation, in bytes.
pub const INITIATION_SIZE: usize = 148;

/// Length of a handshake response, in bytes.
pub const RESPONSE_SIZE: usize = 92;

/// Length of a cookie reply, in bytes.
pub const COOKIE_REPLY_SIZE: usize = 64;

/// Length of what precedes the sealed packet in transport data, in bytes.
pub const DATA_HEADER_SIZE: usize = 16;

/// Length of an authenticator at the end of transport data, in bytes.
pub const TAG_SIZE: usize = TAG_LEN;

/// Length of transport data that carries an empty packet, a keepalive: the least there is.
pub const DATA_SIZE_MIN: usize = DATA_HEADER_SIZE + TAG_SIZE;

/// Length of a MAC in a handshake message, in bytes.
pub const MAC_SIZE: usize = TAG_LEN;

/// Length of the two MACs that end a handshake message, in bytes.
pub const MACS_SIZE: usize = 2 * MAC_SIZE;

const TYPE_INITIATION: [u8; 4] = [1, 0, 0, 0];
const TYPE_RESPONSE: [u8; 4] = [2, 0, 0, 0];
const TYPE_COOKIE_REPLY: [u8; 4] = [3, 0, 0, 0];
const TYPE_DATA: [u8; 4] = [4, 0, 0, 0];

/// A sealed field: its ciphertext and its authenticator, which follows it.
pub type Sealed<'a, const N: usize> = (&'a [u8; N], &'a [u8; TAG_LEN]);

/// A datagram of a form that the protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The first message of a handshake.
    Initiation(Initiation<'a>),
    /// The second message of a handshake.
    Response(Response<'a>),
    /// The answer of a responder under load.
    CookieReply(CookieReply<'a>),
    /// A sealed packet.
    Data(Data<'a>),
}

impl<'a> Message<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// When it is none of the four messages.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, body) = datagram.split_first_chunk().ok_or(Malformed::TooShort)?;
        let message = match *kind {
            TYPE_INITIATION => Initiation::parse(datagram).map(Self::Initiation),
            TYPE_RESPONSE => Response::parse(datagram).map(Self::Response),
            TYPE_COOKIE_REPLY => CookieReply::parse(body).map(Self::CookieReply),
            TYPE_DATA => Data::parse(body).map(Self::Data),
            kind => return Err(Malformed::UnknownType { kind }),
        };
        message.ok_or(Malformed::WrongLength {
            kind: kind[0],
            len: datagram.len(),
        })
    }
}

/// A datagram that is no message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There are fewer than the four bytes of a type.
    TooShort,
    /// The first four bytes are not a type followed by three zeros.
    UnknownType {
        /// These bytes.
        kind: [u8; 4],
    },
    /// The length is not one that a message of the type has.
    WrongLength {
        /// The type, 1 to 4.
        kind: u8,
        /// Length of the datagram in bytes.
        len: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("the datagram is too short for any message"),
            Self::UnknownType { kind } => {
                write!(f, "no message begins with the bytes {kind:02x?}")
            }
            Self::WrongLength { kind, len } => {
                write!(f, "a message of type {kind} cannot be {len} bytes long")
            }
        }
    }
}

impl core::error::Error for Malformed {}

/// The two MACs of a handshake message, with what they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs<'a> {
    /// The message up to the first MAC, which is over this; the second is over this and the first.
    pub covered: &'a [u8],
    /// Proves that the sender knows the receiver's public key.
    pub mac1: &'a [u8; MAC_SIZE],
    /// Proves that the sender has a cookie of the receiver, or zeros.
    pub mac2: &'a [u8; MAC_SIZE],
}

impl<'a> Macs<'a> {
    /// Splits a handshake message into MACs, what they are over, and the fields behind the type.
    fn split(datagram: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (rest, mac2) = datagram.split_last_chunk()?;
        let (covered, mac1) = rest.split_last_chunk()?;
        let (_kind, fields) = covered.split_first_chunk::<4>()?;
        let macs = Self {
            covered,
            mac1,
            mac2,
        };
        Some((fields, macs))
    }
}

/// The first message of a handshake (the paper, section 5.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initiation<'a> {
    /// What the initiator wants to be called.
    pub sender: u32,
    /// The initiator's ephemeral public value.
    pub ephemeral: &'a [u8; KEY_LEN],
    /// The initiator's static public key, sealed.
    pub encrypted_static: Sealed<'a, KEY_LEN>,
    /// The time, sealed.
    pub encrypted_timestamp: Sealed<'a, TAI64N_LEN>,
    /// The MACs.
    pub macs: Macs<'a>,
}

impl<'a> Initiation<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (fields, macs) = Macs::split(datagram)?;
        let (sender, fields) = fields.split_first_chunk()?;
        let (ephemeral, fields) = fields.split_first_chunk()?;
        let (encrypted_static, fields) = split_sealed(fields)?;
        let (encrypted_timestamp, []) = split_sealed(fields)? else {
            return None;
        };
        Some(Self {
            sender: u32::from_le_bytes(*sender),
            ephemeral,
            encrypted_static,
            encrypted_timestamp,
            macs,
        })
    }

    /// A message with these fields and both MACs zero.
    #[must_use]
    pub fn build(
        sender: u32,
        ephemeral: &[u8; KEY_LEN],
        encrypted_static: Sealed<'_, KEY_LEN>,
        encrypted_timestamp: Sealed<'_, TAI64N_LEN>,
    ) -> [u8; INITIATION_SIZE] {
        concat(&[
            &TYPE_INITIATION,
            &sender.to_le_bytes(),
            ephemeral,
            encrypted_static.0,
            encrypted_static.1,
            encrypted_timestamp.0,
            encrypted_timestamp.1,
            &[0; MACS_SIZE],
        ])
    }
}

/// The second message of a handshake (the paper, section 5.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// What the responder wants to be called.
    pub sender: u32,
    /// What the initiator wanted to be called.
    pub receiver: u32,
    /// The responder's ephemeral public value.
    pub ephemeral: &'a [u8; KEY_LEN],
    /// Nothing, sealed.
    pub encrypted_nothing: &'a [u8; TAG_LEN],
    /// The MACs.
    pub macs: Macs<'a>,
}

impl<'a> Response<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (fields, macs) = Macs::split(datagram)?;
        let (sender, fields) = fields.split_first_chunk()?;
        let (receiver, fields) = fields.split_first_chunk()?;
        let (ephemeral, fields) = fields.split_first_chunk()?;
        Some(Self {
            sender: u32::from_le_bytes(*sender),
            receiver: u32::from_le_bytes(*receiver),
            ephemeral,
            encrypted_nothing: fields.try_into().ok()?,
            macs,
        })
    }

    /// A message with these fields and both MACs zero.
    #[must_use]
    pub fn build(
        sender: u32,
        receiver: u32,
        ephemeral: &[u8; KEY_LEN],
        encrypted_nothing: &[u8; TAG_LEN],
    ) -> [u8; RESPONSE_SIZE] {
        concat(&[
            &TYPE_RESPONSE,
            &sender.to_le_bytes(),
            &receiver.to_le_bytes(),
            ephemeral,
            encrypted_nothing,
            &[0; MACS_SIZE],
        ])
    }
}

/// The answer of a responder under load (the paper, section 5.4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieReply<'a> {
    /// What the sender of the answered message wanted to be called.
    pub receiver: u32,
    /// A random nonce.
    pub nonce: &'a [u8; XNONCE_LEN],
    /// The cookie, sealed.
    pub encrypted_cookie: Sealed<'a, MAC_SIZE>,
}

impl<'a> CookieReply<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let (receiver, body) = body.split_first_chunk()?;
        let (nonce, body) = body.split_first_chunk()?;
        let (encrypted_cookie, []) = split_sealed(body)? else {
            return None;
        };
        Some(Self {
            receiver: u32::from_le_bytes(*receiver),
            nonce,
            encrypted_cookie,
        })
    }

    /// A message with these fields.
    #[must_use]
    pub fn build(
        receiver: u32,
        nonce: &[u8; XNONCE_LEN],
        encrypted_cookie: Sealed<'_, MAC_SIZE>,
    ) -> [u8; COOKIE_REPLY_SIZE] {
        concat(&[
            &TYPE_COOKIE_REPLY,
            &receiver.to_le_bytes(),
            nonce,
            encrypted_cookie.0,
            encrypted_cookie.1,
        ])
    }
}

/// A sealed packet (the paper, section 5.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// What the receiver wanted to be called.
    pub receiver: u32,
    /// Counter of the nonce.
    pub counter: u64,
    /// The padded packet and its authenticator, at least 16 bytes.
    pub sealed: &'a [u8],
}

impl<'a> Data<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let (receiver, body) = body.split_first_chunk()?;
        let (counter, sealed) = body.split_first_chunk()?;
        (sealed.len() >= TAG_SIZE).then_some(Self {
            receiver: u32::from_le_bytes(*receiver),
            counter: u64::from_le_bytes(*counter),
            sealed,
        })
    }
}

/// Receiver and counter of transport data; `None` for anything else.
#[must_use]
pub fn parse_data(datagram: &[u8]) -> Option<(u32, u64)> {
    let body = datagram.strip_prefix(&TYPE_DATA)?;
    let data = Data::parse(body)?;
    Some((data.receiver, data.counter))
}

/// Writes the header of transport data into the first [`DATA_HEADER_SIZE`] bytes. A shorter buffer,
/// which could not hold the packet either, is left as it is.
pub fn write_data_header(datagram: &mut [u8], receiver: u32, counter: u64) {
    if let Some(header) = datagram.first_chunk_mut::<DATA_HEADER_SIZE>() {
        header[..4].copy_from_slice(&TYPE_DATA);
        header[4..8].copy_from_slice(&receiver.to_le_bytes());
        header[8..].copy_from_slice(&counter.to_le_bytes());
    }
}

fn split_sealed<const N: usize>(bytes: &[u8]) -> Option<(Sealed<'_, N>, &[u8])> {
    let (ciphertext, bytes) = bytes.split_first_chunk()?;
    let (tag, rest) = bytes.split_first_chunk()?;
    Some(((ciphertext, tag), rest))
}

/// The parts one after the other; their lengths add up to `N`.
fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N);
    let mut whole = [0; N];
    let bytes = parts.iter().copied().flatten();
    whole
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    whole
}

#[cfg(test)]
mod tests;
