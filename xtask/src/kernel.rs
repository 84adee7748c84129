//! What the virtual machine of the tests is made from: a kernel of Debian's that has all of WireGuard, the modules that
//! the tests need, and the newest wg(8) and wg-quick(8) that Debian has, which those tests compare ours with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::output;
use crate::stamp::Stamp;

/// Debian 12's own kernel cannot take single allowed IPs away, nor can its wg(8).
const SUITE: &str = "trixie-backports";
/// The flavour without drivers of real hardware.
const KERNEL: &str = "linux-image-cloud-amd64";
/// A kernel comes in several packages; which, has changed over time.
const KERNEL_PARTS: &[&str] = &["linux-image-", "linux-binary-", "linux-modules-"];
/// What the tests need; what these need themselves is found out.
const MODULES: &[&str] = &[
    "tun",
    "veth",
    "wireguard",
    // What the firewall rules of wg-quick(8) are made of.
    "nf_tables",
    "nft_ct",
    "nft_fib_ipv4",
    "nft_fib_ipv6",
];
/// wg(8), wg-quick(8), and the C library they were made for, which may be newer than this system's.
const REFERENCE: &[&str] = &[
    "usr/bin/wg",
    "usr/bin/wg-quick",
    "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
];

/// Puts it all into `target/peers/vm`; what is there already stays.
pub(crate) fn install(paths: &Paths) -> Result<()> {
    let vm = paths.vm();
    let kernel = vm.join("vmlinuz");
    let stamp = Stamp::new(
        paths,
        "vm",
        format!(
            "{KERNEL}/{SUITE} {} {}",
            MODULES.join(" "),
            REFERENCE.join(" ")
        ),
    );
    if stamp.is_fresh(&kernel) {
        return Ok(());
    }
    eprintln!("installing a kernel from {}", stamp.wanted());
    let unpacked = vm.join("unpacked");
    for old in [&unpacked, &vm.join("modules"), &vm.join("reference")] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(Error::file("remove", old))?;
        }
    }
    fs::create_dir_all(&unpacked).map_err(Error::file("make the folder", &unpacked))?;
    let work = paths.peers().join("apt");
    let linux = apt::extract_package(KERNEL, SUITE, KERNEL_PARTS, &work, &unpacked)?;
    let tools = apt::extract_package("wireguard-tools", SUITE, &["libc6"], &work, &unpacked)?;

    let files = Files::below(&unpacked)?;
    copy(files.kernel()?, &kernel)?;
    let order = loading_order(MODULES, |module| files.module(module))?;
    for (place, module) in order.iter().enumerate() {
        let to = vm.join(format!("modules/{place:02}-{}.ko", module.name));
        write(&to, &module.content)?;
    }
    for part in REFERENCE {
        let from = unpacked.join(part);
        let name = from.file_name().unwrap_or_default();
        copy(&from, &vm.join("reference").join(name))?;
    }
    fs::remove_dir_all(&unpacked).map_err(Error::file("remove", &unpacked))?;
    stamp.write()?;
    eprintln!("Linux {linux} and wireguard-tools {tools} are in place");
    Ok(())
}

/// The files of the unpacked packages, by name.
struct Files(BTreeMap<String, PathBuf>);

impl Files {
    fn below(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).map_err(Error::file("list the folder", &folder))?;
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if let Some(name) = path.file_name() {
                    files.insert(name.to_string_lossy().into_owned(), path);
                }
            }
        }
        Ok(Self(files))
    }

    /// `vmlinuz` beside the modules, or `vmlinuz-VERSION` in /boot.
    fn kernel(&self) -> Result<&Path> {
        let found = self.0.iter().find(|(name, path)| {
            (*name == "vmlinuz" || name.starts_with("vmlinuz-")) && path.is_file()
        });
        found
            .map(|(_, path)| path.as_path())
            .ok_or_else(|| Error::Machine(format!("there is no kernel in {KERNEL} of {SUITE}")))
    }

    /// A module's content, decompressed.
    fn module(&self, name: &str) -> Result<Vec<u8>> {
        // Files are named with either sign, modules with the second only.
        for name in [name.to_owned(), name.replace('_', "-")] {
            if let Some(path) = self.0.get(&format!("{name}.ko")) {
                return fs::read(path).map_err(Error::file("read", path));
            }
            if let Some(path) = self.0.get(&format!("{name}.ko.xz")) {
                return output(Command::new("xz").arg("-dc").arg(path));
            }
        }
        Err(Error::Machine(format!(
            "the kernel of {SUITE} has no module {name} in a form known here (.ko, .ko.xz)"
        )))
    }
}

#[derive(Debug)]
struct Module {
    name: String,
    content: Vec<u8>,
}

/// Modules and what they need, each after what it needs.
fn loading_order(wanted: &[&str], read: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<Module>> {
    let mut order = Vec::new();
    for module in wanted {
        append(module, &read, &mut order)?;
    }
    Ok(order)
}

fn append(
    name: &str,
    read: &impl Fn(&str) -> Result<Vec<u8>>,
    order: &mut Vec<Module>,
) -> Result<()> {
    if order.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let content = read(name)?;
    for needed in needs(&content) {
        append(&needed, read, order)?;
    }
    order.push(Module {
        name: name.to_owned(),
        content,
    });
    Ok(())
}

/// The modules that a module says it needs: the entry `depends=a,b` among the zero-terminated ones of its `.modinfo`.
fn needs(content: &[u8]) -> Vec<String> {
    let list = content
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(b"depends="))
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).map_err(Error::file("read", from))?;
    write(to, &content)
}

fn write(to: &Path, content: &[u8]) -> Result<()> {
    let folder = to.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).map_err(Error::file("make the folder", folder))?;
    fs::write(to, content).map_err(Error::file("write", to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> Result<Vec<u8>> {
        let depends = match name {
            "wireguard" => "udp_tunnel,chacha",
            "chacha" => "libchacha",
            "udp_tunnel" | "libchacha" | "tun" => "",
            _ => return Err(Error::Machine(format!("no {name}"))),
        };
        Ok(format!("\x7fELF\0license=GPL\0depends={depends}\0retpoline=Y\0").into_bytes())
    }

    #[test]
    fn a_module_comes_after_what_it_needs_and_once() {
        let order = loading_order(&["tun", "wireguard", "chacha"], module).expect("all there");
        let names: Vec<&str> = order.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(
            names,
            ["tun", "udp_tunnel", "libchacha", "chacha", "wireguard"]
        );
    }

    #[test]
    fn a_module_that_is_not_there_is_an_error() {
        let error = loading_order(&["veth"], module).expect_err("no veth");
        assert_eq!(error.to_string(), "no veth");
    }
}
