//! `cargo xtask package`: the Debian package.
//!
//! It is put together here, with `dpkg-deb` from what `cargo xtask install` lays out, and not by cargo-deb: manual pages,
//! completion and units come out of the built program and that layout, so cargo-deb, which takes a fixed list of files,
//! would need the same preparation and be one more tool to build.

mod control;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::install;
use crate::paths::Paths;
use crate::process::{output, run};
use control::{Control, Needs};

const NAME: &str = "hushwire";
/// What dpkg calls on the way.
const SCRIPTS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];
/// Stands in the scripts for the files that wireguard-tools has too.
const DIVERTED: &str = "@diverted@";
/// These files, by their names in the package. Units have a second name on systems where `/lib` is `/usr/lib`, and dpkg
/// knows a file by the name that its package gave it.
const SHARED: [&str; 7] = [
    "/usr/bin/wg",
    "/usr/bin/wg-quick",
    "/usr/share/bash-completion/completions/wg",
    "/usr/lib/systemd/system/wg-quick@.service",
    "/usr/lib/systemd/system/wg-quick.target",
    "/lib/systemd/system/wg-quick@.service",
    "/lib/systemd/system/wg-quick.target",
];

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
Needs dpkg-deb, gzip and strip (Debian: dpkg, gzip, binutils); no privilege.

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
    let folder = options.output.clone().unwrap_or_else(|| paths.package());
    let root = folder.join("root");
    remove(&root)?;
    make(&root)?;
    let built = fill(paths, options, &root).and_then(|control| {
        let deb = folder.join(control.file_name(NAME));
        pack(&root, &deb).map(|()| deb)
    });
    remove(&root)?;
    println!("{}", built?.display());
    Ok(())
}

/// Lays out all files of the package, those about it as well.
fn fill(paths: &Paths, options: &Options, root: &Path) -> Result<Control> {
    let layout = install::Options::for_package(root.to_owned(), options.binaries.clone());
    install::install(paths, &layout)?;
    to_debian_places(root)?;
    let needs = strip_programs(root)?;
    documents(paths, root)?;
    run(Command::new("gzip")
        .args(["-9nr"])
        .arg(root.join("usr/share/man")))?;
    modes(root)?;
    // Private keys are in there: as wireguard-tools has it.
    let configurations = root.join("etc/wireguard");
    make(&configurations)?;
    chmod(&configurations, 0o700)?;

    let control = Control {
        version: control::version(&dist(paths, "changelog")?)?,
        architecture: text(&output(Command::new("dpkg").arg("--print-architecture"))?),
        needs,
        kilobytes: size(root)?.div_ceil(1024),
    };
    about(paths, root, &control)?;
    Ok(control)
}

/// Zsh of Debian's looks elsewhere than its makers have it.
fn to_debian_places(root: &Path) -> Result<()> {
    let zsh = root.join("usr/share/zsh");
    let from = zsh.join("site-functions");
    fs::rename(&from, zsh.join("vendor-completions")).map_err(Error::file("move", from))
}

/// Takes what debuggers want out of the programs, and finds out what they need.
fn strip_programs(root: &Path) -> Result<Needs> {
    let mut needs = Needs::default();
    for program in install::BINARIES {
        let path = root.join("usr/bin").join(program);
        run(Command::new("strip").arg("--strip-unneeded").arg(&path))?;
        needs.add(&fs::read(&path).map_err(Error::file("read", &path))?);
    }
    Ok(needs)
}

/// What has to be in `/usr/share/doc`: Debian Policy, 12.5 and 12.7.
fn documents(paths: &Paths, root: &Path) -> Result<()> {
    let folder = root.join("usr/share/doc").join(NAME);
    make(&folder)?;
    let source = |name: &str| paths.root().join(name);
    for (from, name) in [
        (source("CHANGELOG.md"), "changelog"),
        (source("dist/debian/changelog"), "changelog.Debian"),
        (source("dist/debian/copyright"), "copyright"),
        (source("DEPENDENCIES.md"), "DEPENDENCIES.md"),
    ] {
        fs::copy(&from, folder.join(name)).map_err(Error::file("copy", from))?;
    }
    run(Command::new("gzip")
        .arg("-9n")
        .args([folder.join("changelog"), folder.join("changelog.Debian")]))
}

/// The folder `DEBIAN`: control, checksums, scripts.
fn about(paths: &Paths, root: &Path, control: &Control) -> Result<()> {
    let sums = output(Command::new("sh").current_dir(root).args([
        "-c",
        "find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum",
    ]))?;
    let folder = root.join("DEBIAN");
    make(&folder)?;
    write(&folder.join("md5sums"), &sums, 0o644)?;
    write(
        &folder.join("control"),
        control.text(NAME).as_bytes(),
        0o644,
    )?;
    for script in SCRIPTS {
        let text = dist(paths, script)?.replace(DIVERTED, &SHARED.join(" "));
        write(&folder.join(script), text.as_bytes(), 0o755)?;
    }
    chmod(&folder, 0o755)
}

fn pack(root: &Path, deb: &Path) -> Result<()> {
    // Its standard output is for the path alone.
    let said = output(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .args([root, deb]),
    )?;
    eprint!("{}", String::from_utf8_lossy(&said));
    Ok(())
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

/// Of all files, in bytes.
fn size(folder: &Path) -> Result<u64> {
    entries(folder)?.iter().try_fold(0, |sum, path| {
        let data = fs::symlink_metadata(path).map_err(Error::file("read", path))?;
        let here = if data.is_dir() {
            size(path)?
        } else {
            data.len()
        };
        Ok(sum + here)
    })
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

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    fs::write(path, content).map_err(Error::file("write", path))?;
    chmod(path, mode)
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
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
    fn what_steps_aside_comes_back() {
        let paths = Paths::new();
        for script in ["preinst", "postrm"] {
            let text = dist(&paths, script).unwrap();
            assert!(text.contains(DIVERTED), "{script}");
        }
    }
}
