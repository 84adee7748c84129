//! The committed corpora through the fuzz targets: as they are, and changed a little.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hushwire_fuzz::{TARGETS, run};

/// Inputs made from a corpus, for each target.
const CHANGED: u32 = 500;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs of a target by file name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz_folder().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("an input"))
        })
        .collect();
    inputs.sort();
    inputs
}

fn replay(target: &str) {
    let inputs = corpus(target);
    assert!(!inputs.is_empty(), "{target} has no corpus");
    let mut random = Random(0x5eed);
    for (name, input) in &inputs {
        check(target, name, input);
    }
    for _ in 0..CHANGED {
        let (name, input) = &inputs[random.below(inputs.len())];
        let (_, other) = &inputs[random.below(inputs.len())];
        check(target, name, &random.change(input, other));
    }
}

/// Says which input it was: its bytes, to be put into a file for `cargo xtask fuzz`.
fn check(target: &str, name: &str, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(target, input)));
    assert!(outcome.is_ok(), "{target}, of {name}: {input:?}");
}

/// SplitMix64 from a seed: the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// An input with some bytes changed, put in, taken out, or taken from another.
    fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(changed.len() + 1);
            let random = self.next();
            match random % 4 {
                0 => changed.insert(at, (random >> 8) as u8),
                1 => changed.truncate(at),
                2 => {
                    let from = self.below(other.len() + 1);
                    changed.splice(at.., other[from..].iter().copied());
                }
                _ => {
                    if let Some(byte) = changed.get_mut(at) {
                        *byte ^= 1 << (random >> 8 & 7);
                    }
                }
            }
        }
        changed
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_has_its_test_and_its_program() {
            let tested = [$(stringify!($name)),*];
            let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested.as_slice(), known);
            let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).expect("a manifest");
            for name in known {
                let path = format!("fuzz_targets/{name}.rs");
                assert!(manifest.contains(&format!("path = \"{path}\"")), "{name}");
                let program = fs::read_to_string(fuzz_folder().join(path)).expect("a program");
                assert!(program.contains(&format!("run(\"{name}\"")), "{name}");
            }
        }
    };
}

targets!(
    aead,
    command_line,
    conf,
    datagram,
    netlink_reply,
    offload,
    tun_packet,
    uapi_set
);
