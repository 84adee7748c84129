//! What is wrong with a config file, where, and what to do about it.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::conf::key_source::KEY_SOURCES;
use crate::conf::shown::Shown;
use crate::conf::span::Span;
use crate::endpoint::EndpointError;
use crate::key::PublicKey;
use crate::prefix::{AllowedIp, Prefix};
use crate::setting::{BadValue, SettingError};

/// A finding, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub span: Span,
    /// What.
    pub problem: Problem,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but perhaps not as meant.
    Warning,
    /// It does not work.
    Error,
}

impl Diagnostic {
    pub(super) const fn new(span: Span, problem: Problem) -> Self {
        Self { span, problem }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.problem {
            Problem::HostBits { .. }
            | Problem::OwnKey
            | Problem::SharedAllowedIp { .. }
            | Problem::DnsServer { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The finding with the name of its file: `path:line:column: what; what to do`.
    #[must_use]
    pub fn in_file<'a>(&'a self, path: &'a Path) -> impl fmt::Display + 'a {
        InFile {
            path,
            diagnostic: self,
        }
    }
}

/// `line:column: what; what to do`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.span, self.problem)?;
        match self.problem.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

struct InFile<'a> {
    path: &'a Path,
    diagnostic: &'a Diagnostic,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.diagnostic)
    }
}

/// Text out of a file that may hold a secret in the wrong place: hidden from `Debug`, zeroed on
/// drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Quoted(pub(super) Zeroizing<String>);

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[Interface]`.
    Interface,
    /// `[Peer]`.
    Peer,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interface => "[Interface]",
            Self::Peer => "[Peer]",
        })
    }
}

/// A key of a config file: its proper spelling and its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The spelling.
    pub name: &'static str,
    /// The section.
    pub section: Section,
}

/// Why a line is none that a tool knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrecognized {
    /// A key before any section.
    NoSection(Key),
    /// A key of the other kind of section.
    OtherSection(Key),
    /// A known key with nothing after its `=`.
    NoValue(Key),
    /// A known key, or nearly one, without `=`.
    NoEquals,
    /// An unknown key, if it is safe to show, and one much like it.
    UnknownKey(Option<String>, Option<Key>),
    /// A section that is none.
    UnknownSection,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A line that no tool knows, without its blanks and comment.
    Unrecognized(Unrecognized, Quoted),
    /// A value that is not of its key's form.
    Value(Key, BadValue),
    /// A `[Peer]` without a key.
    MissingPublicKey,
    /// An `Address` that is none.
    Address(String),
    /// An `MTU` that is no number.
    Mtu(String),
    /// A `Table` of several words.
    Table(String),
    /// A `SaveConfig` that is neither true nor false.
    SaveConfig(String),
    /// A value of wg-quick(8)'s that is not UTF-8, or holds characters that no command can.
    Text(Key),
    /// A key that has been named before in the section, there or here by telling where it is.
    SecondKeySource {
        /// The name of this line.
        key: Key,
        /// Where the key was named first.
        first: Span,
    },
    /// A credential that no unit can have.
    CredentialName(Key, String),
    /// No `PrivateKey`.
    MissingPrivateKey,
    /// The same peer twice.
    DuplicatePeer {
        /// Its key.
        key: PublicKey,
        /// Where it was first.
        first: Span,
    },
    /// A peer with the interface's own key.
    OwnKey,
    /// An MTU too small for any use, or for the IPv6 addresses beside it.
    MtuTooSmall {
        /// What was written, in bytes.
        mtu: u32,
        /// The least that works.
        least: u32,
    },
    /// An MTU too large for a datagram to carry.
    MtuTooLarge {
        /// What was written, in bytes.
        mtu: u32,
    },
    /// A table that cannot be meant.
    UnknownTable(String),
    /// A name server at something that is no address.
    DnsServer(String),
    /// An endpoint's host that no look-up can find.
    EndpointHost(String),
    /// The same prefix at two peers: the later one gets it.
    SharedAllowedIp {
        /// The prefix.
        prefix: AllowedIp,
        /// Where the other peer has it.
        first: Span,
    },
    /// Bits set beyond a prefix's length.
    HostBits {
        /// The prefix.
        prefix: Prefix,
        /// The same, letter by letter.
        written: String,
    },
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unrecognized(reason, _) => return unrecognized_hint(reason),
            Self::Value(_, bad) => bad.hint().to_owned(),
            Self::MissingPublicKey => {
                "add `PublicKey = …`, which the peer gets from its private key with `hushwire pubkey`"
                    .to_owned()
            }
            Self::Address(_) => "write it like 10.0.0.1/24 or fd00::1/64".to_owned(),
            Self::Mtu(_) => "write a number of bytes, like 1420".to_owned(),
            Self::Table(_) | Self::UnknownTable(_) => {
                "write off, auto, a number, or a name from /etc/iproute2/rt_tables".to_owned()
            }
            Self::SaveConfig(_) => "write true or false".to_owned(),
            Self::Text(_) => "save the file as UTF-8".to_owned(),
            Self::SecondKeySource { .. } => "remove one of the two".to_owned(),
            Self::CredentialName(..) => {
                "write the name that `LoadCredential=NAME:PATH` gives it in the unit".to_owned()
            }
            Self::MissingPrivateKey => {
                "add `PrivateKey = …` to [Interface]; `hushwire genkey` makes one".to_owned()
            }
            Self::DuplicatePeer { .. } => "merge the two sections into one".to_owned(),
            Self::OwnKey => "a peer's PublicKey must come from the peer's own private key".to_owned(),
            Self::MtuTooSmall { least, .. } => format!("write {least} or more"),
            Self::MtuTooLarge { .. } => format!("write {} or less", super::check::MTU_MAX),
            Self::DnsServer(_) => "write the server's full address".to_owned(),
            Self::EndpointHost(_) => "write it like vpn.example.com:51820 or 192.0.2.1:51820".to_owned(),
            Self::SharedAllowedIp { .. } => {
                "only the later peer gets it: take it out of one of the two".to_owned()
            }
            Self::HostBits { prefix, .. } => format!("it is taken for {}", prefix.masked()),
        })
    }

    /// What the standard tools print about it, if they do. Quotes what was written, keys
    /// included. Lines end with a newline.
    #[must_use]
    pub fn standard_message(&self) -> Option<Zeroizing<String>> {
        let parsing = |message: &str| format!("{message}\nConfiguration parsing error\n");
        Some(Zeroizing::new(match self {
            Self::Unrecognized(_, Quoted(line)) => {
                let message = Zeroizing::new(format!("Line unrecognized: `{}'", **line));
                parsing(&message)
            }
            Self::Value(_, bad) => parsing(&bad.standard_message()),
            // Not the standard tools' words, which know none of this, but in their form.
            Self::SecondKeySource { .. } | Self::CredentialName(..) => parsing(&self.to_string()),
            Self::Text(key) if KEY_SOURCES.contains(key) => parsing(&self.to_string()),
            Self::MissingPublicKey => {
                "A peer is missing a public key\nInvalid configuration\n".to_owned()
            }
            Self::SaveConfig(text) => {
                format!("wg-quick: `{text}' is neither true nor false\n")
            }
            Self::HostBits { written, .. } => {
                format!("Warning: AllowedIP has nonzero host part: {written}\n")
            }
            _ => return None,
        }))
    }
}

