//! Notes of what things were made from, so that they are made again only when that changes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::paths::Paths;

/// A note of what something in `target/peers` was made from.
pub(crate) struct Stamp {
    file: PathBuf,
    wanted: String,
}

impl Stamp {
    /// The note about the thing of that name, and what it should say.
    pub(crate) fn new(paths: &Paths, name: &str, wanted: String) -> Self {
        Self {
            file: paths.peers().join("stamps").join(name),
            wanted,
        }
    }

    pub(crate) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Whether the thing is there and the note says what it should.
    pub(crate) fn is_fresh(&self, thing: &Path) -> bool {
        thing.is_file() && fs::read_to_string(&self.file).is_ok_and(|text| text == self.wanted)
    }

    pub(crate) fn write(&self) -> Result<()> {
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder).map_err(Error::file("make the folder", folder))?;
        fs::write(&self.file, &self.wanted).map_err(Error::file("write", &self.file))
    }
}
