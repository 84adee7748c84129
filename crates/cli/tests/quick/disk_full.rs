//! A configuration that is saved where there is no room left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::PRIVATE_KEY;
use crate::state::World;

/// A file system of one page, which the file takes.
fn one_page(world: &World) -> PathBuf {
    let folder = PathBuf::from("/run/small");
    world.host.run(|| fs::create_dir(&folder)).unwrap();
    let words = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=4k",
        "none",
        "/run/small",
    ];
    world.host.output(&words).unwrap();
    let file = folder.join("wgs.conf");
    let text = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n");
    world
        .host
        .run(|| {
            fs::write(&file, text)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
        })
        .unwrap();
    file
}

#[test]
fn the_old_file_stays_whole_and_a_later_save_works() {
    let world = World::new();
    let file = one_page(&world);
    let (code, said) = world.hushwire("up", &file);
    assert_eq!(code, 0, "{said}");
    let read = || world.host.run(|| fs::read_to_string(&file)).unwrap();
    let before = read();

    let (code, said) = world.hushwire("save", &file);
    assert_ne!(code, 0, "{said}");
    assert!(
        said.contains("Could not write configuration file"),
        "{said}"
    );
    assert_eq!(read(), before);
    let files = world
        .host
        .run(|| fs::read_dir("/run/small").unwrap().count());
    assert_eq!(files, 1, "nothing half-written is left");

    let words = ["mount", "-o", "remount,size=64k", "/run/small"];
    world.host.output(&words).unwrap();
    let (code, said) = world.hushwire("save", &file);
    assert_eq!(code, 0, "{said}");
    assert!(read().contains("ListenPort"), "{}", read());
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
}
