//! The licences of the libraries that the programs are linked with, for the package's `copyright`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{cargo, output};

/// What the names of files with licences begin with, in capitals.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None for those of this workspace.
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// `dev`, `build`, or nothing for what is linked.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// A paragraph for each library that a package is linked with, in the form of the machine-readable copyright file of
/// Debian.
pub(super) fn of_libraries(paths: &Paths, package: &str) -> Result<String> {
    let mut command = cargo();
    command
        .current_dir(paths.root())
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", &platform()?]);
    let metadata: Metadata = serde_json::from_slice(&output(&mut command)?)
        .map_err(|error| Error::Machine(format!("cargo metadata: {error}")))?;
    let mut text = String::new();
    for library in metadata.linked_with(package) {
        paragraph(library, &mut text)?;
    }
    Ok(text)
}

/// What the programs are built for: what the compiler runs on.
fn platform() -> Result<String> {
    let said = output(Command::new("rustc").arg("-vV"))?;
    let said = String::from_utf8_lossy(&said);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Error::Machine("`rustc -vV` names no host".to_owned()))
}

impl Metadata {
    /// The libraries of others in the programs of a package, by name and version.
    fn linked_with(&self, name: &str) -> Vec<&Package> {
        let packages: BTreeMap<&str, &Package> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package))
            .collect();
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let first = self.packages.iter().find(|package| package.name == name);
        let mut next: Vec<&str> = first.iter().map(|package| package.id.as_str()).collect();
        let mut seen = BTreeSet::new();
        let mut linked = Vec::new();
        while let Some(id) = next.pop() {
            let Some(package) = packages.get(id).filter(|package| package.is_linked()) else {
                continue;
            };
            if !seen.insert(id) {
                continue;
            }
            linked.extend(package.source.is_some().then_some(*package));
            let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            next.extend(
                dependencies
                    .filter(|one| one.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                    .map(|one| one.pkg.as_str()),
            );
        }
        linked.sort_by_key(|package| (&package.name, &package.version));
        linked
    }
}

impl Package {
    /// A macro runs in the compiler.
    fn is_linked(&self) -> bool {
        let mut kinds = self.targets.iter().flat_map(|target| &target.kind);
        !kinds.any(|kind| kind == "proc-macro")
    }
}

fn paragraph(library: &Package, text: &mut String) -> Result<()> {
    let Package { name, version, .. } = library;
    let licence = library.license.as_deref().unwrap_or("see below");
    let _ = write!(
        text,
        "\nFiles: {name}-{version}/*\nCopyright: see the text of the licence\nLicense: {name}-{version}\n \
         {licence}\n"
    );
    let folder = library
        .manifest_path
        .parent()
        .unwrap_or_else(|| Path::new("."));
    let files = licence_files(folder)?;
    if files.is_empty() {
        return Err(Error::Machine(format!(
            "{name} {version} has no file with its licence in {}: a package with it in it would lack the text",
            folder.display()
        )));
    }
    for file in files {
        let content = fs::read(&file).map_err(Error::file("read", &file))?;
        text.push_str(" .\n");
        for line in String::from_utf8_lossy(&content).lines() {
            let line = line.trim_end();
            let _ = writeln!(text, " {}", if line.is_empty() { "." } else { line });
        }
    }
    Ok(())
}

/// The files with licences in a library's folder. Of a choice with the Apache License, which is long, the other is taken.
fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::file("list the folder", folder))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_of_licence(path))
        .collect();
    files.sort();
    let is_apache = |path: &PathBuf| capitals(path).contains("APACHE");
    if !files.iter().all(is_apache) {
        files.retain(|path| !is_apache(path));
    }
    Ok(files)
}

fn is_of_licence(path: &Path) -> bool {
    let name = capitals(path);
    NAMES.iter().any(|start| name.starts_with(start))
}

fn capitals(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_has_its_licence() {
        let text = of_libraries(&Paths::new(), "hushwire").unwrap();
        for name in ["zeroize", "aws-lc-rs", "rustix"] {
            assert!(text.contains(&format!("\nFiles: {name}-")), "{name}");
        }
        for name in ["proptest", "serde_derive", "cc", "windows-sys"] {
            assert!(!text.contains(&format!("\nFiles: {name}-")), "{name}");
        }
        assert!(text.contains("THE SOFTWARE IS PROVIDED \"AS IS\""));
        let is_indented =
            |line: &str| line.is_empty() || line.starts_with(' ') || line.contains(": ");
        assert!(text.lines().all(is_indented), "{text}");
    }

    #[test]
    fn the_shorter_of_two_licences_is_taken() {
        let name = format!("hushwire-licences-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("LICENSE-APACHE"), "long").unwrap();
        fs::write(folder.join("README"), "no").unwrap();
        let first = licence_files(&folder).unwrap();
        fs::write(folder.join("license-mit"), "short").unwrap();
        let second = licence_files(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, [folder.join("LICENSE-APACHE")]);
        assert_eq!(second, [folder.join("license-mit")]);
    }
}
