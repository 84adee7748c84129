//! What is in the machine: the kernel, and its first file system with our programs and a few of the system's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, process};

use super::cpio::Archive;
use super::guest::{INIT, MODULES};
use super::{REFERENCE_WG, REFERENCE_WG_QUICK};
use crate::implementation::release_binary;
use crate::tools::{find_tool, search_path};
use crate::{Error, Implementation, Result, peers_directory, require_tools};

/// Programs of the system that the laboratory, the checks and wg-quick(8) call.
const TOOLS: [&str; 14] = [
    "bash", "cat", "env", "ip", "nft", "ping", "readlink", "setpriv", "sh", "sleep", "sort",
    "stat", "sysctl", "true",
];
/// wg(8) and what it needs, as `cargo xtask install-peers` leaves it.
const REFERENCE: [&str; 3] = ["ld-linux-x86-64.so.2", "libc.so.6", "wg"];
/// Directories in which there is nothing at first.
const EMPTY: [&str; 5] = ["/proc", "/sys", "/run", "/tmp", "/var"];

/// A machine to be booted, in a directory of its own that goes away with this value.
#[derive(Debug)]
pub(super) struct Image {
    directory: PathBuf,
    kernel: PathBuf,
}

impl Image {
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn kernel(&self) -> &Path {
        &self.kernel
    }

