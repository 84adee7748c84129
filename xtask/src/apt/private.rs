//! An apt of our own: its sources, lists and cache lie in one folder, and the system's stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::{self, Source};
use crate::error::{Error, Result};
use crate::process::{output, run};

/// Fetches `package` of `suite` from the mirror the system itself uses and unpacks it to `into`.
///
/// Returns the version that came. Nothing is installed and no privilege is needed; apt checks the
/// signatures with the system's keyring. `work` holds the lists and the downloaded file.
pub(crate) fn extract_package(
    package: &str,
    suite: &str,
    work: &Path,
    into: &Path,
) -> Result<String> {
    let release = suite.split('-').next().unwrap_or(suite);
    let mut candidates: Vec<Source> = sources::system(Path::new("/etc/apt"))
        .into_iter()
        .filter(|source| source.carries(release))
        .collect();
    // Others publish under Debian's release names too; a stable sort asks Debian's own mirror first.
    candidates.sort_by_key(|source| !source.looks_like_debian());

    let mut last = Error::Machine(format!(
        "the apt sources of this system name no Debian {release} mirror (section main), which is \
         where {package} of {suite} comes from: add one to /etc/apt/sources.list.d"
    ));
    for source in &candidates {
        match Apt::new(source, suite, work).and_then(|apt| apt.extract(package, suite, into)) {
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
        let options = [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State={}", work.join("state").display()),
            "Dir::State::status=/var/lib/dpkg/status".to_owned(),
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

    fn extract(&self, package: &str, suite: &str, into: &Path) -> Result<String> {
        run(self.apt_get().args(["-q", "update"]))?;
        let download = self.work.join("download");
        for old in debs(&download)? {
            fs::remove_file(&old).map_err(Error::file("remove", &old))?;
        }
        run(self.apt_get().current_dir(&download).args([
            "-q",
            "download",
            &format!("{package}/{suite}"),
        ]))?;
        let deb = debs(&download)?.pop().ok_or_else(|| {
            Error::Machine(format!(
                "apt-get download of {package} left no file in {}",
                download.display()
            ))
        })?;
        run(Command::new("dpkg").arg("-x").arg(&deb).arg(into))?;
        let version = output(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Version"))?;
        Ok(String::from_utf8_lossy(version.trim_ascii()).into_owned())
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.args(&self.options);
        command
    }
}

fn stanza(source: &Source, suite: &str) -> String {
    let mut text = format!(
        "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nTargets: Packages\n",
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
