//! `cargo xtask install`: the programs, their other names, units, manual pages and completion, below a folder.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{cargo, run};

/// The programs.
pub(crate) const BINARIES: [&str; 2] = ["hushwire", "hushwired"];
/// Other names of `hushwire`.
const LINKS: [&str; 2] = ["wg", "wg-quick"];
const UNITS: [&str; 3] = ["hushwire@.service", "wg-quick@.service", "wg-quick.target"];
/// Stands for the folder of the programs in the units.
const BINDIR: &str = "@bindir@";

/// Where to put things.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// In front of all paths: the root of a package, or nothing.
    destdir: PathBuf,
    /// Where the programs will think that they are.
    prefix: PathBuf,
    /// The folder of programs that are built already.
    binaries: Option<PathBuf>,
    /// Whether `wg` and `wg-quick` are left to another package.
    without_links: bool,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Lay out hushwire as it is installed: programs, `wg` and `wg-quick` as links to
`hushwire`, systemd units, manual pages, and completion for bash, zsh and fish.
A `wg` or `wg-quick` of another package is not written over, but an error.

Usage: cargo xtask install [OPTIONS]

Options:
  --destdir DIR    Put this in front of all paths [/]
  --prefix DIR     [/usr/local]
  --binaries DIR   Take the programs from here, instead of building them
  --without-links  Leave out `wg`, `wg-quick`, and what belongs to them
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            destdir: "/".into(),
            prefix: "/usr/local".into(),
            binaries: None,
            without_links: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().map(PathBuf::from);
                value.ok_or_else(|| Error::Usage(format!("{argument} needs a folder")))
            };
            match argument.as_str() {
                "--destdir" => options.destdir = value()?,
                "--prefix" => options.prefix = value()?,
                "--binaries" => options.binaries = Some(value()?),
                "--without-links" => options.without_links = true,
                other => return Err(Error::Usage(format!("unexpected argument `{other}`"))),
            }
        }
        Ok(options)
    }

    /// For a package of the system: below `/usr`, in front of which `destdir` stands for a while.
    pub(crate) fn for_package(destdir: PathBuf, binaries: Option<PathBuf>) -> Self {
        Self {
            destdir,
            prefix: "/usr".into(),
            binaries,
            without_links: false,
        }
    }

    /// Where a folder below the prefix is now.
    fn folder(&self, name: &str) -> PathBuf {
        let below = self.prefix.join(name);
        let below = below.strip_prefix("/").unwrap_or(&below);
        self.destdir.join(below)
    }
}

/// Installs everything.
pub(crate) fn install(paths: &Paths, options: &Options) -> Result<()> {
    let built = match &options.binaries {
        Some(folder) => folder.clone(),
        None => build(paths)?,
    };
    let programs = options.folder("bin");
    make(&programs)?;
    for binary in BINARIES {
        // A program that runs cannot be written over, but replaced.
        replace(&programs.join(binary), |path| {
            fs::copy(built.join(binary), path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        })?;
    }
    if !options.without_links {
        for name in LINKS {
            link(&programs.join(name))?;
        }
    }
    install_units(paths, options)?;
    install_share(&built.join("hushwire"), paths, options)
}

/// Manual pages and completion, which the program has in it.
fn install_share(hushwire: &Path, paths: &Paths, options: &Options) -> Result<()> {
    let staging = paths.staging();
    make(&staging)?;
    let written = run(Command::new(hushwire)
        .args(["manual", "--write"])
        .arg(&staging))
    .and_then(|()| copy_all(&staging, &options.folder("share"), options));
    let _ = fs::remove_dir_all(&staging);
    written
}

fn copy_all(from: &Path, to: &Path, options: &Options) -> Result<()> {
    make(to)?;
    for entry in fs::read_dir(from).map_err(Error::file("read", from))? {
        let source = entry.map_err(Error::file("read", from))?.path();
        let Some(name) = source.file_name() else {
            continue;
        };
        let target = to.join(name);
        if source.is_dir() {
            copy_all(&source, &target, options)?;
        } else if !(options.without_links && is_of_link(&source)) {
            replace(&target, |path| fs::copy(&source, path).map(drop))?;
        }
    }
    Ok(())
}

/// Whether a page or a completion is for one of the links: `wg`, `_wg`, `wg.fish`, `wg.8`.
fn is_of_link(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.map(|stem| stem.trim_start_matches('_'));
    stem.is_some_and(|stem| LINKS.contains(&stem))
}

fn build(paths: &Paths) -> Result<PathBuf> {
    run(cargo().current_dir(paths.root()).args([
        "build",
        "--release",
        "--locked",
        "--bins",
        "--package",
        "hushwire",
    ]))?;
    let binary = paths.release("hushwire");
    Ok(binary.parent().map(Path::to_owned).unwrap_or(binary))
}

fn install_units(paths: &Paths, options: &Options) -> Result<()> {
    let units = options.folder("lib/systemd/system");
    make(&units)?;
    let bindir = options.prefix.join("bin");
    for name in UNITS {
        if options.without_links && name.starts_with("wg-quick") {
            continue;
        }
        let source = paths.root().join("dist/systemd").join(name);
        let text = fs::read_to_string(&source).map_err(Error::file("read", &source))?;
        let text = text.replace(BINDIR, &bindir.to_string_lossy());
        replace(&units.join(name), |path| fs::write(path, &text))?;
    }
    Ok(())
}

/// A link to `hushwire` beside it, where nothing else is.
fn link(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) if fs::read_link(path).is_ok_and(|target| target == Path::new("hushwire")) => Ok(()),
        Ok(_) => Err(Error::Machine(format!(
            "{} is there already, and not ours: remove its package, install below another --prefix, or use \
             --without-links",
            path.display()
        ))),
        Err(_) => symlink("hushwire", path).map_err(Error::file("make", path)),
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file("make", folder))
}

/// Writes a file in the place of one that may be there.
fn replace(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    removed
        .and_then(|()| write(path))
        .map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    /// A folder that goes away.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn folders_are_below_both() {
        let options = parse("--destdir /tmp/x --prefix /usr").unwrap();
        assert_eq!(options.folder("bin"), Path::new("/tmp/x/usr/bin"));
        assert_eq!(
            parse("").unwrap().folder("bin"),
            Path::new("/usr/local/bin")
        );
        for bad in ["--destdir", "x", "--prefx /"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_belongs_to_a_link_is_told_by_its_name() {
        for name in ["wg", "x/_wg", "wg.fish", "wg-quick.8"] {
            assert!(is_of_link(Path::new(name)), "{name}");
        }
        for name in ["hushwire", "_hushwire", "hushwire-set.1", "wgs"] {
            assert!(!is_of_link(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_foreign_file_is_not_touched() {
        let name = format!("hushwire-install-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        make(&folder.0).unwrap();
        let path = folder.0.join("wg");
        link(&path).unwrap();
        link(&path).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("hushwire"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(link(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn units_name_programs_that_are_installed() {
        let paths = Paths::new();
        for name in UNITS {
            let text = fs::read_to_string(paths.root().join("dist/systemd").join(name)).unwrap();
            let mut programs = text.split(BINDIR).skip(1);
            let is_known = |rest: &str| {
                let program = rest.trim_start_matches('/').split(' ').next();
                program.is_some_and(|one| BINARIES.contains(&one) || LINKS.contains(&one))
            };
            assert!(programs.all(is_known), "{name}");
        }
    }
}
