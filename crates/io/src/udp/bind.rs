//! Opening the pair of sockets on one port.

#![forbid(unsafe_code)]

use std::{error, fmt, io};

use rustix::io::Errno;

use super::Family;

/// How to open [`Sockets`](super::Sockets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpOptions {
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Mark of outgoing packets for policy routing (`SO_MARK`); 0 is none. Another needs
    /// CAP_NET_ADMIN, or CAP_NET_RAW from Linux 5.17 on.
    pub fwmark: u32,
    /// Send runs of datagrams as one (`UDP_SEGMENT`), where the kernel can.
    pub gso: bool,
    /// Receive runs of datagrams as one (`UDP_GRO`), where the kernel can.
    pub gro: bool,
    /// Size asked for the send and the receive buffer of each socket, in bytes. Without
    /// CAP_NET_ADMIN the kernel caps it at `net.core.wmem_max` and `net.core.rmem_max`.
    pub buffer_bytes: usize,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self {
            port: 0,
            fwmark: 0,
            gso: true,
            gro: true,
            // What wireguard-go settled on by measurement.
            buffer_bytes: 7 << 20,
        }
    }
}

/// Why a socket could not be opened or set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpError {
    action: Action,
    errno: Errno,
}

/// What was being done when a [`UdpError`] came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opening a socket of either family.
    Open,
    /// Setting the option of this name.
    SetOption(&'static str),
    /// Setting this mark.
    SetFwmark(u32),
    /// Binding to this port.
    Bind(u16),
}

impl UdpError {
    pub(super) fn new(action: Action, errno: Errno) -> Self {
        Self { action, errno }
    }

    /// What failed.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The system's reason.
    pub fn errno(&self) -> Errno {
        self.errno
    }
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.errno;
        match (self.action, errno) {
            (Action::Bind(0), Errno::ADDRINUSE) => f.write_str(
                "cannot find a UDP port that is free for both IPv4 and IPv6; choose one",
            ),
            (Action::Bind(port), Errno::ADDRINUSE) => write!(
                f,
                "UDP port {port} is in use by another socket; choose another port, or find \
                 its owner with `ss -ulpn 'sport = :{port}'`"
            ),
            (Action::Bind(port), Errno::ACCESS) => write!(
                f,
                "not allowed to listen on UDP port {port}: {errno}; ports below 1024 need \
                 CAP_NET_BIND_SERVICE"
            ),
            (Action::Bind(port), _) => write!(f, "cannot listen on UDP port {port}: {errno}"),
            (Action::SetFwmark(mark), Errno::PERM) => write!(
                f,
                "not allowed to set fwmark {mark:#x}: {errno}; this needs CAP_NET_ADMIN"
            ),
            (Action::SetFwmark(mark), _) => write!(f, "cannot set fwmark {mark:#x}: {errno}"),
            (Action::SetOption(name), _) => {
                write!(f, "cannot set {name} on the UDP socket: {errno}")
            }
            (Action::Open, _) => write!(f, "cannot open a UDP socket: {errno}"),
        }
    }
}

impl error::Error for UdpError {}

impl From<UdpError> for io::Error {
    fn from(error: UdpError) -> Self {
        Self::new(error.errno.kind(), error)
    }
}

/// How often a port that the system chose for one family may turn out taken in the other.
const ATTEMPTS: usize = 100;

/// A socket of each family that the host has, on one port.
#[derive(Debug)]
pub(super) struct Pair<S> {
    pub(super) v4: Option<S>,
    pub(super) v6: Option<S>,
    pub(super) port: u16,
}

/// Opens a pair on `port` (0: any port that is free in both families) with `open`, which
/// returns a socket and the port that it got.
pub(super) fn open_pair<S>(
    port: u16,
    mut open: impl FnMut(Family, u16) -> Result<(S, u16), UdpError>,
) -> Result<Pair<S>, UdpError> {
    let mut attempts = if port == 0 { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match open_once(port, &mut open) {
            Err(error) if error.errno == Errno::ADDRINUSE && attempts > 0 => {}
            Err(mut error) if error.errno == Errno::ADDRINUSE => {
                // The port that the caller asked for, not the last one tried.
                error.action = Action::Bind(port);
                return Err(error);
            }
            result => return result,
        }
    }
}

