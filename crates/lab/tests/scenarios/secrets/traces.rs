//! Traces of a key: the whole of it, and parts, in every form in which it is written.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Bytes of a key in a part: what a register holds.
const PART: usize = 8;

/// A key to be looked for.
#[derive(Clone, Copy)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

/// What was found of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// The key as it is.
    pub(crate) whole: usize,
    /// Eight bytes of it that are not in a whole one.
    pub(crate) parts: usize,
    /// Parts of its hexadecimal and Base64 forms.
    pub(crate) texts: usize,
}

/// A key that is nowhere.
pub(crate) const NOWHERE: Traces = Traces {
    whole: 0,
    parts: 0,
    texts: 0,
};

/// So many whole keys, and nothing else of it.
pub(crate) const fn whole(count: usize) -> Traces {
    Traces {
        whole: count,
        ..NOWHERE
    }
}

impl Secret {
    pub(crate) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn parts(&self) -> impl Iterator<Item = [u8; PART]> {
        self.0.chunks(PART).map(|part| part.try_into().unwrap())
    }

    /// Eight characters each, of the written forms.
    fn texts(&self) -> Vec<[u8; PART]> {
        let hex = self.hex();
        let base64 = base64(&self.0);
        let forms = [hex.to_uppercase(), hex, base64];
        let pieces = forms.iter().flat_map(|form| form.as_bytes().chunks(PART));
        pieces.filter_map(|piece| piece.try_into().ok()).collect()
    }

    /// Looks through the memory of a process.
    pub(crate) fn in_memory(&self, pid: u32) -> Traces {
        self.in_all(&memory(pid))
    }

    /// Looks through a text.
    pub(crate) fn in_text(&self, text: &str) -> Traces {
        self.in_all(&[text.as_bytes().to_vec()])
    }

    fn in_all(&self, regions: &[Vec<u8>]) -> Traces {
        let parts: Vec<_> = self.parts().collect();
        let texts = self.texts();
        // Most places are ruled out by their first two bytes.
        let mut starts = vec![false; 1 << 16];
        for [first, second, ..] in parts.iter().chain(&texts) {
            starts[usize::from(u16::from_le_bytes([*first, *second]))] = true;
        }
        let mut traces = NOWHERE;
        for region in regions {
            for (at, window) in region.windows(PART).enumerate() {
                if !starts[usize::from(u16::from_le_bytes([window[0], window[1]]))] {
                    continue;
                }
                traces.parts += usize::from(parts.iter().any(|part| part == window));
                traces.texts += usize::from(texts.iter().any(|part| part == window));
                let is_whole = region.get(at..at + self.0.len()) == Some(&self.0);
                traces.whole += usize::from(is_whole);
            }
        }
        traces.parts -= traces.whole * parts.len();
        traces
    }
}

/// All of a process's memory that can be read.
fn memory(pid: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let regions = maps.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        if !fields.next()?.starts_with('r') {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // The kernel's own pages cannot be read.
        memory.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    });
    let regions: Vec<_> = regions.collect();
    let total: usize = regions.iter().map(Vec::len).sum();
    assert!(total > 1 << 20, "only {total} bytes of memory");
    regions
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or_default())
        });
        for shift in [18, 12, 6, 0] {
            text.push(char::from(DIGITS[(bits >> shift & 63) as usize]));
        }
    }
    text
}

#[test]
fn traces_are_found_where_they_are() {
    let key = Secret(std::array::from_fn(|at| at as u8 * 7 + 1));
    let mut text = b"..".to_vec();
    text.extend(key.0);
    text.extend(&key.0[..20]);
    assert_eq!(
        key.in_all(&[text, b"x".to_vec()]),
        Traces {
            whole: 1,
            parts: 2,
            texts: 0
        }
    );
    assert_eq!(key.in_text(&key.hex()).texts, 8);
    assert_eq!(key.in_text(&base64(&key.0)).texts, 5);
    assert_eq!(key.in_text("nothing"), NOWHERE);
    let own = key.in_memory(std::process::id());
    assert!(own.whole > 0, "{own:?}");
}
