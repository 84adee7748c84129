use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::panic;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hushwire_netlink::{DuplicateDetection, Namespace, Netlink, Prefix, Route};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::tools::search_path;
use crate::world::World;
use crate::{Error, Output, Process, Result, uapi};

/// How long a program may take for which no other limit is given.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// How long the processes of a host may take to be gone once killed.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A machine of a [`crate::Lab`]: a network stack of its own, and the programs that run on it.
///
/// When it is dropped, so are its interfaces, and every process that still runs on it is killed.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: Namespace,
    netlink: Mutex<Netlink>,
    world: Arc<World>,
}

impl Host {
    pub(crate) fn new(name: &str, world: Arc<World>) -> Result<Self> {
        let namespace = Namespace::new()?;
        let netlink = namespace.run(Netlink::open)??;
        let host = Self {
            name: name.to_owned(),
            namespace,
            netlink: Mutex::new(netlink),
            world,
        };
        // Without this the first packets of a fresh link wait about a second for the check of its link-local address.
        for name in ["all", "default"] {
            host.sysctl(&format!("net.ipv6.conf.{name}.accept_dad"), "0")?;
        }
        host.up("lo")?;
        Ok(host)
    }

    /// The host's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The host's links, addresses and routes.
    pub fn netlink(&self) -> MutexGuard<'_, Netlink> {
        self.netlink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a closure on this host, on a thread of its own: sockets that it opens, threads that it starts and /run are
    /// the host's. For programs use [`Host::spawn`] or [`Host::output`]: those started here outlive us if we are killed.
    ///
    /// # Panics
    /// When the closure does, with the same message; or when we have lost the right to enter namespaces.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.try_run(|| Ok(work())) {
            Ok(result) => result,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    fn try_run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let inside = || {
            self.world.enter()?;
            self.namespace.enter()?;
            work()
        };
        thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(payload) => panic::resume_unwind(payload),
        })
    }

    /// A command for this host, to be refined and given to [`Host::spawn`].
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut words = words.iter();
        let mut command = Command::new(words.next().map_or_else(|| OsStr::new(""), AsRef::as_ref));
        command.args(words).env("PATH", search_path());
        command
    }

    /// Starts a program on this host, with no input. What it prints is collected.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn spawn(&self, command: Command) -> Result<Process> {
        self.start(command, false)
    }

    /// As [`Host::spawn`], with a pipe as its input: [`Process::stdin`].
    ///
    /// # Errors
    /// As for [`Host::spawn`].
    pub fn spawn_with_input(&self, command: Command) -> Result<Process> {
        self.start(command, true)
    }

    fn start(&self, command: Command, piped_input: bool) -> Result<Process> {
        let world = Arc::clone(&self.world);
        self.try_run(|| {
            self.world.enter_for_children()?;
            Process::start(command, piped_input, world)
        })
    }

    /// Runs a program to its end, for a minute at most, and takes what it printed.
    ///
    /// # Errors
    /// When it fails or does not end: the error has its command line and what it printed.
    pub fn output<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Output> {
        self.output_within(DEFAULT_LIMIT, words)
    }

    /// As [`Host::output`], with another time limit.
    ///
    /// # Errors
    /// As for [`Host::output`].
    pub fn output_within<S: AsRef<OsStr>>(&self, limit: Duration, words: &[S]) -> Result<Output> {
        self.spawn(self.command(words))?.finish(limit)
    }

    /// As [`Host::output`], with a text as its input.
    ///
    /// # Errors
    /// As for [`Host::output`].
    pub fn output_with_input<S: AsRef<OsStr>>(&self, words: &[S], input: &str) -> Result<Output> {
        let mut process = self.spawn_with_input(self.command(words))?;
        if let Some(mut stdin) = process.stdin() {
            // A program that does not read all of it says so by how it ends.
            let _ = stdin.write_all(input.as_bytes());
        }
        process.finish(DEFAULT_LIMIT)
    }

    /// Sends an echo request a second until one is answered, for 20 seconds at most: so long that a tunnel whose first
    /// handshake message was lost has tried again. (Daemons of other makes lose a packet now and then as they start.)
    ///
    /// # Errors
    /// When none is answered.
    pub fn ping(&self, address: &str) -> Result<Output> {
        self.output(&["ping", "-n", "-c", "1", "-w", "20", address])
    }

    /// Sets an interface up.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn up(&self, interface: &str) -> Result<()> {
        self.with_link(interface, Netlink::set_up)
    }

    /// Sets an interface down.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn down(&self, interface: &str) -> Result<()> {
        self.with_link(interface, Netlink::set_down)
    }

    /// Deletes an interface.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn delete(&self, interface: &str) -> Result<()> {
        self.with_link(interface, Netlink::delete)
    }

    /// Sets the MTU of an interface in bytes.
    ///
    /// # Errors
    /// When there is no such interface, or it cannot do this size.
    pub fn mtu(&self, interface: &str, mtu: u32) -> Result<()> {
        self.with_link(interface, |netlink, index| netlink.set_mtu(index, mtu))
    }

    /// Gives an interface an address, such as `10.0.0.1/24` or `fd00::1/64`, usable at once.
    ///
    /// # Errors
    /// When the text is no address, the interface is not there, or has the address already.
    pub fn address(&self, interface: &str, address: &str) -> Result<()> {
        let prefix = parse_prefix(address)?;
        self.with_link(interface, |netlink, index| {
            netlink.add_address(index, prefix, DuplicateDetection::Skip)
        })
    }

    /// Takes an address from an interface.
    ///
    /// # Errors
    /// When the interface is not there, or has no such address.
    pub fn delete_address(&self, interface: &str, address: &str) -> Result<()> {
        let prefix = parse_prefix(address)?;
        self.with_link(interface, |netlink, index| {
            netlink.delete_address(index, prefix)
        })
    }

    /// Adds a route through a next hop: `route_via("0.0.0.0/0", "10.0.0.254")`.
    ///
    /// # Errors
    /// When a text is no address, the next hop cannot be reached, or there is such a route.
    pub fn route_via(&self, destination: &str, gateway: &str) -> Result<()> {
        let destination = parse_prefix(destination)?;
        let gateway: IpAddr = gateway
            .parse()
            .map_err(|_| Error::unexpected("route", format!("`{gateway}` is no address")))?;
        let added = self
            .netlink()
            .add_route(&Route::to(destination).via(gateway));
        added.map_err(|error| self.explain(error))
    }

    /// Adds a route out of an interface: `route_on("10.1.0.0/16", "wg1")`.
    ///
    /// # Errors
    /// When the text is no prefix, the interface is not there or down, or there is such a route.
    pub fn route_on(&self, destination: &str, interface: &str) -> Result<()> {
        let destination = parse_prefix(destination)?;
        self.with_link(interface, |netlink, index| {
            netlink.add_route(&Route::to(destination).on(index))
        })
    }

    fn with_link<T>(
        &self,
        interface: &str,
        change: impl FnOnce(&mut Netlink, u32) -> hushwire_netlink::Result<T>,
    ) -> Result<T> {
        let mut netlink = self.netlink();
        let index = netlink.index_of(interface);
        index
            .and_then(|index| change(&mut netlink, index))
            .map_err(|error| self.explain(error))
    }

    fn explain(&self, source: hushwire_netlink::Error) -> Error {
        Error::OnHost {
            host: self.name.clone(),
            source,
        }
    }

    /// Sets a kernel parameter of this host's network stack: `sysctl("net.ipv4.ip_forward", "1")`. An interface name
    /// with a dot in it is written with slashes, as sysctl(8) has it: `net/ipv4/conf/eth0.1/rp_filter`.
    ///
    /// # Errors
    /// When there is no such parameter, or it is none of the network's.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = sysctl_path(name)?;
        let write = || {
            fs::write(&path, value)
                .map_err(|e| Error::system(format!("set sysctl {name} to {value}"), e))
        };
        self.try_run(write)
    }

    /// Reads a kernel parameter of this host's network stack.
    ///
    /// # Errors
    /// As for [`Host::sysctl`].
    pub fn read_sysctl(&self, name: &str) -> Result<String> {
        let path = sysctl_path(name)?;
        let read = || {
            fs::read_to_string(&path).map_err(|e| Error::system(format!("read sysctl {name}"), e))
        };
        Ok(self.try_run(read)?.trim().to_owned())
    }

    /// Makes the host forward packets of both families, as a router does.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forward(&self) -> Result<()> {
        self.sysctl("net.ipv4.ip_forward", "1")?;
        self.sysctl("net.ipv6.conf.all.forwarding", "1")
    }

    /// Talks to a WireGuard device over its control socket: sends a whole request, blank line included, and returns the
    /// whole answer. Which host of the lab asks makes no difference.
    ///
    /// # Errors
    /// When there is no such socket, or no answer within a minute.
    pub fn uapi(&self, interface: &str, request: &str) -> Result<String> {
        self.try_run(|| uapi::exchange(interface, request))
    }

    /// The ids of all processes on this host, those in the background too; our own never counts.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let Ok(id) = self.namespace.id() else {
            return Vec::new();
        };
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != std::process::id() && Namespace::id_of_process(*pid) == Some(id))
            .collect()
    }

    /// Kills all processes on this host and waits until they are gone.
    pub fn kill_processes(&self) {
        let deadline = Instant::now() + KILL_LIMIT;
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() >= deadline {
                return;
            }
            left.iter().for_each(|pid| self.kill_process(*pid));
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills a process if it still is on this host: its number may have gone to another since we looked.
    fn kill_process(&self, pid: u32) {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        let Ok(descriptor) = pidfd_open(raw, PidfdFlags::empty()) else {
            return;
        };
        if Namespace::id_of_process(pid) == self.namespace.id().ok() {
            let _ = pidfd_send_signal(descriptor, Signal::KILL);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill_processes();
    }
}

fn parse_prefix(text: &str) -> Result<Prefix> {
    text.parse()
        .map_err(|error| Error::unexpected("laboratory", error))
}

/// The file of a network parameter, in the spelling of sysctl(8).
fn sysctl_path(name: &str) -> Result<String> {
    let path = if name.contains('/') {
        name.to_owned()
    } else {
        name.replace('.', "/")
    };
    if !path.starts_with("net/") || path.split('/').any(|part| part.is_empty() || part == "..") {
        return Err(Error::unexpected(
            format!("sysctl {name}"),
            "only parameters under net. belong to one host",
        ));
    }
    Ok(format!("/proc/sys/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_the_network_are_a_hosts_own() {
        assert_eq!(
            sysctl_path("net.ipv4.ip_forward").unwrap(),
            "/proc/sys/net/ipv4/ip_forward"
        );
        assert_eq!(
            sysctl_path("net/ipv4/conf/eth0.1/rp_filter").unwrap(),
            "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"
        );
        for name in [
            "kernel.hostname",
            "net/../kernel/hostname",
            "net..x",
            "",
            "net",
        ] {
            assert!(sysctl_path(name).is_err(), "{name}");
        }
    }
}
