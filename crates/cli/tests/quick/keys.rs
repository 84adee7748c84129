//! Keys that a file does not hold, but tells the place of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{HUSHWIRE, HUSHWIRED, LIMIT, OTHER_PRIVATE_KEY, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

/// A pre-shared key.
const PSK: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

/// A file with the private key in another file, and the pre-shared key from a command.
fn write(world: &World, settings: &str) -> PathBuf {
    world.write("wgp.key", PRIVATE_KEY);
    world.write("psk", &format!("{PSK}\n"));
    let peer = other_public_key();
    world.write(
        "wgp.conf",
        &format!(
            "[Interface]\nPrivateKeyFile = wgp.key\nAddress = 10.7.0.1/24\n{settings}\n\
             [Peer]\nPublicKey = {peer}\nPresharedKeyCommand = cat \"${{CONFIG_FILE%/*}}/psk\" # of %i\n\
             AllowedIPs = 10.7.0.2/32\n"
        ),
    )
}

fn succeed(world: &World, words: &[&str], file: &Path) -> String {
    let (code, said) = world.run(words, file);
    assert_eq!(code, 0, "{words:?}: {said}");
    assert_hidden(&said);
    said
}

#[track_caller]
fn assert_hidden(said: &str) {
    for key in [PRIVATE_KEY, PSK, OTHER_PRIVATE_KEY] {
        assert!(!said.contains(&key[..8]), "{said}");
    }
}

/// What the device has, by `wg showconf`.
fn keys(world: &World) -> Vec<String> {
    let words = [HUSHWIRE, "showconf", "wgp"];
    let shown = world.host.output(&words).unwrap().stdout;
    let lines = shown.lines().filter_map(|line| {
        let (name, key) = line.split_once(" = ")?;
        matches!(name, "PrivateKey" | "PresharedKey").then(|| key.to_owned())
    });
    lines.collect()
}

#[test]
fn an_interface_comes_up_with_them_and_a_reload_reads_them_again() {
    let world = World::new();
    let before = world.state();
    let file = write(&world, "");
    let said = succeed(&world, &[HUSHWIRE, "up", "--dry-run"], &file);
    assert!(said.is_empty(), "{said}");
    let rehearsal = world.host.command(&[HUSHWIRE, "up", "--dry-run"]);
    let told = told(&world, rehearsal, &file);
    for line in [
        "  PrivateKeyFile = wgp.key\n",
        "  PresharedKeyCommand = cat \"${CONFIG_FILE%/*}/psk\" # of %i\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert_eq!(difference(&before, &world.state()), "", "{told}");

    succeed(&world, &[HUSHWIRE, "up"], &file);
    assert_eq!(keys(&world), [PRIVATE_KEY, PSK]);
    let said = succeed(&world, &[HUSHWIRE, "reload"], &file);
    assert!(said.contains("is what its file says"), "{said}");
    world.write("psk", OTHER_PRIVATE_KEY);
    let rehearsal = world.host.command(&[HUSHWIRE, "reload", "--dry-run"]);
    let told = self::told(&world, rehearsal, &file);
    assert!(told.contains("is what its file says"), "{told}");
    let said = succeed(&world, &[HUSHWIRE, "reload"], &file);
    assert!(said.contains(": pre-shared key"), "{said}");
    assert_eq!(keys(&world), [PRIVATE_KEY, OTHER_PRIVATE_KEY]);
    // Down needs none of them.
    fs::remove_file(world.path("wgp.key")).unwrap();
    succeed(&world, &[HUSHWIRE, "down"], &file);
    assert_eq!(difference(&before, &world.state()), "");
}

/// What a command says on standard output.
fn told(world: &World, mut command: std::process::Command, file: &Path) -> String {
    command.arg(file).env("PATH", world.search_path());
    let mut process = world.host.spawn(command).unwrap();
    let status = process.wait(LIMIT).unwrap();
    let output = process.output();
    assert_eq!(status.code(), Some(0), "{output:?}");
    assert_hidden(&output.stdout);
    output.stdout
}

#[test]
fn the_name_wg_quick_knows_them_too_and_strip_puts_them_in() {
    let world = World::new();
    let before = world.state();
    let file = write(&world, "");
    std::os::unix::fs::symlink(HUSHWIRE, world.path("bin/wg-quick")).unwrap();
    let wg_quick = world.path("bin/wg-quick").to_string_lossy().into_owned();
    succeed(&world, &[&wg_quick, "up"], &file);
    assert_eq!(keys(&world), [PRIVATE_KEY, PSK]);
    let mut strip = world.host.command(&[&*wg_quick, "strip"]);
    let output = strip.arg(&file).output().unwrap();
    let stripped = String::from_utf8(output.stdout).unwrap();
    let peer = other_public_key();
    assert_eq!(
        stripped,
        format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\n\n[Peer]\nPublicKey = {peer}\n\
             PresharedKey = {PSK}\nAllowedIPs = 10.7.0.2/32\n\n"
        )
    );
    succeed(&world, &[&wg_quick, "down"], &file);
    assert_eq!(difference(&before, &world.state()), "");
}