fn open_once<S>(
    port: u16,
    open: &mut impl FnMut(Family, u16) -> Result<(S, u16), UdpError>,
) -> Result<Pair<S>, UdpError> {
    let (v4, port) =
        available(open(Family::V4, port))?.map_or((None, port), |(v4, port)| (Some(v4), port));
    let (v6, port) =
        available(open(Family::V6, port))?.map_or((None, port), |(v6, port)| (Some(v6), port));
    if v4.is_none() && v6.is_none() {
        return Err(UdpError::new(Action::Open, Errno::AFNOSUPPORT));
    }
    Ok(Pair { v4, v6, port })
}

/// Makes the absence of a whole family no error.
fn available<T>(opened: Result<T, UdpError>) -> Result<Option<T>, UdpError> {
    match opened {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if matches!(error.errno, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure<T>(port: u16, errno: Errno) -> Result<T, UdpError> {
        Err(UdpError::new(Action::Bind(port), errno))
    }

    #[test]
    fn the_second_family_follows_the_port_of_the_first() {
        let pair = open_pair(0, |family, port| match family {
            Family::V4 => Ok(((), 4000 + port)),
            Family::V6 => Ok(((), port)),
        });
        assert_eq!(pair.expect("a pair").port, 4000);
    }

    #[test]
    fn a_random_port_taken_in_the_other_family_is_tried_again() {
        let mut next = 4000;
        let pair = open_pair(0, |family, port| match family {
            Family::V4 => {
                next += 1;
                Ok(((), next))
            }
            Family::V6 if port < 4050 => failure(port, Errno::ADDRINUSE),
            Family::V6 => Ok(((), port)),
        });
        assert_eq!(pair.expect("a pair").port, 4050);
    }

    #[test]
    fn it_is_not_tried_for_ever() {
        let mut tries = 0;
        let error = open_pair(0, |family, port| match family {
            Family::V4 => {
                tries += 1;
                Ok(((), 4000))
            }
            Family::V6 => failure(port, Errno::ADDRINUSE),
        })
        .expect_err("a pair where no port is free");
        assert_eq!(tries, 100);
        assert_eq!(
            error.to_string(),
            UdpError::new(Action::Bind(0), Errno::ADDRINUSE).to_string()
        );
    }

    #[test]
    fn a_port_that_was_asked_for_is_tried_once() {
        let mut tries = 0;
        let error = open_pair(51820, |_, port| {
            tries += 1;
            failure::<((), u16)>(port, Errno::ADDRINUSE)
        })
        .expect_err("a pair on a taken port");
        assert_eq!(tries, 1);
        assert!(error.to_string().contains("UDP port 51820 is in use"));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn one_family_is_enough() {
        for (missing, errno) in [
            (Family::V4, Errno::AFNOSUPPORT),
            (Family::V6, Errno::AFNOSUPPORT),
            (Family::V6, Errno::ADDRNOTAVAIL),
        ] {
            let pair = open_pair(0, |family, port| {
                if family == missing {
                    failure(port, errno)
                } else {
                    Ok(((), 7))
                }
            })
            .expect("a pair with one socket");
            assert_eq!(pair.port, 7);
            assert_eq!(pair.v4.is_none(), missing == Family::V4);
            assert_eq!(pair.v6.is_none(), missing == Family::V6);
        }
    }

    #[test]
    fn no_family_at_all_is_an_error() {
        let error = open_pair(0, |_, port| failure::<((), u16)>(port, Errno::AFNOSUPPORT))
            .expect_err("a pair of nothing");
        assert_eq!(error.action(), Action::Open);
    }

    #[test]
    fn any_other_failure_of_either_family_is_an_error() {
        for broken in [Family::V4, Family::V6] {
            let error = open_pair(0, |family, port| {
                if family == broken {
                    failure(port, Errno::PERM)
                } else {
                    Ok(((), 7))
                }
            })
            .expect_err("half a pair");
            assert_eq!(error.errno(), Errno::PERM);
        }
    }
}
