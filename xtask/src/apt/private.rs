//! An apt of our own: its sources, lists and cache lie in one folder, and the system's stay as they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::{self, Source};
use crate::error::{Error, Result};
use crate::process::{output, run};

/// Fetches `package` of `suite` from the mirror the system itself uses and unpacks it to `into`, and with it the packages
/// it depends on, and they in turn, whose names begin with one of `along`.
///
/// Returns the version that came. Nothing is installed and no privilege is needed; apt checks the
/// signatures with the system's keyring. `work` holds the lists and the downloaded file.
pub(crate) fn extract_package(
    package: &str,
    suite: &str,
    along: &[&str],
    work: &Path,
    into: &Path,
) -> Result<String> {
    let release = suite.split('-').next().unwrap_or(suite);
    let mut candidates: Vec<Source> = sources::system(Path::new("/etc/apt"))
        .into_iter()
        .filter(Source::has_main)
        .filter(|source| source.carries(release) || source.looks_like_debian())
        .collect();
    // Others publish under Debian's release names too, and Debian has several archives, of which the main one has all
    // releases; a stable sort asks the likeliest first.
    candidates.sort_by_key(|source| (!source.is_main_archive(), !source.looks_like_debian()));

    let mut last = Error::Machine(format!(
        "the apt sources of this system name no Debian mirror (section main), which is where {package} of {suite} \
         comes from: add one to /etc/apt/sources.list.d"
    ));
    for source in &candidates {
        match Apt::new(source, suite, work).and_then(|apt| apt.extract(package, suite, along, into))
        {
            Ok(version) => return Ok(version),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A private apt, ready to be asked.
struct Apt {
    work: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn new(source: &Source, suite: &str, work: &Path) -> Result<Self> {
        for folder in ["state/lists/partial", "cache/archives/partial", "download"] {
            let folder = work.join(folder);
            fs::create_dir_all(&folder).map_err(Error::file("make the folder", folder))?;
        }
        let list = work.join("peers.sources");
        fs::write(&list, stanza(source, suite)).map_err(Error::file("write", &list))?;
        let status = work.join("status");
        fs::write(&status, "").map_err(Error::file("write", &status))?;
        let options = [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State={}", work.join("state").display()),
            // What is installed here must not influence what is chosen.
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache={}", work.join("cache").display()),
            // The folder may be out of reach for apt's own download user.
            "APT::Sandbox::User=root".to_owned(),
        ];
        let options = options
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option])
            .collect();
        Ok(Self {
            work: work.to_path_buf(),
            options,
        })
    }

    fn extract(&self, package: &str, suite: &str, along: &[&str], into: &Path) -> Result<String> {
        run(self.apt_get().args(["-q", "update"]))?;
        let first = self.fetch(&format!("{package}/{suite}"), into)?;
        let mut done = BTreeSet::from([package.to_owned()]);
        let mut next = first.dependencies(along);
        while let Some(name) = next.pop() {
            if done.insert(name.clone()) {
                next.extend(self.fetch(&name, into)?.dependencies(along));
            }
        }
        Ok(first.version)
    }

    /// Downloads one package and unpacks it.
    fn fetch(&self, package: &str, into: &Path) -> Result<Fetched> {
        let download = self.work.join("download");
        for old in debs(&download)? {
            fs::remove_file(&old).map_err(Error::file("remove", &old))?;
        }
        run(self
            .apt_get()
            .current_dir(&download)
            .args(["-q", "download", package]))?;
        let deb = debs(&download)?.pop().ok_or_else(|| {
            Error::Machine(format!(
                "apt-get download of {package} left no file in {}",
                download.display()
            ))
        })?;
        run(Command::new("dpkg").arg("-x").arg(&deb).arg(into))?;
        let field = |name: &str| -> Result<String> {
            let text = output(Command::new("dpkg-deb").arg("-f").arg(&deb).arg(name))?;
            Ok(String::from_utf8_lossy(text.trim_ascii()).into_owned())
        };
        Ok(Fetched {
            version: field("Version")?,
            depends: field("Depends")?,
        })
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.args(&self.options);
        command
    }
}

/// What a package says of itself.
struct Fetched {
    version: String,
    /// The field of that name: deb-control(5).
    depends: String,
}

impl Fetched {
    /// The names of the packages it depends on that begin with one of `along`; of alternatives, the first.
    fn dependencies(&self, along: &[&str]) -> Vec<String> {
        self.depends
            .split(',')
            .filter_map(|clause| clause.split_whitespace().next())
            .filter(|name| along.iter().any(|start| name.starts_with(start)))
            .map(str::to_owned)
            .collect()
    }
}

/// A suite such as bookworm-backports builds on its release, so that comes with it.
fn stanza(source: &Source, suite: &str) -> String {
    let release = suite.split('-').next().unwrap_or(suite);
    let suites = if release == suite {
        suite.to_owned()
    } else {
        format!("{suite} {release}")
    };
    let mut text = format!(
        "Types: deb\nURIs: {}\nSuites: {suites}\nComponents: main\nTargets: Packages\n",
        source.uri
    );
    if let Some(key) = &source.signed_by {
        text.push_str(&format!("Signed-By: {key}\n"));
    }
    text
}

fn debs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::file("list the folder", folder))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dependencies_asked_for_are_followed() {
        let fetched = Fetched {
            version: "1".to_owned(),
            depends: "dracut | linux-initramfs-tool, linux-binary-7 (= 1), linux-modules-7 (= 1)"
                .to_owned(),
        };
        assert_eq!(
            fetched.dependencies(&["linux-binary-", "linux-modules-"]),
            ["linux-binary-7", "linux-modules-7"]
        );
        assert!(fetched.dependencies(&[]).is_empty());
    }
}
