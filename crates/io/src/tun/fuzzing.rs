//! A door for the fuzz targets.

/// How many messages of rtnetlink's are understood in a datagram.
#[must_use]
pub fn link_messages(datagram: &[u8]) -> usize {
    super::netlink::messages(datagram).count()
}
