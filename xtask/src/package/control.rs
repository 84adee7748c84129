//! What a package says of itself: deb-control(5).

use crate::error::{Error, Result};

/// What differs from build to build.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) needs: Needs,
    /// The size of its files.
    pub(crate) kilobytes: u64,
}

impl Control {
    pub(crate) fn file_name(&self, name: &str) -> String {
        format!("{name}_{}_{}.deb", self.version, self.architecture)
    }

    /// The file `control`. That it provides wireguard-tools, in the version whose wg(8) it is, makes it do for packages
    /// that depend on that one.
    pub(crate) fn text(&self, name: &str) -> String {
        format!(
            "\
Package: {name}
Version: {}
Architecture: {}
Maintainer: The hushwire authors <hushwire@users.noreply.github.com>
Installed-Size: {}
Depends: {}
Recommends: nftables | iptables
Suggests: systemd-resolved | openresolv | resolvconf
Provides: wireguard-tools (= 1.0.20260223)
Section: net
Priority: optional
Homepage: https://github.com/hushwire/hushwire
Description: WireGuard tunnels: userspace daemon, wg and wg-quick
 hushwire runs WireGuard tunnels from plain configuration files, in the kernel
 or in its own userspace daemon, hushwired. Its command is wg(8) and
 wg-quick(8) as well, under their names.
 .
 Where wireguard-tools is installed too, wg and wg-quick are those of this
 package; the others are there as wg.wireguard-tools and
 wg-quick.wireguard-tools, and come back when this package is removed.
",
            self.version,
            self.architecture,
            self.kilobytes,
            self.needs.depends()
        )
    }
}

/// The libraries that programs need when they start.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The newest symbols of the C library, as `2.34`.
    c_library: Option<Vec<u32>>,
    unwinder: bool,
}

impl Needs {
    /// Looks through a program. The names of symbol versions are in it as they are, each with a zero behind it: the
    /// gnu.version_r section of the Linux Standard Base.
    pub(crate) fn add(&mut self, program: &[u8]) {
        let names = program.split(|&byte| byte == 0);
        for name in names {
            if let Some(version) = name.strip_prefix(b"GLIBC_") {
                self.c_library = self.c_library.take().max(version_numbers(version));
            }
            self.unwinder |= name == b"libgcc_s.so.1";
        }
    }

    fn depends(&self) -> String {
        let mut packages = Vec::new();
        if let Some(version) = &self.c_library {
            let version: Vec<String> = version.iter().map(u32::to_string).collect();
            packages.push(format!("libc6 (>= {})", version.join(".")));
        }
        if self.unwinder {
            packages.push("libgcc-s1".to_owned());
        }
        packages.join(", ")
    }
}

fn version_numbers(text: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(text).ok()?;
    text.split('.').map(|part| part.parse().ok()).collect()
}

/// The version on top of a changelog, deb-changelog(5), which has to be that of the workspace.
pub(crate) fn version(changelog: &str) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_decides() {
        let mut needs = Needs::default();
        assert_eq!(needs.depends(), "");
        needs.add(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_PRIVATE\0libgcc_s.so.1\0");
        needs.add(b"\0GLIBC_2.30\0");
        assert_eq!(needs.depends(), "libc6 (>= 2.34), libgcc-s1");
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
}
