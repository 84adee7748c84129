//! The program that packs.

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::peers;
use crate::stamp::Stamp;

const NAME: &str = "cargo-deb";
const VERSION: &str = "3.8.0";

/// Puts it beside the peers; one of the pinned version stays. Its path.
pub(crate) fn install(paths: &Paths) -> Result<PathBuf> {
    let bin = paths.peers_bin();
    fs::create_dir_all(&bin).map_err(Error::file("make the folder", &bin))?;
    let program = bin.join(NAME);
    let stamp = Stamp::new(paths, NAME, format!("{NAME} {VERSION}"));
    if !stamp.is_fresh(&program) {
        eprintln!("installing {}", stamp.wanted());
        peers::from_crate(NAME, VERSION, paths)?;
        stamp.write()?;
    }
    Ok(program)
}
