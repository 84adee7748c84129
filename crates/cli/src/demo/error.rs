//! Why there is no demonstration.

use std::fmt;
use std::io;
use std::net::IpAddr;

use hushwire_config::uapi::reply::ReplyError;

#[derive(Debug)]
pub(super) enum Error {
    Lab(hushwire_lab::Error),
    NoAnswer(IpAddr),
    /// A daemon did not take its configuration, or did not tell its state.
    Control(ReplyError),
    Random(getrandom::Error),
    Rights(hushwire_netlink::Error),
    System(&'static str, io::Error),
    /// /dev/net/tun cannot be opened.
    Tun(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(error) => error.fmt(f),
            Self::NoAnswer(address) => write!(f, "no answer to pings from {address}"),
            Self::Control(error) => write!(f, "a daemon's control socket: {error}"),
            Self::Random(error) => write!(f, "no random numbers for keys: {error}"),
            Self::Rights(error) => error.fmt(f),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::Tun(error) => write!(
                f,
                "cannot open /dev/net/tun: {error}; load the module (`modprobe tun`), pass the \
                 device into the container (`--device /dev/net/tun`), or let users at it \
                 (`chmod 666 /dev/net/tun`)"
            ),
        }
    }
}

impl From<hushwire_lab::Error> for Error {
    fn from(error: hushwire_lab::Error) -> Self {
        Self::Lab(error)
    }
}

impl From<ReplyError> for Error {
    fn from(error: ReplyError) -> Self {
        Self::Control(error)
    }
}
