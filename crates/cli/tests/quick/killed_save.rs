//! A save that is killed at any of its steps: the old file is there, or the new one, whole and its owner's only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hushwire_lab::require_tools;

use crate::common::{HUSHWIRE, PRIVATE_KEY};
use crate::state::World;

/// The system calls that change files, and what opens them. One that a system does not have is no step.
const STEPS: &str =
    "?unlink,unlinkat,?open,openat,write,fsync,?rename,renameat,renameat2,?chmod,fchmod,fchmodat";

/// Saves, and is killed when it comes to that step, counted from 1. Whether it came so far.
fn save_killed_at(world: &World, file: &Path, step: u32) -> bool {
    let inject = format!("inject={STEPS}:signal=KILL:when={step}");
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
    assert!(matches!(code, 0 | -1 | 137), "step {step}: {code} {said}");
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
    let (mut step, mut olds, mut news) = (1, 0, 0);
    loop {
        world.write("wgs.conf", &text);
        if !save_killed_at(&world, &file, step) {
            break;
        }
        let found = read();
        if found == text {
            olds += 1;
        } else {
            // The new one, from its first line to its last.
            assert!(
                found.starts_with("[Interface]\nAddress = 10.7.0.1/24\n"),
                "step {step}: {found}"
            );
            assert!(
                found.ends_with(&format!("PrivateKey = {PRIVATE_KEY}\n")),
                "step {step}: {found}"
            );
            news += 1;
        }
        let others = |name: &str| {
            let path = world.path(name);
            fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777)
        };
        assert_eq!(others("wgs.conf"), 0o600, "step {step}");
        assert!(matches!(others("wgs.conf.tmp"), 0 | 0o600), "step {step}");
        step += 1;
    }
    // It came to its end at last, in spite of what the others had left, and has left nothing itself.
    assert!(!read().contains("# old"), "{}", read());
    assert!(!world.path("wgs.conf.tmp").exists());
    assert!(
        olds > 3 && step > 5,
        "{olds} old and {news} new files in {step} steps"
    );
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
}
