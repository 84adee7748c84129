//! The Debian packages whose programs the tests call.

use std::fs;
use std::process::Command;

use crate::error::Result;
use crate::process::{as_root, find_tool, run};

/// A program the tests call, and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "c++",
        package: "g++",
    },
    Tool {
        program: "debootstrap",
        package: "debootstrap",
    },
    Tool {
        program: "dpkg-shlibdeps",
        package: "dpkg-dev",
    },
    Tool {
        program: "fish",
        package: "fish",
    },
    Tool {
        program: "groff",
        package: "groff-base",
    },
    Tool {
        program: "ip",
        package: "iproute2",
    },
    Tool {
        program: "iptables",
        package: "iptables",
    },
    Tool {
        program: "iperf3",
        package: "iperf3",
    },
    Tool {
        program: "nft",
        package: "nftables",
    },
    Tool {
        program: "nmap",
        package: "nmap",
    },
    Tool {
        program: "ping",
        package: "iputils-ping",
    },
    Tool {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
    },
    Tool {
        program: "setpriv",
        package: "util-linux",
    },
    Tool {
        program: "ss",
        package: "iproute2",
    },
    Tool {
        program: "strace",
        package: "strace",
    },
    Tool {
        program: "sysctl",
        package: "procps",
    },
    Tool {
        program: "taskset",
        package: "util-linux",
    },
    Tool {
        program: "unshare",
        package: "util-linux",
    },
    Tool {
        program: "valgrind",
        package: "valgrind",
    },
    Tool {
        program: "wg",
        package: "wireguard-tools",
    },
    Tool {
        program: "wg-quick",
        package: "wireguard-tools",
    },
    Tool {
        program: "xz",
        package: "xz-utils",
    },
    Tool {
        program: "zsh",
        package: "zsh",
    },
];

/// Installs what is missing; says nothing and needs no privilege when nothing is.
pub(crate) fn install() -> Result<()> {
    install_those(|_| true)
}

/// Installs the package of one program, if it is missing.
pub(crate) fn install_one(program: &str) -> Result<()> {
    install_those(|tool| tool.program == program)
}

fn install_those(wanted: impl Fn(&Tool) -> bool) -> Result<()> {
    let mut missing: Vec<&str> = TOOLS
        .iter()
        .filter(|tool| wanted(tool) && find_tool(tool.program).is_none())
        .map(|tool| tool.package)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let what_for = format!("install the Debian packages {}", missing.join(", "));
    if !have_lists() {
        update(&what_for)?;
        return run(&mut install_command(&missing, &what_for)?);
    }
    run(&mut install_command(&missing, &what_for)?).or_else(|_| {
        // The lists were there but older than what the mirror still has.
        update(&what_for)?;
        run(&mut install_command(&missing, &what_for)?)
    })
}

fn update(what_for: &str) -> Result<()> {
    run(as_root("apt-get", what_for)?.arg("update"))
}

fn install_command(packages: &[&str], what_for: &str) -> Result<Command> {
    let mut command = as_root("env", what_for)?;
    command
        .args([
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
        ])
        .args(packages);
    Ok(command)
}

fn have_lists() -> bool {
    fs::read_dir("/var/lib/apt/lists").is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        })
    })
}
