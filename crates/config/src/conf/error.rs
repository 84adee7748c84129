//! Why a file is no config file.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::conf::diagnostic::{Diagnostic, Problem};
use crate::conf::span::Spanned;
use crate::endpoint::Endpoint;

/// All that is wrong with a file's text, first things first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    path: Option<PathBuf>,
    diagnostics: Vec<Diagnostic>,
    before: Before,
}

/// What stands in a file before the first error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) endpoints: Vec<Spanned<Endpoint>>,
}

impl ParseError {
    /// `None` if there is nothing to tell.
    pub(super) fn new(diagnostics: Vec<Diagnostic>, mut before: Before) -> Option<Self> {
        let first = diagnostics.first()?;
        // What is missing from a section shows at the end of the file only.
        if first.problem != Problem::MissingPublicKey {
            before.warnings.retain(|warning| warning.span < first.span);
            before
                .endpoints
                .retain(|endpoint| endpoint.span < first.span);
        }
        Some(Self {
            path: None,
            diagnostics,
            before,
        })
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(self, path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// The findings.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What the file perhaps does not mean, up to the first finding.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.before.warnings
    }

    /// The endpoints up to the first finding: wg(8) looks each up as it comes to it, and may
    /// find none before it comes to the error.
    #[must_use]
    pub fn endpoints(&self) -> &[Spanned<Endpoint>] {
        &self.before.endpoints
    }

    /// What the standard tools print: about the first finding only, and quoting what was
    /// written, keys included. Lines end with a newline.
    #[must_use]
    pub fn standard_message(&self) -> Zeroizing<String> {
        self.diagnostics
            .first()
            .and_then(|first| first.problem.standard_message())
            .unwrap_or_default()
    }
}

/// A line for each finding.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match &self.path {
                Some(path) => write!(f, "{newline}{}", diagnostic.in_file(path))?,
                None => write!(f, "{newline}{diagnostic}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}
