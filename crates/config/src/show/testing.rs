//! Devices to show.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::device::{Device, Peer};
use crate::key::{KEY_LEN, PresharedKey, PrivateKey, PublicKey};
use crate::show::View;

pub(super) const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
pub(super) const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
pub(super) const P1: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
pub(super) const P2: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
pub(super) const PSK: &str = "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=";

/// A device with a peer that has everything, and one that has nothing.
pub(super) fn full(show: impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()>) -> String {
    let peer = Peer {
        preshared_key: PresharedKey::from_base64(PSK).ok(),
        endpoint: Some(SocketAddr::from(([192, 0, 2, 1], 5))),
        last_handshake: Some(Duration::new(1_700_000_000, 7)),
        tx_bytes: 1234,
        rx_bytes: 5_678_901,
        persistent_keepalive: 25,
        allowed_ips: vec![
            "10.0.0.0/8".parse().unwrap(),
            "::ffff:1.2.3.4/128".parse().unwrap(),
        ],
        ..Peer::new(P1.parse().unwrap())
    };
    let device = Device {
        private_key: PrivateKey::from_base64(PRIVATE).ok(),
        listen_port: 51820,
        fwmark: 0xca6c,
        peers: vec![peer, Peer::new(P2.parse().unwrap())],
    };
    text(b"wg0", &device, PUBLIC.parse().ok().as_ref(), show)
}

pub(super) fn empty(show: impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()>) -> String {
    named(b"wg0", show)
}

/// An empty device of this name.
pub(super) fn named(
    name: &[u8],
    show: impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()>,
) -> String {
    text(name, &Device::default(), None, show)
}

/// The order in which peers with these handshakes are shown.
pub(super) fn handshakes(
    seconds: &[Option<u64>],
    show: impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()>,
) -> Vec<usize> {
    let key = |index: usize| PublicKey::new([index as u8; KEY_LEN]);
    let peers = seconds.iter().enumerate().map(|(index, seconds)| Peer {
        last_handshake: seconds.map(Duration::from_secs),
        ..Peer::new(key(index))
    });
    let device = Device {
        peers: peers.collect(),
        ..Device::default()
    };
    let shown = text(b"wg0", &device, None, show);
    let mut order: Vec<usize> = (0..seconds.len()).collect();
    order.sort_by_key(|&index| shown.find(key(index).to_base64().as_str()));
    order
}

fn text(
    name: &[u8],
    device: &Device,
    public_key: Option<&PublicKey>,
    show: impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()>,
) -> String {
    let view = View {
        name,
        device,
        public_key,
        names: &|_| None,
    };
    let mut out = Vec::new();
    show(&view, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
