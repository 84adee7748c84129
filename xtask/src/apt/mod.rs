//! Packages out of Debian without touching the system's package sources.

mod private;
mod sources;

pub(crate) use private::extract_package;
pub(crate) use sources::{Source, mirror};
