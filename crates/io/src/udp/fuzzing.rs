//! Doors for the fuzz targets.

use super::cmsg::Control;
use super::netlink;

/// Whether an answer of rtnetlink's tells of a route.
#[must_use]
pub fn is_route_answer(datagram: &[u8]) -> bool {
    netlink::decode(datagram).is_ok()
}

/// Reads control messages, as many bytes of them as the kernel says that there are, and tells
/// whether there is a source address that can be answered from.
#[must_use]
pub fn control_messages(bytes: &[u8], len: usize) -> bool {
    let mut control = Control::EMPTY;
    control.fill(bytes);
    control.decode(len).local.is_some()
}
