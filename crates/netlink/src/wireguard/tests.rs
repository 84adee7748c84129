//! The client against a kernel of our own; what another kernel makes of it, its tests in a virtual machine show.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::model::{Kernel, apply};
use super::write::Messages;
use super::*;
use crate::genetlink::testing::{Script, error};

fn client(kernel: Kernel) -> Client<Kernel> {
    Client::over(GenericNetlink::over(kernel)).unwrap()
}

fn prefix(number: u32) -> (IpAddr, u8) {
    (IpAddr::V4(number.into()), 32)
}

fn peer(byte: u8) -> Peer {
    Peer {
        public_key: [byte; KEY_LEN],
        preshared_key: Some(SecretKey::new([byte; KEY_LEN])),
        endpoint: None,
        last_handshake: Duration::new(5, 6),
        rx_bytes: 7,
        tx_bytes: u64::MAX,
        persistent_keepalive: 25,
        allowed_ips: Vec::new(),
    }
}

#[test]
fn a_peer_of_many_messages_is_one_peer() {
    let mut large = peer(1);
    large.allowed_ips = (0..5000).map(prefix).collect();
    let device = Device {
        listen_port: 51820,
        peers: vec![peer(0), large, peer(2), peer(1)],
        ..Device::default()
    };
    let read = client(Kernel::new(device.clone())).device(b"wg0").unwrap();
    assert!(read == device);
}

#[test]
fn an_interrupted_answer_is_asked_for_again() {
    let device = Device {
        peers: vec![peer(1)],
        ..Device::default()
    };
    let mut kernel = Kernel::new(device.clone());
    kernel.interruptions = 20;
    assert_eq!(client(kernel).device(b"wg0").unwrap(), device);
}

#[test]
fn asking_again_ends_at_the_deadline() {
    let mut kernel = Kernel::new(Device::default());
    kernel.interruptions = usize::MAX;
    let mut client = client(kernel);
    client.netlink.set_deadline(Some(Instant::now()));
    let late = client.device(b"wg0").unwrap_err();
    assert!(
        matches!(late, Error::System { source, .. } if source.kind() == io::ErrorKind::TimedOut)
    );
}

#[test]
fn what_was_said_once_is_not_said_again() {
    let mut large = PeerUpdate::new([1; KEY_LEN]);
    large.replace_allowed_ips = true;
    large.persistent_keepalive = Some(25);
    large.allowed_ips = (0..20_000)
        .map(|number| AllowedIpUpdate {
            addr: prefix(number).0,
            cidr: 32,
            remove: false,
        })
        .collect();
    let update = Update {
        replace_peers: true,
        private_key: Some(SecretKey::new([9; KEY_LEN])),
        peers: vec![large],
        ..Update::default()
    };
    let mut client = client(Kernel::new(Device::default()));
    client.set(b"wg0", &update).unwrap();
    let device = client.device(b"wg0").unwrap();
    assert_eq!(device.peers.len(), 1);
    assert_eq!(device.peers[0].allowed_ips.len(), 20_000);
    let messages: Vec<_> = Messages::new(
        client.command(constants::CMD_SET_DEVICE),
        b"wg0",
        &update,
        MESSAGE_LIMIT,
    )
    .collect();
    assert!(messages.len() > 50, "{}", messages.len());
}

#[test]
fn a_refusal_ends_a_set_of_many_messages() {
    let mut kernel = Kernel::new(Device::default());
    kernel.refuse = Some((1, libc::ENOMEM));
    let update = Update {
        peers: (0..=255)
            .map(|byte| PeerUpdate::new([byte; KEY_LEN]))
            .collect(),
        ..Update::default()
    };
    let mut client = client(kernel);
    let refused = client.set(b"wg0", &update).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ENOMEM));
    assert!(refused.to_string().starts_with("change wg0: "));
    // Those of the first message are there: the kernel takes nothing back.
    let there = client.device(b"wg0").unwrap().peers.len();
    assert!(0 < there && there < 256, "{there}");
}

#[test]
fn a_kernel_without_the_family_does_not_support_the_protocol() {
    let script = Script::new([vec![error(-libc::ENOENT)]]);
    let missing = Client::over(GenericNetlink::over(script)).unwrap_err();
    assert_eq!(missing.raw_os_error(), Some(libc::EPROTONOSUPPORT));
}