fn unrecognized_hint(reason: &Unrecognized) -> Option<String> {
    Some(match reason {
        Unrecognized::NoSection(key) => format!("put [{}] before it", bare(key.section)),
        Unrecognized::OtherSection(key) => format!("move it to {}", key.section),
        Unrecognized::NoValue(_) => "write a value after the `=`, or remove the line".to_owned(),
        Unrecognized::NoEquals => "write `Key = value`".to_owned(),
        Unrecognized::UnknownKey(_, key) => {
            let key = key.as_ref()?;
            format!("did you mean {} (in {})?", key.name, key.section)
        }
        Unrecognized::UnknownSection => "the sections are [Interface] and [Peer]".to_owned(),
    })
}

const fn bare(section: Section) -> &'static str {
    match section {
        Section::Interface => "Interface",
        Section::Peer => "Peer",
    }
}

/// What is wrong, without quoting what might be a secret.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecognized(reason, _) => write_unrecognized(f, reason),
            Self::Value(key, bad) => write_value(f, *key, bad),
            Self::MissingPublicKey => f.write_str("this [Peer] has no PublicKey"),
            Self::Address(text) => write!(f, "Address `{}` is no IP address", Shown(text)),
            Self::Mtu(text) => write!(f, "MTU `{}` is no number", Shown(text)),
            Self::Table(text) | Self::UnknownTable(text) => {
                write!(f, "Table `{}` is no routing table", Shown(text))
            }
            Self::SaveConfig(text) => {
                write!(f, "SaveConfig `{}` is neither true nor false", Shown(text))
            }
            Self::Text(key) => write!(f, "the value of {} is not text", key.name),
            Self::SecondKeySource { key, first } => write!(
                f,
                "{} has a key that has been named before, on line {}",
                key.name, first.line
            ),
            Self::CredentialName(key, name) => {
                write!(f, "{} `{}` is no credential's name", key.name, Shown(name))
            }
            Self::MissingPrivateKey => f.write_str("[Interface] has no PrivateKey"),
            Self::DuplicatePeer { key, first } => {
                write!(f, "peer {key} is here again, first on line {}", first.line)
            }
            Self::OwnKey => f.write_str("this peer has the interface's own key and is ignored"),
            Self::MtuTooSmall {
                mtu,
                least: super::check::MTU_MIN_V6,
            } => {
                write!(
                    f,
                    "MTU {mtu} is too small for the interface's IPv6 addresses"
                )
            }
            Self::MtuTooSmall { mtu, .. } => write!(f, "MTU {mtu} is too small"),
            Self::MtuTooLarge { mtu } => write!(f, "MTU {mtu} is too large"),
            Self::DnsServer(text) => write!(f, "DNS server `{}` is no IP address", Shown(text)),
            Self::EndpointHost(text) => {
                write!(f, "Endpoint `{}` has no name of a host", Shown(text))
            }
            Self::SharedAllowedIp { prefix, first } => {
                write!(f, "another peer has {prefix} too, on line {}", first.line)
            }
            Self::HostBits { prefix, .. } => {
                write!(f, "AllowedIPs {prefix} has bits beyond its length")
            }
        }
    }
}

