//! Every implementation of the batch cipher against aws-lc-rs: any batch, damaged anywhere, in place
//! and from one buffer into another.

use hushwire_aead::{Backend, Composed, Key, Packet, Relocated, TAG_LEN};

use crate::input::Input;

/// Most packets of a batch, and most bytes of a packet.
const PACKETS: usize = 40;
const TEXT_LEN: usize = 3000;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let batch = Batch::new(&mut input);
    let reference = batch.key(Backend::AwsLc);
    let mut sealed = batch.clear.clone();
    reference.seal_batch(&mut sealed, &batch.plain).unwrap();
    let mut damaged = sealed.clone();
    while let Some(at) = input.number() {
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= input.byte() | 1;
        }
    }
    let packets = batch.sealed();
    let mut opened = damaged.clone();
    let mut verdicts = vec![false; packets.len()];
    reference
        .open_batch(&mut opened, &packets, &mut verdicts)
        .unwrap();

    for backend in Backend::ALL {
        if !backend.is_supported() {
            continue;
        }
        let key = batch.key(backend);
        let mut buffer = batch.clear.clone();
        key.seal_batch(&mut buffer, &batch.plain).unwrap();
        assert!(buffer == sealed, "{backend}: sealed otherwise");
        batch.check_composed(&key, &sealed);

        let mut buffer = damaged.clone();
        let mut found = vec![true; packets.len()];
        key.open_batch(&mut buffer, &packets, &mut found).unwrap();
        assert_eq!(found, verdicts, "{backend}");
        assert!(buffer == opened, "{backend}: opened otherwise");
        batch.check_relocated(&key, &damaged, &opened, &verdicts);
    }
}

struct Batch {
    key: [u8; 32],
    clear: Vec<u8>,
    plain: Vec<Packet>,
    /// Bytes of each packet that are in their place already.
    heads: Vec<usize>,
}

impl Batch {
    fn new(input: &mut Input<'_>) -> Self {
        let mut batch = Self {
            key: [input.byte(); 32],
            clear: Vec::new(),
            plain: Vec::new(),
            heads: Vec::new(),
        };
        let base = u64::from(input.byte()) << 28;
        for _ in 0..usize::from(input.byte()) % PACKETS {
            let gap = usize::from(input.byte() % 70);
            let len = input.number().unwrap_or(0) % TEXT_LEN;
            let start = batch.clear.len() + gap;
            batch.plain.push(Packet {
                start,
                len,
                counter: base + u64::from(input.byte()),
            });
            batch.heads.push(usize::from(input.byte()).min(len));
            batch.clear.resize(start + len + TAG_LEN, input.byte());
        }
        batch.clear.push(0);
        batch
    }

    fn key(&self, backend: Backend) -> Key {
        Key::with_backend(&self.key, backend).unwrap()
    }

    fn sealed(&self) -> Vec<Packet> {
        let sealed = |packet: &Packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        };
        self.plain.iter().map(sealed).collect()
    }

    /// Bodies that are put into their places by the cipher make the same packets.
    fn check_composed(&self, key: &Key, sealed: &[u8]) {
        let mut buffer = self.clear.clone();
        let mut composed = Vec::new();
        for (packet, &head) in self.plain.iter().zip(&self.heads) {
            let body = packet.start + head..packet.start + packet.len;
            buffer[body.clone()].fill(0xa5);
            composed.push(Composed {
                start: packet.start,
                head,
                body: &self.clear[body],
                padding: 0,
                counter: packet.counter,
            });
        }
        key.seal_composed(&mut buffer, &composed[..]).unwrap();
        assert!(buffer == sealed, "{key:?}: composed otherwise");
    }

    fn check_relocated(&self, key: &Key, source: &[u8], opened: &[u8], verdicts: &[bool]) {
        let relocated = |packet: &Packet| Relocated {
            from: packet.start,
            len: packet.len + TAG_LEN,
            to: packet.start,
            counter: packet.counter,
        };
        let relocated: Vec<_> = self.plain.iter().map(relocated).collect();
        let mut buffer = vec![0x5a; source.len()];
        let mut found = vec![true; relocated.len()];
        key.open_relocated(source, &mut buffer, &relocated, &mut found)
            .unwrap();
        assert_eq!(found, verdicts, "{key:?}");
        for packet in &self.plain {
            let text = packet.start..packet.start + packet.len;
            assert!(buffer[text.clone()] == opened[text], "{key:?}: other text");
        }
    }
}
