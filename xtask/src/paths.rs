//! Where things are in the workspace.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace and the folders in it that the tasks use.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    root: PathBuf,
    target: PathBuf,
}

impl Paths {
    /// Finds the workspace this program was built from.
    pub(crate) fn new() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().unwrap_or(here).to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(PathBuf::from(dir)));
        Self { root, target }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything is built.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A release binary of the workspace.
    pub(crate) fn release(&self, binary: &str) -> PathBuf {
        self.target.join("release").join(binary)
    }

    /// A folder for files on their way to be installed.
    pub(crate) fn staging(&self) -> PathBuf {
        self.target.join("install")
    }

    /// The package of the fuzz targets' programs.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.root.join("fuzz")
    }

    /// Where fuzz targets are built, and what they find is kept.
    pub(crate) fn fuzz_target(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// The folder of Debian packages that are made here.
    pub(crate) fn package(&self) -> PathBuf {
        self.target.join("package")
    }

    /// Where the programs are built twice.
    pub(crate) fn reproducible(&self) -> PathBuf {
        self.target.join("reproducible")
    }

    /// Peers of other makes, kept apart from the builds so that any target folder finds them.
    pub(crate) fn peers(&self) -> PathBuf {
        self.root.join("target/peers")
    }

    /// The folder of the peers' programs.
    pub(crate) fn peers_bin(&self) -> PathBuf {
        self.peers().join("bin")
    }

    /// The folder of what the virtual machine is made from; the laboratory looks for it beside the peers' programs.
    pub(crate) fn vm(&self) -> PathBuf {
        self.peers().join("vm")
    }
}
