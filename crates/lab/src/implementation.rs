use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use std::{env, fmt};

use rustix::process::Signal;

use crate::tools::is_executable;
use crate::{Error, Host, Process, Result, uapi, wait_until};

/// How long a daemon may take until its control socket answers.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a daemon may take to end when asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A userspace WireGuard daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implementation {
    /// Ours. `HUSHWIRED` names the binary, else it is target/release/hushwired of the workspace.
    Hushwired,
    /// The reference implementation, in Go.
    WireguardGo,
    /// Cloudflare's, in Rust.
    Boringtun,
    /// Mullvad's, in Rust.
    Gotatun,
}

impl Implementation {
    /// All of them, ours first.
    pub const ALL: [Self; 4] = [
        Self::Hushwired,
        Self::WireguardGo,
        Self::Boringtun,
        Self::Gotatun,
    ];
    /// Those of other makes.
    pub const OTHERS: [Self; 3] = [Self::WireguardGo, Self::Boringtun, Self::Gotatun];

    /// The name it is known by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hushwired => "hushwired",
            Self::WireguardGo => "wireguard-go",
            Self::Boringtun => "boringtun",
            Self::Gotatun => "gotatun",
        }
    }

    /// Where its binary is.
    ///
    /// Those of other makes are looked for in the directory that `HUSHWIRE_PEERS_DIR` names, else in target/peers/bin of
    /// the workspace.
    ///
    /// # Errors
    /// When it is not there: with the path and how to get it.
    pub fn binary(self) -> Result<PathBuf> {
        let (candidates, advice) = match self {
            Self::Hushwired => (
                vec![release_binary("hushwired")],
                "build it with `cargo build --release --bin hushwired`, or name it in HUSHWIRED",
            ),
            _ => (
                self.file_names()
                    .iter()
                    .map(|name| peers_directory().join(name))
                    .collect(),
                "run `cargo xtask install-peers`, or name its directory in HUSHWIRE_PEERS_DIR",
            ),
        };
        if let Some(found) = candidates.iter().find(|path| is_executable(path)) {
            return Ok(found.clone());
        }
        let places: Vec<_> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Err(Error::MissingImplementation {
            name: self.name(),
            advice: format!("nothing at {}; {advice}", places.join(" or ")),
        })
    }

    fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Hushwired => &["hushwired"],
            Self::WireguardGo => &["wireguard-go"],
            Self::Boringtun => &["boringtun-cli"],
            Self::Gotatun => &["gotatun", "gotatun-cli"],
        }
    }

    /// Starts it in the foreground on a host with a new interface, and waits until its control socket answers.
    ///
    /// # Errors
    /// When its binary is missing, or it ends or says nothing: with what it printed.
    pub fn start(self, host: &Host, interface: &str) -> Result<Daemon> {
        self.start_with(host, interface, &[])
    }

    /// As [`Implementation::start`], with environment variables.
    ///
    /// # Errors
    /// As for [`Implementation::start`].
    pub fn start_with(
        self,
        host: &Host,
        interface: &str,
        environment: &[(&str, &str)],
    ) -> Result<Daemon> {
        let binary = self.binary()?;
        let mut command = host.command(&[binary.as_os_str()]);
        command.args(self.foreground_arguments()).arg(interface);
        command.envs(environment.iter().copied());
        self.start_command(host, interface, command)
    }

    /// Starts it by a command of the caller's, which must run in the foreground, and waits as [`Implementation::start`].
    ///
    /// # Errors
    /// When there is no such program, or it ends or says nothing: with what it printed.
    pub fn start_command(self, host: &Host, interface: &str, command: Command) -> Result<Daemon> {
        let mut daemon = Daemon {
            implementation: self,
            interface: interface.to_owned(),
            process: host.spawn(command)?,
        };
        daemon.wait_until_usable(host)?;
        Ok(daemon)
    }

    fn foreground_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Hushwired | Self::WireguardGo => &["-f"],
            // Both give up root for a user of the environment's (`SUDO_UID`) unless told otherwise.
            Self::Boringtun | Self::Gotatun => &["-f", "--disable-drop-privileges"],
        }
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A running WireGuard daemon with one interface. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Daemon {
    implementation: Implementation,
    interface: String,
    process: Process,
}

impl Daemon {
    /// Which one it is.
    #[must_use]
    pub fn implementation(&self) -> Implementation {
        self.implementation
    }

    /// The name of its interface when it was started.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The process, for its figures and what it printed.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after the limit.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not end in ten seconds; it is killed then.
    pub fn stop(mut self) -> Result<()> {
        if self.process.is_running() {
            self.process.signal(Signal::TERM)?;
        }
        self.process.wait(STOP_LIMIT).map(|_| ())
    }

    /// Ends it without giving it a chance to clean up (SIGKILL), as a crash would.
    pub fn kill(mut self) {
        self.process.kill();
    }

    fn wait_until_usable(&mut self, host: &Host) -> Result<()> {
        let process = &mut self.process;
        let interface = self.interface.as_str();
        let waited = host.run(|| {
            wait_until(
                START_LIMIT,
                &format!("start `{}`", process.command()),
                || {
                    !process.is_running()
                        || uapi::exchange(interface, "get=1\n\n")
                            .is_ok_and(|answer| uapi::errno(&answer) == Some(0))
                },
            )
        });
        let output = self.process.output();
        match waited {
            Ok(()) if self.process.is_running() => Ok(()),
            Ok(()) => Err(Error::Failed {
                command: self.process.command().to_owned(),
                code: self.process.wait(STOP_LIMIT)?.code(),
                output,
            }),
            Err(Error::TimedOut { what, limit, .. }) => Err(Error::TimedOut {
                what,
                limit,
                output,
            }),
            Err(error) => Err(error),
        }
    }
}

/// A binary of ours: the one that the environment names (`HUSHWIRED`, `HUSHWIRE`), else the workspace's release build.
pub(crate) fn release_binary(name: &str) -> PathBuf {
    match env::var_os(name.to_uppercase()) {
        Some(path) => path.into(),
        None => {
            let target = env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| PathBuf::from("target"), PathBuf::from);
            workspace().join(target).join("release").join(name)
        }
    }
}

/// Where the programs of other makes are: `HUSHWIRE_PEERS_DIR`, or target/peers/bin of the workspace. What else
/// `cargo xtask install-peers` brings lies beside it.
#[must_use]
pub fn peers_directory() -> PathBuf {
    match env::var_os("HUSHWIRE_PEERS_DIR") {
        Some(path) => path.into(),
        None => workspace().join("target/peers/bin"),
    }
}

/// The workspace that the running program belongs to, by where cargo or whoever it was started it. The compiler could tell
/// too, but then its place would be in every program that this is part of, and no two builds would be the same.
fn workspace() -> PathBuf {
    let start = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(|| env::current_dir().ok())
        .unwrap_or_default();
    let found = start.ancestors().find(|at| at.join("Cargo.lock").is_file());
    found.unwrap_or(&start).to_owned()
}
