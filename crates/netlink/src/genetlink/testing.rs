//! A kernel that says what it is told to.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::{NLMSG_DONE, NLMSG_ERROR, Wire};
use crate::attribute::Writer;

/// A message to be said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    /// That of the request, if none.
    pub(crate) sequence: Option<u32>,
    pub(crate) payload: Vec<u8>,
}

/// Answers each request, or each try to receive more, with the next datagram of a list.
#[derive(Debug)]
pub(crate) struct Script {
    datagrams: VecDeque<Vec<Said>>,
    pub(crate) sent: Vec<Vec<u8>>,
}

impl Script {
    pub(crate) fn new(datagrams: impl IntoIterator<Item = Vec<Said>>) -> Self {
        Self {
            datagrams: datagrams.into_iter().collect(),
            sent: Vec::new(),
        }
    }

    /// Whether everything has been said.
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}

impl Wire for Script {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.sent.push(message.to_vec());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        let datagram = self.datagrams.pop_front().ok_or(io::ErrorKind::TimedOut)?;
        let request = self.sent.last().map_or([0; 4], |sent| {
            sent[8..12].try_into().expect("a sequence number")
        });
        let mut bytes = Vec::new();
        for said in datagram {
            said.append_to(&mut bytes, u32::from_ne_bytes(request));
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Said {
    fn new(kind: u16, payload: Vec<u8>) -> Self {
        Self {
            kind,
            flags: 0,
            sequence: None,
            payload,
        }
    }

    fn append_to(self, bytes: &mut Vec<u8>, request: u32) {
        let length = 16 + self.payload.len() as u32;
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(self.sequence.unwrap_or(request).to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
}

/// A message about an object.
pub(crate) fn reply(attributes: &[(u16, &[u8])]) -> Said {
    let mut writer = Writer::new(1 << 15);
    // The length of the whole goes into the first four bytes, which the family does not look at.
    writer.raw(&[0; 4]).expect("room");
    for (kind, value) in attributes {
        writer.attribute(*kind, value).expect("room");
    }
    reply_bytes(writer.finish().to_vec())
}

/// A message about an object, from its generic header on.
pub(crate) fn reply_bytes(payload: Vec<u8>) -> Said {
    Said::new(0x1f, payload)
}

pub(crate) fn error(code: i32) -> Said {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend([0; 16]);
    Said::new(NLMSG_ERROR, payload)
}

pub(crate) fn done(code: i32) -> Said {
    Said::new(NLMSG_DONE, code.to_ne_bytes().to_vec())
}
