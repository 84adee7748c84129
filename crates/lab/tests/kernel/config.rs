//! Configurations for wg(8), the same each time.

use std::fmt::Write;

use base64ct::{Base64, Encoding};

/// A key out of a number. It need not belong to anybody: the kernel takes any 32 bytes.
pub(crate) fn key(number: u64) -> String {
    // SplitMix64 (Steele, Lea, Flood 2014): neighbouring numbers give keys in no order.
    let mut state = number;
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    Base64::encode_string(&bytes)
}

/// A private key, as the curve wants it.
pub(crate) fn private_key(number: u64) -> String {
    let mut bytes = [0; 32];
    Base64::decode(key(number), &mut bytes).expect("a key");
    bytes[0] &= 0xf8;
    bytes[31] = (bytes[31] & 0x7f) | 0x40;
    Base64::encode_string(&bytes)
}

/// An interface section with everything in it.
pub(crate) fn interface() -> String {
    format!(
        "[Interface]\nPrivateKey = {}\nListenPort = 51820\nFwMark = 0xca6c\n",
        private_key(1_000_000)
    )
}

/// The section of a peer with a number of allowed IPs. Which of the other settings it has goes by its own number.
pub(crate) fn peer(number: u32, allowed_ips: u32) -> String {
    let mut text = format!("[Peer]\nPublicKey = {}\n", key(number.into()));
    if number.is_multiple_of(2) {
        let _ = writeln!(
            text,
            "PresharedKey = {}",
            key(2_000_000 + u64::from(number))
        );
    }
    let place = number % 50_000 + 1;
    match number % 3 {
        0 => {}
        1 => drop(writeln!(
            text,
            "Endpoint = 192.0.2.{}:{place}",
            number % 250 + 1
        )),
        _ => drop(writeln!(
            text,
            "Endpoint = [2001:db8::{:x}]:{place}",
            number % 60_000
        )),
    }
    if number.is_multiple_of(5) {
        let _ = writeln!(text, "PersistentKeepalive = {}", number % 60 + 1);
    }
    if allowed_ips > 0 {
        let list: Vec<String> = (0..allowed_ips)
            .map(|index| allowed_ip(number, index))
            .collect();
        let _ = writeln!(text, "AllowedIPs = {}", list.join(", "));
    }
    text
}

/// A prefix of a peer that no other has: IPv4 and IPv6 in turn.
pub(crate) fn allowed_ip(peer: u32, index: u32) -> String {
    let [a, b, c, d] = (peer * 64 + index / 2).to_be_bytes();
    if index.is_multiple_of(2) {
        // The peer's number counts in steps of 64 addresses, the index within them and, for a long list, beyond.
        format!("{}.{b}.{c}.{d}/32", 10 + a)
    } else {
        format!("fd00:{peer:x}::{index:x}:0/112")
    }
}

/// A whole configuration with so many peers, with so many allowed IPs each.
pub(crate) fn peers(count: u32, allowed_ips: u32) -> String {
    let mut text = interface();
    for number in 0..count {
        text.push('\n');
        text.push_str(&peer(number, allowed_ips));
    }
    text
}
