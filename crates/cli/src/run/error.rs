//! Why a configuration cannot be brought up, or down.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use hushwire_config::conf::Table;
use hushwire_config::uapi::Errno;
use hushwire_engine::StartError;
use hushwire_engine::uapi::SocketError;
use hushwire_io::tun::TunError;

#[derive(Debug)]
pub(super) enum Error {
    /// Lines that begin with the file's name.
    Configuration(String),
    /// The device did not take its own configuration.
    Configure(Errno),
    Hook {
        key: &'static str,
        command: String,
        status: ExitStatus,
    },
    HookNotStarted {
        key: &'static str,
        source: io::Error,
    },
    /// IPv6 is off here, and yet in use.
    Ipv6,
    Netlink(hushwire_netlink::Error),
    Read(PathBuf, io::Error),
    Retries(String),
    /// There is a route to one of the allowed IPs already.
    RouteTaken(hushwire_netlink::Error),
    Signals(io::Error),
    Socket(SocketError),
    Start(StartError),
    Table(Table),
    Tun(TunError),
    TunName(io::Error),
    /// No interface can have the file's name.
    Unnamed(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(lines) => f.write_str(lines),
            Self::Configure(errno) => write!(f, "the device refused its configuration: {errno}"),
            Self::Hook {
                key,
                command,
                status,
            } => write!(f, "the {key} command `{command}` failed: {status}"),
            Self::HookNotStarted { key, source } => write!(
                f,
                "cannot start bash for the {key} commands: {source}; install bash or remove them"
            ),
            Self::Ipv6 => f.write_str(
                "IPv6 is off for new interfaces but in use on others, so that what should go \
                 through the tunnel would not; `sysctl net.ipv6.conf.default.disable_ipv6=0`, or \
                 take the IPv6 prefixes out of the file",
            ),
            Self::Netlink(error) => error.fmt(f),
            Self::Read(path, error) => write!(
                f,
                "cannot read {}: {error}; name a configuration file, or an interface that has \
                 one in /etc/wireguard",
                path.display()
            ),
            Self::Retries(error) => f.write_str(error),
            Self::RouteTaken(error) => write!(
                f,
                "{error}; remove that route, or choose another `Table`, or `Table = off`"
            ),
            Self::Signals(error) => write!(f, "cannot catch signals: {error}"),
            Self::Socket(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Table(table) => write!(
                f,
                "there is no routing table `{table}`; name it in /etc/iproute2/rt_tables, or \
                 use its number"
            ),
            Self::Tun(error) => error.fmt(f),
            Self::TunName(error) => write!(f, "cannot tell the interface's name: {error}"),
            Self::Unnamed(path) => write!(
                f,
                "no interface can be named after {}; rename it to INTERFACE.conf, with 1 to 15 \
                 letters, digits and _=+.-, or use --name",
                path.display()
            ),
        }
    }
}

impl From<hushwire_netlink::Error> for Error {
    fn from(error: hushwire_netlink::Error) -> Self {
        Self::Netlink(error)
    }
}
