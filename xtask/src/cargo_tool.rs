//! Programs of crates.io that the tasks use.

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::peers;
use crate::stamp::Stamp;

/// A program in a pinned version.
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
    /// What it is built with: where it hardly works, a quick build is worth more than a quick program.
    profile: &'static str,
}

/// Packs what is laid out.
pub(crate) const CARGO_DEB: CargoTool = CargoTool {
    name: "cargo-deb",
    version: "3.8.0",
    profile: "release",
};

/// Looks through the dependencies.
pub(crate) const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
    profile: "dev",
};

impl CargoTool {
    /// Puts it beside the peers; one of the pinned version stays. Its path.
    pub(crate) fn install(&self, paths: &Paths) -> Result<PathBuf> {
        let bin = paths.peers_bin();
        fs::create_dir_all(&bin).map_err(Error::file("make the folder", &bin))?;
        let program = bin.join(self.name);
        let stamp = Stamp::new(paths, self.name, format!("{} {}", self.name, self.version));
        if !stamp.is_fresh(&program) {
            eprintln!("installing {}", stamp.wanted());
            peers::from_crate(self.name, self.version, self.profile, paths)?;
            stamp.write()?;
        }
        Ok(program)
    }
}
