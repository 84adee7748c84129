//! The kernel's connection tracking table (nf_conntrack), which also remembers what a NAT has promised.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR};
use rustix::net::netlink;
use rustix::net::{RecvFlags, SendFlags};

use crate::socket::open_socket;
use crate::{Error, Result};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE`; without a tuple to choose by, it deletes every entry.
const DELETE: u16 = (1 << 8) | 2;
/// A netlink header of 16 bytes and the `nfgenmsg` of 4: any family, version 0.
const LENGTH: u32 = 20;

/// Forgets all connections in the calling thread's network namespace, so that each gets a new mapping with its next
/// packet.
///
/// # Errors
/// For want of `CAP_NET_ADMIN`, or when the kernel tracks no connections here.
pub fn flush() -> Result<()> {
    let operation = "flush the connection tracking table";
    request_flush().map_err(|error| Error::system(operation, error))
}

fn request_flush() -> io::Result<()> {
    let socket = open_socket(Some(netlink::NETFILTER))?;
    let mut request = Vec::with_capacity(LENGTH as usize);
    request.extend(LENGTH.to_ne_bytes());
    request.extend(DELETE.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    request.extend([0; 12]); // sequence number, port, nfgenmsg
    rustix::net::send(&socket, &request, SendFlags::empty())?;

    let mut reply = [0; 1024];
    let (_, length) = rustix::io::retry_on_intr(|| {
        rustix::net::recv(&socket, &mut reply[..], RecvFlags::empty())
    })?;
    match error_code(reply.get(..length).unwrap_or_default()) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_abs())),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the kernel's reply is no acknowledgement",
        )),
    }
}

/// The code in an acknowledgement: 0, or a negative error number.
pub(crate) fn error_code(reply: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(reply.get(4..6)?.try_into().ok()?);
    let code = i32::from_ne_bytes(reply.get(16..20)?.try_into().ok()?);
    (kind == NLMSG_ERROR).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_acknowledgement_has_a_code() {
        let mut reply = [0; 20];
        assert_eq!(error_code(&reply), None);
        reply[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert_eq!(error_code(&reply), Some(0));
        reply[16..].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(error_code(&reply), Some(-1));
        assert_eq!(error_code(&reply[..19]), None);
        assert_eq!(error_code(&[]), None);
    }
}
