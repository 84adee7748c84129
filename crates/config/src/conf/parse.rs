//! Reading a config file.
//!
//! wg-quick(8) takes its own keys out of a file and passes all other lines on to wg(8). The two
//! do not agree about sections and blanks: wg(8) deletes every blank in a line, wg-quick(8) only
//! those around key and value. So each line is shown to both, in that order.

mod key_source;
mod quick;
mod wg;

use crate::conf::diagnostic::Problem;
use crate::conf::diagnostic::{Diagnostic, Section};
use crate::conf::error::{Before, ParseError};
use crate::conf::line::RawLine;
use crate::conf::span::{Span, Spanned};
use crate::conf::{AllowedIps, Config, Interface, Peer};
use crate::endpoint::Endpoint;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// wg-quick(8)'s, with `Address` and the like. NULs are ignored.
    Quick,
    /// wg(8)'s (`setconf`, `addconf`, `syncconf`). A NUL ends its line.
    Wg,
}

/// A file understood.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it says.
    pub config: Config,
    /// What it perhaps does not mean, in its order.
    pub warnings: Vec<Diagnostic>,
    /// Endpoints that a later line of the same peer takes the place of. They count for nothing,
    /// but wg(8) looks them up all the same, and fails if they have no address.
    pub replaced_endpoints: Vec<Spanned<Endpoint>>,
}

/// After so many errors the rest of a file is not worth reading.
const ERROR_LIMIT: usize = 20;

/// Reads a config file.
///
/// # Errors
///
/// [`ParseError`] with everything that is wrong, the first first.
pub fn parse(text: &[u8], dialect: Dialect) -> Result<Parsed, ParseError> {
    let mut parser = Parser::new(dialect);
    for (index, bytes) in text.split(|&byte| byte == b'\n').enumerate() {
        let number = u32::try_from(index).map_or(u32::MAX, |index| index.saturating_add(1));
        parser.line(number, bytes);
        if parser.errors.len() >= ERROR_LIMIT {
            break;
        }
    }
    parser.finish()
}

struct Parser {
    dialect: Dialect,
    /// wg-quick's idea of whether this is the interface's section.
    in_quick_interface: bool,
    /// wg's idea of the section.
    place: Place,
    interface: Interface,
    peers: Vec<Draft>,
    replaced_endpoints: Vec<Spanned<Endpoint>>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    In(Section),
    /// In a section that there is not. One error is enough for all of it.
    Lost,
}

/// A peer of which the key may be still to come.
struct Draft {
    section: Span,
    peer: Peer,
    key: DraftKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DraftKey {
    Missing,
    Bad,
    Known,
}

impl Parser {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            in_quick_interface: false,
            place: Place::Start,
            interface: Interface::default(),
            peers: Vec::new(),
            replaced_endpoints: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn line(&mut self, number: u32, bytes: &[u8]) {
        if self.dialect == Dialect::Wg {
            return self.wg_line(RawLine { number, bytes });
        }
        let without_nul: Vec<u8>;
        let mut line = RawLine { number, bytes };
        if bytes.contains(&0) {
            without_nul = bytes.iter().copied().filter(|&byte| byte != 0).collect();
            line.bytes = &without_nul;
        }
        if !self.quick_line(line) {
            self.wg_line(line);
        }
    }

    fn error(&mut self, span: Span, problem: Problem) {
        self.errors.push(Diagnostic::new(span, problem));
    }

    fn finish(mut self) -> Result<Parsed, ParseError> {
        // wg(8) looks for keys only after the last line, so other errors come first.
        for draft in &self.peers {
            if draft.key == DraftKey::Missing {
                self.errors
                    .push(Diagnostic::new(draft.section, Problem::MissingPublicKey));
            }
        }
        if !self.errors.is_empty() {
            let mut endpoints = std::mem::take(&mut self.replaced_endpoints);
            let peers = self.peers.iter();
            endpoints.extend(peers.filter_map(|draft| draft.peer.endpoint.clone()));
            endpoints.sort_by_key(|endpoint| endpoint.span);
            let before = Before {
                endpoints,
                warnings: std::mem::take(&mut self.warnings),
            };
            if let Some(error) = ParseError::new(self.errors, before) {
                return Err(error);
            }
        }
        let peers = self.peers.into_iter().map(|draft| draft.peer).collect();
        let config = Config {
            interface: self.interface,
            peers,
        };
        Ok(Parsed {
            config,
            warnings: self.warnings,
            replaced_endpoints: self.replaced_endpoints,
        })
    }
}

impl Draft {
    fn new(section: Span) -> Self {
        let nobody = crate::key::PublicKey::new([0; crate::key::KEY_LEN]);
        let peer = Peer {
            allowed_ips: AllowedIps::default(),
            ..Peer::new(nobody)
        };
        Self {
            section,
            peer,
            key: DraftKey::Missing,
        }
    }
}
