//! One implementation with its buffers.

use std::time::{Duration, Instant};

use hushwire_aead::{Composed, Key, Packet, Relocated, TAG_LEN};

use crate::Subject;

const HEADER_LEN: usize = 16;
const ROUND: Duration = Duration::from_micros(150);

/// A batch.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes of plaintext of a packet.
    pub(crate) size: usize,
    pub(crate) batch: usize,
    /// The last packet is shorter.
    pub(crate) mixed: bool,
    /// From one buffer into another.
    pub(crate) copy: bool,
}

pub(crate) struct Run {
    key: Key,
    copy: bool,
    plain: Vec<Packet>,
    sealed: Vec<Packet>,
    relocated: Vec<Relocated>,
    clear: Vec<u8>,
    cipher: Vec<u8>,
    elsewhere: Vec<u8>,
    verdicts: Vec<bool>,
}

impl Run {
    pub(crate) fn new(subject: Subject, shape: Shape) -> Self {
        let stride = HEADER_LEN + shape.size + TAG_LEN;
        let key = [7; 32];
        let key = match subject {
            Subject::Backend(backend) => {
                Key::with_backend(&key, backend).expect("a supported backend")
            }
            Subject::Auto => Key::new(&key),
        };
        let plain: Vec<_> = (0..shape.batch)
            .map(|index| Packet {
                start: index * stride + HEADER_LEN,
                len: match shape.mixed && index + 1 == shape.batch {
                    true => shape.size / 7,
                    false => shape.size,
                },
                counter: index as u64,
            })
            .collect();
        let sealed = |packet: &Packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        };
        let relocated = |packet: &Packet| Relocated {
            from: packet.start,
            len: packet.len + TAG_LEN,
            to: packet.start,
            counter: packet.counter,
        };
        let clear = vec![0x55; shape.batch * stride];
        let mut cipher = clear.clone();
        key.seal_batch(&mut cipher, &plain).expect("a good layout");
        Self {
            key,
            copy: shape.copy,
            sealed: plain.iter().map(sealed).collect(),
            relocated: plain.iter().map(relocated).collect(),
            plain,
            elsewhere: clear.clone(),
            clear,
            cipher,
            verdicts: vec![false; shape.batch],
        }
    }

    /// Bytes of a batch.
    pub(crate) fn plaintext(&self) -> usize {
        self.plain.iter().map(|packet| packet.len).sum()
    }

    pub(crate) fn seal(&mut self) {
        if self.copy {
            return self.seal_copy();
        }
        let sealed = self.key.seal_batch(&mut self.clear, &self.plain);
        sealed.expect("a good layout");
    }

    fn seal_copy(&mut self) {
        let compose = |packet: &Packet| Composed {
            start: packet.start,
            head: 0,
            body: &self.elsewhere[packet.start..][..packet.len],
            padding: 0,
            counter: packet.counter,
        };
        let composed: Vec<_> = self.plain.iter().map(compose).collect();
        let sealed = self.key.seal_composed(&mut self.clear, &composed[..]);
        sealed.expect("a good layout");
    }

    /// Opens what it has to copy first, as opening destroys it; the copy is timed apart.
    pub(crate) fn open(&mut self) {
        let opened = if self.copy {
            let (source, buffer) = (&self.cipher, &mut self.elsewhere);
            self.key
                .open_relocated(source, buffer, &self.relocated, &mut self.verdicts)
        } else {
            self.key
                .open_batch(&mut self.clear, &self.sealed, &mut self.verdicts)
        };
        opened.expect("a good layout");
        assert!(self.verdicts.iter().all(|&good| good));
    }

    /// Seconds a call, over about one round.
    pub(crate) fn time(&mut self, what: fn(&mut Self)) -> f64 {
        let (mut calls, mut spent) = (0_u32, Duration::ZERO);
        while spent < ROUND {
            self.clear.copy_from_slice(&self.cipher);
            let start = Instant::now();
            what(self);
            spent += start.elapsed();
            calls += 1;
        }
        spent.as_secs_f64() / f64::from(calls)
    }
}
