//! The system's own apt sources, in both of the formats of sources.list(5).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where packages come from: one mirror and the key that vouches for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) uri: String,
    pub(crate) suites: Vec<String>,
    pub(crate) components: Vec<String>,
    /// A keyring's path, a fingerprint, or a whole key as deb822 allows; `None` means the system's trusted keys.
    pub(crate) signed_by: Option<String>,
}

impl Source {
    /// Whether this may be Debian itself at the release `codename`.
    pub(crate) fn carries(&self, codename: &str) -> bool {
        self.has_main() && self.suites.iter().any(|suite| suite == codename)
    }

    /// Whether it has a section main, and somewhere else than on this machine.
    pub(crate) fn has_main(&self) -> bool {
        let local = ["cdrom:", "file:", "copy:"]
            .iter()
            .any(|scheme| self.uri.starts_with(scheme));
        !local && self.components.iter().any(|component| component == "main")
    }

    /// Whether the address is the one of the archive that has all releases, not that of security updates or of others.
    pub(crate) fn is_main_archive(&self) -> bool {
        self.uri.trim_end_matches('/').ends_with("/debian")
    }

    /// Whether the key or the address says Debian: such a source is asked first.
    pub(crate) fn looks_like_debian(&self) -> bool {
        let keyed = self
            .signed_by
            .as_ref()
            .is_some_and(|key| key.contains("debian-archive"));
        keyed || self.is_main_archive()
    }
}

/// Where the system itself has the release `codename` from.
pub(crate) fn mirror(codename: &str) -> Option<Source> {
    let mut carriers: Vec<Source> = system(Path::new("/etc/apt"))
        .into_iter()
        .filter(|source| source.carries(codename))
        .collect();
    carriers.sort_by_key(|source| (!source.is_main_archive(), !source.looks_like_debian()));
    carriers.into_iter().next()
}

/// Every enabled binary source of the system under `etc` (`/etc/apt`).
pub(crate) fn system(etc: &Path) -> Vec<Source> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Source> {
    let Ok(text) = fs::read_to_string(file) else {
        return Vec::new();
    };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("list") => parse_one_line(&text),
        Some("sources") => parse_deb822(&text),
        _ => Vec::new(),
    }
}

/// `deb [ option=value ... ] uri suite [component] ...`
fn parse_one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="))
        .map(str::to_owned);
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uri: words.next()?,
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by,
    })
}

/// Paragraphs of `Field: value`, a continued value on lines that begin with a space.
fn parse_deb822(text: &str) -> Vec<Source> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.trim().is_empty())
        .flat_map(|paragraph| sources_of(&fields(paragraph)))
        .collect()
}

fn fields(paragraph: &[&str]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::<String, String>::new();
    let mut current = None;
    for line in paragraph {
        if line.starts_with(char::is_whitespace) {
            if let Some(value) = current.as_ref().and_then(|name| fields.get_mut(name)) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.to_ascii_lowercase();
            fields.insert(name.clone(), value.trim().to_owned());
            current = Some(name);
        }
    }
    fields
}

fn sources_of(fields: &BTreeMap<String, String>) -> Vec<Source> {
    let words = |name: &str| -> Vec<String> {
        fields
            .get(name)
            .map(|value| value.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let off = ["no", "false", "without", "off", "disable"];
    let enabled = fields
        .get("enabled")
        .is_none_or(|value| !off.contains(&value.as_str()));
    if !enabled || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    words("uris")
        .into_iter()
        .map(|uri| Source {
            uri,
            suites: words("suites"),
            components: words("components"),
            signed_by: fields.get("signed-by").cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suites: &[&str], components: &[&str], signed_by: Option<&str>) -> Source {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Source {
            uri: uri.to_owned(),
            suites: owned(suites),
            components: owned(components),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn one_line_sources_with_and_without_options() {
        let text = "# comment\n\
            deb http://mirror.example/debian bookworm main contrib # tail\n\
            deb-src http://mirror.example/debian bookworm main\n\
            deb [ arch=amd64 signed-by=/k.gpg ] http://other.example/x bookworm main\n\
            deb [broken http://nowhere.example x\n\
            debian nonsense\n";
        assert_eq!(
            parse_one_line(text),
            [
                source(
                    "http://mirror.example/debian",
                    &["bookworm"],
                    &["main", "contrib"],
                    None
                ),
                source(
                    "http://other.example/x",
                    &["bookworm"],
                    &["main"],
                    Some("/k.gpg")
                ),
            ]
        );
    }

    #[test]
    fn deb822_paragraphs_with_continued_values_and_comments() {
        let text = "Types: deb deb-src\n# a comment inside\nURIs: http://a.example/debian\n http://b.example/debian\n\
            Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\n\
            Types: deb\nURIs: http://c.example/\nSuites: bookworm\nComponents: main\nEnabled: no\n\n\
            Types: deb-src\nURIs: http://d.example/\nSuites: bookworm\nComponents: main\n";
        assert_eq!(
            parse_deb822(text),
            [
                source(
                    "http://a.example/debian",
                    &["bookworm", "bookworm-updates"],
                    &["main"],
                    Some("/k.gpg")
                ),
                source(
                    "http://b.example/debian",
                    &["bookworm", "bookworm-updates"],
                    &["main"],
                    Some("/k.gpg")
                ),
            ]
        );
    }

    #[test]
    fn an_embedded_key_keeps_its_lines() {
        let text = "Types: deb\nURIs: http://a.example/\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n";
        let parsed = parse_deb822(text);
        assert_eq!(
            parsed
                .first()
                .and_then(|source| source.signed_by.as_deref()),
            Some("\n -----BEGIN\n .\n abc")
        );
    }

    #[test]
    fn only_the_release_itself_carries_it() {
        assert!(
            source("http://a.example/debian", &["bookworm"], &["main"], None).carries("bookworm")
        );
        assert!(
            !source(
                "http://a.example/debian",
                &["bookworm-security"],
                &["main"],
                None
            )
            .carries("bookworm")
        );
        assert!(
            !source("http://a.example/docker", &["bookworm"], &["stable"], None)
                .carries("bookworm")
        );
        assert!(!source("cdrom:[disk]/", &["bookworm"], &["main"], None).carries("bookworm"));
    }
}
