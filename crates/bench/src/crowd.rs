//! Peers by the thousand, whose keys follow from their numbers, so that whoever configures a device
//! and whoever plays its peers agree without a word. Nothing here is secret.

use std::fmt::Write;
use std::net::Ipv4Addr;

use hushwire_proto::handshake::LocalIdentity;
use hushwire_proto::key::PrivateKey;
use hushwire_proto::provider::DefaultCrypto;

use crate::random::Repeatable;

/// The number of the device that the others are peers of.
const SERVER: u64 = 0;

/// Allowed IPs are counted up from here, one address a peer (172.16.0.0/12).
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);

/// The identity of the device that the crowd are peers of.
#[must_use]
pub fn server() -> LocalIdentity<DefaultCrypto> {
    identity(SERVER)
}

/// The identity of a peer, from 1.
#[must_use]
pub fn peer(number: u32) -> LocalIdentity<DefaultCrypto> {
    identity(u64::from(number))
}

fn identity(number: u64) -> LocalIdentity<DefaultCrypto> {
    LocalIdentity::new(PrivateKey::generate(&mut Repeatable::new(number)))
}

/// The private and the public key of the server in hexadecimal.
#[must_use]
pub fn server_keys() -> [String; 2] {
    let server = server();
    [
        hex(server.private_key().as_bytes()),
        hex(server.public_key().as_bytes()),
    ]
}

/// The lines of a `set=1` request that make a device the server of the crowd.
#[must_use]
pub fn server_lines(port: u16) -> String {
    let key = hex(server().private_key().as_bytes());
    format!("private_key={key}\nlisten_port={port}\n")
}

/// The lines of a `set=1` request that add so many of the crowd, with one address each.
#[must_use]
pub fn peer_lines(count: u32) -> String {
    let mut text = String::new();
    for number in 1..=count {
        let key = hex(peer(number).public_key().as_bytes());
        let address = Ipv4Addr::from(u32::from(FIRST_ADDRESS) + number);
        let _ = write!(text, "public_key={key}\nallowed_ip={address}/32\n");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_key_and_an_address() {
        let text = peer_lines(300);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 600);
        assert_ne!(lines[0], lines[2]);
        assert_eq!(lines[1], "allowed_ip=172.16.0.1/32");
        assert_eq!(lines[599], "allowed_ip=172.16.1.44/32");
    }

    #[test]
    fn keys_are_the_same_each_time() {
        assert_eq!(server_lines(1), server_lines(1));
        assert!(server_lines(1).contains(&server_keys()[0]));
        assert_eq!(peer(7).public_key(), peer(7).public_key());
        assert_ne!(peer(7).public_key(), server().public_key());
    }
}
