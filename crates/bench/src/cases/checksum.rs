//! The Internet checksum.

use std::hint::black_box;

use hushwire_io::offload::Sum;

use crate::case::Case;

const SIZES: [usize; 3] = [60, 1420, 65_000];

pub(super) fn cases() -> Vec<Case> {
    let case = |size: usize| {
        let name = format!("checksum/{size}");
        let case = Case::new(name, move || {
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31) as u8).collect();
            move || {
                black_box(Sum::new().bytes(black_box(&bytes)).finish());
            }
        });
        case.bytes(size).counted(256)
    };
    SIZES.map(case).into()
}