fn write_unrecognized(f: &mut fmt::Formatter<'_>, reason: &Unrecognized) -> fmt::Result {
    match reason {
        Unrecognized::NoSection(key) => write!(f, "{} stands before any section", key.name),
        Unrecognized::OtherSection(key) => {
            write!(f, "{} does not belong in this section", key.name)
        }
        Unrecognized::NoValue(key) => write!(f, "{} has no value", key.name),
        Unrecognized::NoEquals => f.write_str("this line has no `=`"),
        Unrecognized::UnknownKey(Some(name), _) => write!(f, "there is no key `{}`", Shown(name)),
        Unrecognized::UnknownKey(None, _) => f.write_str("this line has no known key"),
        Unrecognized::UnknownSection => f.write_str("there is no such section"),
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, key: Key, bad: &BadValue) -> fmt::Result {
    let text = Shown(bad.text());
    match bad.error {
        // Never quoted: nearly a key is nearly a secret.
        SettingError::Key(_) => write!(f, "{} is no key", key.name),
        SettingError::Port(_) => write!(f, "{} `{text}` is no port", key.name),
        SettingError::Endpoint(EndpointError::Port(_)) => {
            write!(f, "{} `{text}` ends in no port", key.name)
        }
        SettingError::Endpoint(EndpointError::NoPort) => {
            write!(f, "{} `{text}` has no port", key.name)
        }
        SettingError::Endpoint(EndpointError::Brace) => {
            write!(f, "{} `{text}` has `[` without `]`", key.name)
        }
        SettingError::Endpoint(EndpointError::Empty | EndpointError::Host) => {
            write!(f, "{} `{text}` has no host", key.name)
        }
        SettingError::Fwmark => write!(f, "{} `{text}` is no mark", key.name),
        SettingError::PersistentKeepalive => write!(f, "{} `{text}` is no interval", key.name),
        SettingError::AllowedIpAddress if bad.text().is_empty() => {
            write!(f, "{} has an empty entry", key.name)
        }
        SettingError::AllowedIpAddress => write!(f, "{} entry `{text}` is no IP address", key.name),
        SettingError::AllowedIpLength => {
            write!(
                f,
                "{} entry `{text}` has no prefix length of its family",
                key.name
            )
        }
    }
}
