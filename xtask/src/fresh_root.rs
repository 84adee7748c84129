//! A fresh system in an archive, for the tests of the package and of name servers: the release that runs here, because
//! the programs are built for its C library.

use std::fs;
use std::path::Path;

use crate::apt::{self, Source};
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{as_root, run};
use crate::stamp::Stamp;

/// What the package has to live beside, what reads its units, and a resolver for the tests of name servers.
const INCLUDED: &str = "systemd,wireguard-tools,systemd-resolved,dbus";
const WHAT_FOR: &str = "make a fresh root folder with debootstrap";

/// Puts it into `target/peers/fresh-root.tar`; one that is there stays.
pub(crate) fn install(paths: &Paths) -> Result<()> {
    let archive = paths.peers().join("fresh-root.tar");
    let release = release()?;
    let stamp = Stamp::new(paths, "fresh-root", format!("{release} {INCLUDED}"));
    if stamp.is_fresh(&archive) {
        return Ok(());
    }
    let mirror = apt::mirror(&release).ok_or_else(|| {
        Error::Machine(format!(
            "the apt sources of this system name no mirror with section main of its release {release}: add one to \
             /etc/apt/sources.list.d"
        ))
    })?;
    let folder = paths.peers().join("fresh-root");
    let made = remove(&folder)
        .and_then(|()| make(&release, &mirror, &folder))
        .and_then(|()| pack(&folder, &archive));
    remove(&folder)?;
    made?;
    stamp.write()
}

fn make(release: &str, mirror: &Source, folder: &Path) -> Result<()> {
    let mut command = as_root("debootstrap", WHAT_FOR)?;
    command.args(["--variant=minbase", &format!("--include={INCLUDED}")]);
    if let Some(key) = mirror.signed_by.as_ref().filter(|key| key.starts_with('/')) {
        command.arg(format!("--keyring={key}"));
    }
    run(command.arg(release).arg(folder).arg(&mirror.uri))
}

/// Without what was downloaded, but for the one package that the tests install again.
fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let downloads = folder.join("var/cache/apt/archives");
    run(as_root("find", WHAT_FOR)?.arg(downloads).args([
        "-name",
        "*.deb",
        "!",
        "-name",
        "wireguard-tools_*",
        "-delete",
    ]))?;
    run(as_root("tar", WHAT_FOR)?
        .args(["--numeric-owner", "-cf"])
        .arg(archive)
        .arg("-C")
        .arg(folder)
        .arg("."))
}

fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    run(as_root("rm", WHAT_FOR)?
        .args(["-rf", "--one-file-system"])
        .arg(folder))
}

/// The release's name: os-release(5).
fn release() -> Result<String> {
    let file = Path::new("/etc/os-release");
    let text = fs::read_to_string(file).map_err(Error::file("read", file))?;
    codename(&text).ok_or_else(|| {
        Error::Machine(
            "/etc/os-release has no VERSION_CODENAME: the tests need a release of Debian or Ubuntu"
                .to_owned(),
        )
    })
}

fn codename(text: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_code_name() {
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(),
            Some("bookworm")
        );
        assert_eq!(
            codename("VERSION_CODENAME=\"noble\"\n").as_deref(),
            Some("noble")
        );
        for none in ["", "ID=arch\n", "VERSION_CODENAME=\n"] {
            assert_eq!(codename(none), None, "{none}");
        }
    }
}
