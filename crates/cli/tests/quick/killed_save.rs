//! A save that is killed at any of its steps: the old file is there, or the new one, whole and its owner's only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hushwire_lab::require_tools;

use crate::common::{HUSHWIRE, PRIVATE_KEY};
use crate::state::World;

/// The system calls that change files, and what opens them, by themselves: strace counts each of them anew. One that a
/// system does not have is no step.
const CALLS: [&str; 7] = [
    "?open,openat",
    "?unlink",
    "unlinkat",
    "write",
    "fsync",
    "?rename,renameat,renameat2",
    "?chmod,fchmod,fchmodat",
];

/// Saves, and is killed when it comes to a call for the `step`th time, before it is done. Whether it came so far.
fn save_killed_at(world: &World, file: &Path, calls: &str, step: u32) -> bool {
    let inject = format!("inject={calls}:signal=KILL:when={step}");
    let words = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &inject,
        HUSHWIRE,
        "save",
    ];
    let (code, said) = world.run(&words, file);
    // strace ends as the program did.
    assert!(
        matches!(code, 0 | -1 | 137),
        "{calls} {step}: {code} {said}"
    );
    code != 0
}

#[test]
fn the_file_is_whole_whenever_a_save_is_killed() {
    require_tools(&["strace"]).unwrap();
    let world = World::new();
    let text = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n# old\n");
    let file = world.write("wgs.conf", &text);
    let (code, said) = world.hushwire("up", &file);
    assert_eq!(code, 0, "{said}");
    let read = || fs::read_to_string(&file).unwrap();
    let mode = |name: &str| {
        let found = fs::metadata(world.path(name));
        found.map_or(0, |found| found.permissions().mode() & 0o777)
    };
    let mut kills = Vec::new();
    for calls in CALLS {
        let mut step = 1;
        loop {
            world.write("wgs.conf", &text);
            if !save_killed_at(&world, &file, calls, step) {
                break;
            }
            let found = read();
            // The old one, or the new one from its first line to its last.
            let is_new = found.starts_with("[Interface]\nAddress = 10.7.0.1/24\n")
                && found.ends_with(&format!("PrivateKey = {PRIVATE_KEY}\n"));
            assert!(found == text || is_new, "{calls} {step}: {found}");
            assert_eq!(mode("wgs.conf"), 0o600, "{calls} {step}");
            assert!(matches!(mode("wgs.conf.tmp"), 0 | 0o600), "{calls} {step}");
            kills.push(calls);
            step += 1;
        }
    }
    // It came to its end at last, in spite of what the others had left, and has left nothing itself.
    assert!(!read().contains("# old"), "{}", read());
    assert!(!world.path("wgs.conf.tmp").exists());
    for calls in [
        "?open,openat",
        "write",
        "fsync",
        "?rename,renameat,renameat2",
    ] {
        assert!(kills.contains(&calls), "never killed at {calls}: {kills:?}");
    }
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
}