#[test]
fn a_save_keeps_the_places_and_writes_no_key() {
    let world = World::new();
    let file = write(&world, "SaveConfig = true");
    let read = || fs::read_to_string(&file).unwrap();
    let expected = [
        "PrivateKeyFile = wgp.key\n",
        "PresharedKeyCommand = cat \"${CONFIG_FILE%/*}/psk\" # of %i\n",
    ];
    succeed(&world, &[HUSHWIRE, "up"], &file);
    for verb in ["save", "down"] {
        succeed(&world, &[HUSHWIRE, verb], &file);
        let saved = read();
        assert_hidden(&saved);
        for line in expected {
            assert_eq!(saved.matches(line).count(), 1, "{saved}");
        }
        assert!(saved.contains("ListenPort = "), "{saved}");
    }
    // What was saved can be brought up again.
    succeed(&world, &[HUSHWIRE, "up"], &file);
    assert_eq!(keys(&world), [PRIVATE_KEY, PSK]);
    // A peer that came later has its key in the file, as ever.
    let other = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    let psk = world.write("other", OTHER_PRIVATE_KEY);
    let words = ["set", "wgp", "peer", other, "preshared-key"];
    succeed(&world, &[&[HUSHWIRE][..], &words].concat(), &psk);
    let (code, said) = world.hushwire("save", &file);
    assert_eq!(code, 0, "{said}");
    let line = format!("PublicKey = {other}\nPresharedKey = {OTHER_PRIVATE_KEY}\n");
    assert!(read().contains(&line));
    // A file with mistakes does not tell which keys are not to be written.
    let broken = read().replacen("[Peer]", "PrivateKeyFile = b\n[Peer]", 1);
    fs::write(&file, &broken).unwrap();
    let (code, said) = world.hushwire("save", &file);
    assert!(code == 1 && said.contains("mend it, then save"), "{said}");
    assert_eq!(read(), broken);
    fs::write(&file, broken.replacen("PrivateKeyFile = b\n", "", 1)).unwrap();
    succeed(&world, &[HUSHWIRE, "down"], &file);
}

#[test]
fn without_a_key_nothing_is_touched() {
    let world = World::new();
    let before = world.state();
    let file = write(&world, "PreUp = touch $CONFIG_FILE.touched");
    let place = format!("{}:", file.display());
    let cases: [(&str, &str, &str); 4] = [
        (
            "wgp.key",
            "not there",
            "2:18: PrivateKeyFile: what is in it is no key",
        ),
        (
            "wgp.key",
            "",
            "2:18: PrivateKeyFile: there is nothing in it",
        ),
        (
            "psk",
            PSK,
            "7:23: PresharedKeyCommand: the command failed (exit status: 1)",
        ),
        (
            "psk",
            "half a key",
            "7:23: PresharedKeyCommand: what the command printed is no key",
        ),
    ];
    for (name, content, why) in cases {
        write(&world, "PreUp = touch $CONFIG_FILE.touched");
        world.write(name, content);
        if why.contains("failed") {
            fs::remove_file(world.path(name)).unwrap();
        }
        for verb in ["up", "run"] {
            let (code, said) = world.hushwire(verb, &file);
            assert_eq!(code, 1, "{verb}: {said}");
            assert!(said.contains(&format!("{place}{why}")), "{verb}: {said}");
            assert!(!said.contains("half"), "{verb}: {said}");
            assert_hidden(&said);
            assert_eq!(difference(&before, &world.state()), "", "{verb}: {said}");
        }
    }
    assert!(!world.path("wgp.conf.touched").exists());
}

