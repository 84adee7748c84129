//! `cargo xtask package`: the Debian package, by cargo-deb.
//!
//! What the package says of itself, and where its files come from, is in `[package.metadata.deb]` of `crates/cli`. Manual
//! pages, completion and units come out of the built program and out of `cargo xtask install`: they are laid out here
//! first, and then taken by cargo-deb, which builds nothing.

mod licences;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo_tool::CARGO_DEB;
use crate::error::{Error, Result};
use crate::install;
use crate::paths::Paths;
use crate::process::{output, run};

const NAME: &str = "hushwire";

/// Where things come from and go to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The folder of programs that are built already.
    binaries: Option<PathBuf>,
    /// Where the package goes.
    output: Option<PathBuf>,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Build the Debian package of hushwire and print its path. It installs beside
wireguard-tools, whose `wg` and `wg-quick` step aside until it is removed.
Needs dpkg-shlibdeps, gzip and strip (Debian: dpkg-dev, gzip, binutils), and
cargo-deb, which is installed into target/peers if it is not there; no privilege.

Usage: cargo xtask package [OPTIONS]

Options:
  --binaries DIR   Take the programs from here, instead of building them
  --output DIR     Put the package here [target/package]
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let place = match argument.as_str() {
                "--binaries" => &mut options.binaries,
                "--output" => &mut options.output,
                other => return Err(Error::Usage(format!("unexpected argument `{other}`"))),
            };
            let value = arguments.next().map(PathBuf::from);
            *place = Some(value.ok_or_else(|| Error::Usage(format!("{argument} needs a folder")))?);
        }
        Ok(options)
    }
}

/// Builds the package.
pub(crate) fn package(paths: &Paths, options: &Options) -> Result<()> {
    let cargo_deb = CARGO_DEB.install(paths)?;
    let folder = options.output.clone().unwrap_or_else(|| paths.package());
    make(&folder)?;
    // Where `[package.metadata.deb]` has it.
    let staging = paths.release("deb");
    remove(&staging)?;
    let built = lay_out(paths, options, &staging).and_then(|()| {
        let version = version(&dist(paths, "changelog")?)?;
        let mut command = Command::new(cargo_deb);
        command
            .current_dir(paths.root())
            .env("CARGO_TARGET_DIR", paths.target())
            .args(["--no-build", "--no-strip", "--locked", "--package", NAME])
            .args(["--deb-version", &version, "--output"])
            .arg(&folder);
        output(&mut command)
    });
    remove(&staging)?;
    print!("{}", String::from_utf8_lossy(&built?));
    Ok(())
}

/// Lays out all files of the package, in `root`, and the one about copyright beside it: cargo-deb makes one of its own
/// unless it is told of another by name.
fn lay_out(paths: &Paths, options: &Options, staging: &Path) -> Result<()> {
    let root = &staging.join("root");
    make(root)?;
    let layout = install::Options::for_package(root.to_owned(), options.binaries.clone());
    install::install(paths, &layout)?;
    to_debian_places(root)?;
    for program in install::BINARIES {
        // What debuggers want.
        let path = root.join("usr/bin").join(program);
        run(Command::new("strip").arg("--strip-unneeded").arg(path))?;
    }
    documents(paths, root)?;
    let copyright = dist(paths, "copyright")? + &licences::of_libraries(paths, NAME)?;
    let place = staging.join("copyright");
    fs::write(&place, copyright).map_err(Error::file("write", place))?;
    modes(staging)
}

/// Zsh of Debian's looks elsewhere than its makers have it.
fn to_debian_places(root: &Path) -> Result<()> {
    let zsh = root.join("usr/share/zsh");
    let from = zsh.join("site-functions");
    fs::rename(&from, zsh.join("vendor-completions")).map_err(Error::file("move", from))
}

/// What has to be in `/usr/share/doc`, and compressed: Debian Policy, 12.1 and 12.7. cargo-deb adds the package's own
/// changelog.
fn documents(paths: &Paths, root: &Path) -> Result<()> {
    let folder = root.join("usr/share/doc").join(NAME);
    make(&folder)?;
    for (from, name) in [
        ("CHANGELOG.md", "changelog"),
        ("DEPENDENCIES.md", "DEPENDENCIES.md"),
    ] {
        let from = paths.root().join(from);
        fs::copy(&from, folder.join(name)).map_err(Error::file("copy", from))?;
    }
    run(Command::new("gzip")
        .args(["-9nr"])
        .arg(folder.join("changelog"))
        .arg(root.join("usr/share/man")))
}

/// The version on top of a changelog, deb-changelog(5), which has to be that of the workspace.
fn version(changelog: &str) -> Result<String> {
    let version = changelog
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(version, _)| version);
    let upstream = version.rsplit_once('-').map_or(version, |(first, _)| first);
    if upstream == env!("CARGO_PKG_VERSION") {
        return Ok(version.to_owned());
    }
    Err(Error::Machine(format!(
        "dist/debian/changelog begins with version `{version}`, but this is {}: add an entry on top",
        env!("CARGO_PKG_VERSION")
    )))
}

/// Whatever the caller's umask is.
fn modes(folder: &Path) -> Result<()> {
    chmod(folder, 0o755)?;
    for path in entries(folder)? {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            modes(&path)?;
        } else {
            let is_program = folder.ends_with("usr/bin");
            chmod(&path, if is_program { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::file("list the folder", folder))?;
    entries
        .map(|entry| {
            Ok(entry
                .map_err(Error::file("list the folder", folder))?
                .path())
        })
        .collect()
}

fn dist(paths: &Paths, name: &str) -> Result<String> {
    let path = paths.root().join("dist/debian").join(name);
    fs::read_to_string(&path).map_err(Error::file("read", path))
}

fn chmod(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(Error::file("set the mode of", path))
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file("make", folder))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_folders() {
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        let options = Options::parse(&words("--binaries a --output b")).unwrap();
        assert_eq!(options.binaries.as_deref(), Some(Path::new("a")));
        assert_eq!(options.output.as_deref(), Some(Path::new("b")));
        for bad in ["--output", "--outptu x", "x"] {
            assert!(Options::parse(&words(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_changelog_is_of_this_version() {
        let line = format!(
            "hushwire ({}-3) unstable; urgency=low\n",
            env!("CARGO_PKG_VERSION")
        );
        let expected = format!("{}-3", env!("CARGO_PKG_VERSION"));
        assert_eq!(version(&line).unwrap(), expected);
        for bad in ["hushwire (0.0.0-1) unstable\n", "hushwire\n", ""] {
            assert!(version(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_steps_aside_comes_back() {
        let paths = Paths::new();
        let [aside, back] = ["preinst", "postrm"].map(|script| {
            let text = dist(&paths, script).unwrap();
            let list = text.split_once("diverted=\"").unwrap().1;
            list.split_once('"').unwrap().0.to_owned()
        });
        assert_eq!(aside, back);
        assert!(aside.contains("/usr/bin/wg-quick"), "{aside}");
    }
}