    pub(super) fn file_system(&self) -> PathBuf {
        self.directory.join("initramfs")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Puts together what the calling program needs to run in the machine.
pub(super) fn build() -> Result<Image> {
    require_tools(&TOOLS)?;
    let parts = Parts::find()?;
    let directory = env::temp_dir().join(format!("hushwire-lab-vm-{}", process::id()));
    let creating = |e| Error::system(format!("make {}", directory.display()), e);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(creating)?;
    let image = Image {
        directory,
        kernel: parts.kernel.clone(),
    };
    let path = image.file_system();
    let writing = |e| Error::system(format!("write {}", path.display()), e);
    let file = File::create(&path).map_err(writing)?;
    let mut tree = Tree::new(Archive::new(BufWriter::new(file)));
    parts.put_into(&mut tree)?;
    tree.archive.finish().map_err(writing)?;
    Ok(image)
}

/// Where everything comes from.
#[derive(Debug)]
struct Parts {
    kernel: PathBuf,
    modules: Vec<PathBuf>,
    reference: PathBuf,
    hushwire: PathBuf,
    hushwired: PathBuf,
    init: PathBuf,
}

impl Parts {
    fn find() -> Result<Self> {
        let vm = peers_directory().with_file_name("vm");
        let mut modules: Vec<PathBuf> = fs::read_dir(vm.join("modules"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        modules.sort();
        let parts = Self {
            kernel: vm.join("vmlinuz"),
            modules,
            reference: vm.join("reference"),
            hushwire: release_binary("hushwire"),
            hushwired: Implementation::Hushwired.binary()?,
            init: env::current_exe().map_err(|e| Error::system("find this program", e))?,
        };
        let installed = !parts.modules.is_empty() && parts.kernel.is_file();
        let is_there = |name: &str| parts.reference.join(name).is_file();
        if !installed || !is_there("wg") || !is_there("wg-quick") {
            return Err(Error::MissingImplementation {
                name: "a kernel for the virtual machine",
                advice: format!(
                    "nothing at {}; run `cargo xtask install-peers`, or name the directory beside it in \
                     HUSHWIRE_PEERS_DIR",
                    vm.display()
                ),
            });
        }
        if !parts.hushwire.is_file() {
            return Err(Error::MissingImplementation {
                name: "hushwire",
                advice: format!(
                    "nothing at {}; build it with `cargo build --release --bin hushwire`, or name it in HUSHWIRE",
                    parts.hushwire.display()
                ),
            });
        }
        Ok(parts)
    }

    fn put_into(&self, tree: &mut Tree) -> Result<()> {
        for directory in EMPTY {
            tree.directory(Path::new(directory))?;
        }
        // Where programs look for control sockets; /run is the same as outside.
        tree.link("/var/run", "/run")?;
        // Without these two a Rust program would not even start.
        tree.device("/dev/console", (5, 1))?;
        tree.device("/dev/null", (1, 3))?;
        tree.program(&self.init, INIT)?;
        tree.program(&self.hushwired, "/bin/hushwired")?;
        tree.program(&self.hushwire, "/bin/hushwire")?;
        for name in ["wg", "wg-quick"] {
            tree.link(&format!("/bin/{name}"), "hushwire")?;
        }
        // One name of a service, and one of a host.
        tree.text("/etc/services", "domain 53/tcp\ndomain 53/udp\n")?;
        tree.text("/etc/hosts", "127.0.0.1 localhost\n")?;
        for tool in TOOLS {
            let found = find_tool(tool).unwrap_or_else(|| PathBuf::from(tool));
            tree.program(&found, &format!("/bin/{tool}"))?;
        }
        for name in REFERENCE {
            tree.file(&self.reference.join(name), &format!("/reference/{name}"))?;
        }
        // The script looks for programs beside itself first.
        let script = self.reference.join("wg-quick");
        tree.file(&script, REFERENCE_WG_QUICK)?;
        let wg = format!("#!/bin/sh\nexec {} \"$@\"\n", REFERENCE_WG.join(" "));
        tree.script("/reference/bin/wg", &wg)?;
        for module in &self.modules {
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            tree.file(module, &format!("{MODULES}/{name}"))?;
        }
        Ok(())
    }
}

/// An archive in which each thing is once, and every directory before what is in it.
struct Tree {
    archive: Archive<BufWriter<File>>,
    there: BTreeSet<PathBuf>,
}

impl Tree {
    fn new(archive: Archive<BufWriter<File>>) -> Self {
        Self {
            archive,
            there: BTreeSet::from([PathBuf::from("/")]),
        }
    }

    fn directory(&mut self, path: &Path) -> Result<()> {
        if !self.there.insert(path.to_owned()) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        let written = self.archive.directory(&path.to_string_lossy());
        written.map_err(|e| writing(path, e))
    }

    /// Makes room for a thing; tells whether it is not there yet.
    fn make_way(&mut self, path: &str) -> Result<bool> {
        let path = Path::new(path);
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        Ok(self.there.insert(path.to_owned()))
    }

    fn link(&mut self, path: &str, to: &str) -> Result<()> {
        self.make_way(path)?;
        let written = self.archive.link(path, to);
        written.map_err(|e| writing(path.as_ref(), e))
    }

    fn device(&mut self, path: &str, number: (u32, u32)) -> Result<()> {
        self.make_way(path)?;
        let written = self.archive.device(path, number);
        written.map_err(|e| writing(path.as_ref(), e))
    }

    fn file(&mut self, from: &Path, to: &str) -> Result<()> {
        if !self.make_way(to)? {
            return Ok(());
        }
        let content =
            fs::read(from).map_err(|e| Error::system(format!("read {}", from.display()), e))?;
        let written = self.archive.file(to, 0o755, &content);
        written.map_err(|e| writing(to.as_ref(), e))
    }

    fn text(&mut self, path: &str, content: &str) -> Result<()> {
        self.written(path, content, 0o644)
    }

    fn script(&mut self, path: &str, content: &str) -> Result<()> {
        self.written(path, content, 0o755)
    }

    fn written(&mut self, path: &str, content: &str, mode: u32) -> Result<()> {
        self.make_way(path)?;
        let written = self.archive.file(path, mode, content.as_bytes());
        written.map_err(|e| writing(path.as_ref(), e))
    }

    /// A program, and the shared libraries that it is linked to.
    fn program(&mut self, from: &Path, to: &str) -> Result<()> {
        self.file(from, to)?;
        for library in libraries(from)? {
            self.file(Path::new(&library), &library)?;
        }
        Ok(())
    }
}

fn writing(path: &Path, source: std::io::Error) -> Error {
    Error::system(format!("write {} into the image", path.display()), source)
}

/// The paths of the shared libraries of a program, its loader among them, by ldd(1).
fn libraries(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("ldd")
        .arg(program)
        .env("PATH", search_path())
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| Error::system("start ldd", e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        return Err(Error::unexpected(program.to_string_lossy(), line.trim()));
    }
    Ok(text
        .lines()
        .filter_map(library)
        .map(str::to_owned)
        .collect())
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)` or `/lib64/ld-linux-x86-64.so.2 (0x...)`; the kernel's own
/// has no path.
fn library(line: &str) -> Option<&str> {
    let found = line.split_once(" => ").map_or(line, |(_, found)| found);
    let path = found.trim().split(' ').next()?;
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        let text = "\tlinux-vdso.so.1 (0x00007fff)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n\
            \tstatically linked\n";
        let found: Vec<&str> = text.lines().filter_map(library).collect();
        assert_eq!(
            found,
            [
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib64/ld-linux-x86-64.so.2"
            ]
        );
    }
}