#[test]
fn a_name_that_no_interface_can_have_is_not_sent() {
    let mut client = client(Kernel::new(Device::default()));
    for name in [&[b'x'; 16][..], &[b'x'; 300]] {
        let refused = client.device(name).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENAMETOOLONG));
        let refused = client.set(name, &Update::default()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENAMETOOLONG));
    }
}

#[test]
fn a_message_that_makes_no_sense_is_an_error() {
    use crate::attribute::Attributes;
    let no_key: &[u8] = &[8, 0, 0, 0, 4, 0, 9, 0];
    let bad_prefix: &[u8] = &[12, 0, 0, 0, 8, 0, 9, 0, 4, 0, 0, 0];
    for peers in [no_key, bad_prefix] {
        let mut reader = Reader::default();
        let message = [&[4 + peers.len() as u8, 0, 8, 0][..], peers].concat();
        assert!(reader.message(Attributes(&message)).is_err());
    }
}

#[test]
fn secrets_are_not_shown() {
    let update = Update {
        private_key: Some(SecretKey::new([0x5a; KEY_LEN])),
        ..Update::default()
    };
    assert!(!format!("{update:?}").contains("90"));
}

fn key() -> impl Strategy<Value = [u8; KEY_LEN]> {
    (0..6_u8).prop_map(|byte| [byte; KEY_LEN])
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let flow_and_scope = any::<(u16, u32, u32)>();
    (any::<IpAddr>(), flow_and_scope).prop_map(|(ip, (port, flow, scope))| match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, flow, scope).into(),
    })
}

fn allowed_ip() -> impl Strategy<Value = AllowedIpUpdate> {
    let v4 = (0..40_u32).prop_map(|number| (IpAddr::V4(number.into()), 32));
    let v6 = (0..40_u128, 0..=128_u8).prop_map(|(number, cidr)| (IpAddr::V6(number.into()), cidr));
    (prop_oneof![v4, v6], any::<bool>()).prop_map(|((addr, cidr), remove)| AllowedIpUpdate {
        addr,
        cidr,
        remove,
    })
}

prop_compose! {
    fn peer_update()(
        public_key in key(),
        flags in any::<(bool, bool, bool)>(),
        preshared_key in option::of(key().prop_map(SecretKey::new)),
        endpoint in option::of(address()),
        persistent_keepalive in option::of(any::<u16>()),
        allowed_ips in vec(allowed_ip(), 0..30),
    ) -> PeerUpdate {
        PeerUpdate {
            public_key,
            remove: flags.0 && flags.1,
            update_only: flags.1,
            preshared_key,
            endpoint,
            persistent_keepalive,
            replace_allowed_ips: flags.2,
            allowed_ips,
        }
    }
}

prop_compose! {
    fn update()(
        private_key in option::of(key().prop_map(SecretKey::new)),
        listen_port in option::of(any::<u16>()),
        fwmark in option::of(any::<u32>()),
        replace_peers: bool,
        peers in vec(peer_update(), 0..6),
    ) -> Update {
        Update { private_key, listen_port, fwmark, replace_peers, peers }
    }
}

proptest! {
    /// However an update is cut into messages and a device into answers, it is as if there were one of each.
    #[test]
    fn cutting_changes_nothing(updates in vec(update(), 1..4), limit in 300..2000_usize) {
        let mut expected = Device::default();
        let mut kernel = Kernel::new(Device::default());
        kernel.dump_limit = limit;
        let mut client = client(kernel);
        for update in &updates {
            apply(&mut expected, update);
            let command = client.command(constants::CMD_SET_DEVICE);
            for message in Messages::new(command, b"wg0", update, limit) {
                client.netlink.request(message, &|| "set".to_owned()).unwrap();
            }
        }
        prop_assert_eq!(client.device(b"wg0").unwrap(), expected);
    }

    #[test]
    fn no_message_is_longer_than_the_limit(update in update(), limit in 300..2000_usize) {
        let command = Command { family: 0x1f, command: constants::CMD_SET_DEVICE, version: 1 };
        for message in Messages::new(command, b"wg0", &update, limit) {
            prop_assert!(message.finish().len() <= limit);
        }
    }

    #[test]
    fn no_answer_panics(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Reader::default().message(crate::attribute::Attributes(&bytes));
    }
}
