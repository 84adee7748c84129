//! ARCHITECTURE.md and DEPENDENCIES.md are true: who may use whom, who may be unsafe, and why each
//! foreign crate is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a section of a manifest.
fn section(manifest: &str, header: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    manifest
        .lines()
        .skip_while(|line| line.trim() != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split(|c| !is_name(c)).next())
        .map(str::to_owned)
        .collect()
}

/// What each of our crates may use of ours: the table of ARCHITECTURE.md.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("aead", &[] as &[_]),
        ("bench", &["aead", "config", "io", "proto"]),
        (
            "cli",
            &[
                "config", "control", "engine", "io", "lab", "netlink", "proto", "quick",
            ] as &[_],
        ),
        ("config", &[]),
        ("control", &["config", "netlink"]),
        ("engine", &["config", "io", "proto"]),
        (
            "fuzz",
            &["aead", "config", "io", "netlink", "proto", "quick"],
        ),
        ("io", &[]),
        ("lab", &["netlink"]),
        ("netlink", &[]),
        ("proto", &["aead"]),
        ("quick", &["config", "control", "netlink"]),
    ])
}

#[test]
fn no_crate_reaches_past_its_neighbours() {
    let allowed = allowed();
    let crates: BTreeSet<String> = fs::read_dir(root().join("crates"))
        .expect("the crates")
        .map(|entry| {
            entry
                .expect("a crate")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    let known: BTreeSet<String> = allowed.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        crates, known,
        "a crate is not in the table, or gone from it"
    );
    for (name, may_use) in allowed {
        let manifest = read(&format!("crates/{name}/Cargo.toml"));
        for used in section(&manifest, "[dependencies]") {
            if let Some(ours) = used.strip_prefix("hushwire-") {
                assert!(may_use.contains(&ours), "{name} may not use {ours}");
            }
        }
        let row = format!("`crates/{name}`");
        assert!(read("ARCHITECTURE.md").contains(&row), "no row for {row}");
    }
}

#[test]
fn only_three_crates_may_be_unsafe() {
    for name in [
        "bench", "cli", "config", "control", "engine", "fuzz", "lab", "proto", "quick",
    ] {
        let library = read(&format!("crates/{name}/src/lib.rs"));
        assert!(
            library.contains("#![forbid(unsafe_code)]"),
            "{name} must forbid unsafe code"
        );
    }
}

/// How often the word stands in the code of a crate: once for each block, function, trait and
/// implementation.
fn unsafe_places(folder: &Path) -> usize {
    let mut places = 0;
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            places += unsafe_places(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.lines().filter_map(|line| line.split("//").next());
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            places += code
                .flat_map(|line| line.split(|c| !is_word(c)))
                .filter(|word| *word == "unsafe")
                .count();
        }
    }
    places
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let mut links = 0;
    for document in [
        "ARCHITECTURE.md",
        "BENCHMARKS.md",
        "README.md",
        "docs/firewall.md",
        "docs/security.md",
        "docs/wg-quick.md",
        "docs/wg.md",
    ] {
        let text = read(document);
        let folder = root().join(document);
        let folder = folder.parent().expect("a folder");
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(
                folder.join(target).exists(),
                "{document}: there is no {target}"
            );
            links += 1;
        }
    }
    assert!(links > 20, "the links were not found");
}

#[test]
fn unsafe_places_are_counted() {
    let manual = read("docs/security.md");
    for name in ["aead", "io", "netlink"] {
        let counted = unsafe_places(&root().join("crates").join(name).join("src"));
        let row = format!("| `hushwire-{name}` | {counted} |");
        assert!(
            manual.contains(&row),
            "docs/security.md, table of unsafe code: the row of {name} has to begin `{row}`"
        );
    }
}

#[test]
fn every_foreign_crate_has_its_reason() {
    let reasons = read("DEPENDENCIES.md");
    let mut used = BTreeSet::new();
    let members = allowed().into_keys().map(|name| format!("crates/{name}"));
    for member in members.chain(["xtask".to_owned()]) {
        let manifest = read(&format!("{member}/Cargo.toml"));
        used.extend(section(&manifest, "[dependencies]"));
        used.extend(section(&manifest, "[dev-dependencies]"));
    }
    for name in used.iter().filter(|name| !name.starts_with("hushwire")) {
        let quoted = format!("`{name}`");
        assert!(
            reasons.contains(&quoted),
            "DEPENDENCIES.md does not name {quoted}"
        );
    }
    assert!(used.len() > 10, "the manifests were not read");
}