#[test]
fn a_signal_ends_a_command_that_takes_its_time() {
    let world = World::new();
    let before = world.state();
    write(&world, "");
    let text = "[Interface]\nPrivateKeyCommand = kill -TERM $PPID; exec sleep 1000\n";
    let file = world.write("wgp.conf", text);
    let (code, said) = world.hushwire("up", &file);
    assert!(
        code == 1 && said.contains("PrivateKeyCommand: interrupted"),
        "{code} {said}"
    );
    assert_eq!(difference(&before, &world.state()), "", "{said}");
}

#[test]
fn a_device_is_configured_with_them() {
    let world = World::new();
    succeed(&world, &[HUSHWIRED], Path::new("wgp"));
    write(&world, "");
    let peer = other_public_key();
    let file = world.write(
        "for-wg.conf",
        &format!(
            "[Interface]\nPrivateKeyFile = wgp.key\n[Peer]\nPublicKey = {peer}\n\
             PresharedKeyFile = psk\n"
        ),
    );
    for verb in ["setconf", "syncconf", "addconf"] {
        succeed(&world, &[HUSHWIRE, verb, "wgp"], &file);
        assert_eq!(keys(&world), [PRIVATE_KEY, PSK], "{verb}");
        succeed(
            &world,
            &[HUSHWIRE, "setconf", "wgp"],
            Path::new("/dev/null"),
        );
        assert_eq!(keys(&world), [""; 0], "{verb}");
    }
    // wg(8) runs nothing that stands in a file; the other name does.
    let command = world.write(
        "cmd.conf",
        "[Interface]\nPrivateKeyCommand = cat ${CONFIG_FILE%/*}/%i.key\n",
    );
    std::os::unix::fs::symlink(HUSHWIRE, world.path("bin/wg")).unwrap();
    let wg = world.path("bin/wg").to_string_lossy().into_owned();
    let (code, said) = world.run(&[&wg, "setconf", "wgp"], &command);
    assert!(code == 1 && said.contains("wg runs no commands"), "{said}");
    assert_eq!(keys(&world), [""; 0]);
    succeed(&world, &[HUSHWIRE, "setconf", "wgp"], &command);
    assert_eq!(keys(&world), [PRIVATE_KEY]);
    succeed(&world, &[&wg, "setconf", "wgp"], &file);
    assert_eq!(keys(&world), [PRIVATE_KEY, PSK]);
}

#[test]
fn a_credential_is_what_systemd_has_put_into_its_folder() {
    let world = World::new();
    succeed(&world, &[HUSHWIRED], Path::new("wgp"));
    let file = world.write("c.conf", "[Interface]\nPrivateKeyCredential = wgp\n");
    fs::create_dir(world.path("credentials")).unwrap();
    world.write("credentials/wgp", &format!("{PRIVATE_KEY}\n"));
    let folder = format!(
        "CREDENTIALS_DIRECTORY={}",
        world.path("credentials").display()
    );
    let words = ["env", &folder, HUSHWIRE, "setconf", "wgp"];
    let said = succeed(&world, &words, &file);
    assert_eq!(said, "");
    assert_eq!(keys(&world), [PRIVATE_KEY]);
    let words = [
        "env",
        "-u",
        "CREDENTIALS_DIRECTORY",
        HUSHWIRE,
        "setconf",
        "wgp",
    ];
    let (code, said) = world.run(&words, &file);
    assert!(
        code == 1 && said.contains("LoadCredential=NAME:PATH"),
        "{said}"
    );
}

#[test]
fn a_key_file_that_all_can_read_is_warned_about() {
    let world = World::new();
    let file = write(&world, "");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(world.directory.path(), 0o755);
    open(&world.path("wgp.key"), 0o644);
    let said = succeed(&world, &[HUSHWIRE, "up"], &file);
    let warning = format!(
        "Warning: `{}' is world accessible\n",
        world.path("wgp.key").display()
    );
    assert!(said.contains(&warning), "{said}");
    succeed(&world, &[HUSHWIRE, "down"], &file);
}
