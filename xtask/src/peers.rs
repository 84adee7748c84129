//! Peers of other makes: the programs that hushwired is tested against and measured beside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::apt;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{cargo, run};
use crate::stamp::Stamp;

/// Where a peer's program comes from.
enum Origin {
    /// A Debian package of that suite; the wireguard-go of Debian 12 itself is too old to have offloads.
    Debian {
        package: &'static str,
        suite: &'static str,
    },
    /// A crate, built here with its own lock file.
    Crate {
        name: &'static str,
        version: &'static str,
    },
}

struct Peer {
    binary: &'static str,
    origin: Origin,
}

const PEERS: &[Peer] = &[
    Peer {
        binary: "wireguard-go",
        origin: Origin::Debian {
            package: "wireguard-go",
            suite: "bookworm-backports",
        },
    },
    Peer {
        binary: "boringtun-cli",
        origin: Origin::Crate {
            name: "boringtun-cli",
            version: "0.7.1",
        },
    },
    Peer {
        binary: "gotatun",
        origin: Origin::Crate {
            name: "gotatun-cli",
            version: "0.10.2",
        },
    },
];

/// Puts every peer into `target/peers/bin`; those that are there already in their pinned version stay.
pub(crate) fn install(paths: &Paths) -> Result<()> {
    let bin = paths.peers_bin();
    fs::create_dir_all(&bin).map_err(Error::file("make the folder", &bin))?;
    for peer in PEERS {
        let stamp = stamp(peer, paths);
        if stamp.is_fresh(&bin.join(peer.binary)) {
            continue;
        }
        eprintln!("installing {} from {}", peer.binary, stamp.wanted());
        match &peer.origin {
            Origin::Debian { package, suite } => from_debian(peer.binary, package, suite, paths)?,
            Origin::Crate { name, version } => from_crate(name, version, "release", paths)?,
        }
        stamp.write()?;
    }
    Ok(())
}

fn from_debian(binary: &str, package: &str, suite: &str, paths: &Paths) -> Result<()> {
    let work = paths.peers().join("apt");
    let unpacked = paths.peers().join("unpacked");
    let version = apt::extract_package(package, suite, &[], &work, &unpacked)?;
    let from = unpacked.join("usr/bin").join(binary);
    let to = paths.peers_bin().join(binary);
    fs::copy(&from, &to).map_err(Error::file("copy the program", from))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
        .map_err(Error::file("make executable", to))?;
    eprintln!("{binary} {version} is in place");
    Ok(())
}

/// Builds the program of a crate and puts it into `target/peers/bin`.
pub(crate) fn from_crate(name: &str, version: &str, profile: &str, paths: &Paths) -> Result<()> {
    run(cargo()
        // A folder of its own keeps a second build quick and the workspace's clean-up away from it.
        .env("CARGO_TARGET_DIR", paths.peers().join("build"))
        .args([
            "install",
            "--locked",
            "--force",
            "--version",
            version,
            "--profile",
            profile,
            name,
            "--root",
        ])
        .arg(paths.peers()))
}

fn stamp(peer: &Peer, paths: &Paths) -> Stamp {
    let wanted = match &peer.origin {
        Origin::Debian { package, suite } => format!("{package}/{suite}"),
        Origin::Crate { name, version } => format!("{name} {version}"),
    };
    Stamp::new(paths, peer.binary, wanted)
}
