//! A kernel for tests: takes the messages of a set as `drivers/net/wireguard` does, and tells of its device in messages
//! as short as it likes.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use netlink_packet_core::NLM_F_DUMP_INTR;

use super::constants::*;
use super::{AllowedIpUpdate, Device, Peer, PeerUpdate, SecretKey, Update};
use crate::attribute::{Attribute, Attributes, Full, Writer};
use crate::genetlink::Wire;
use crate::genetlink::testing::{Said, Script, done, error, reply, reply_bytes};

/// The kernel: one device, and the answers still to be given.
pub(super) struct Kernel {
    pub(super) device: Device,
    /// How many more dumps are interrupted.
    pub(super) interruptions: usize,
    /// About how long a message of a dump is.
    pub(super) dump_limit: usize,
    /// How many messages of a set there were.
    pub(super) sets: usize,
    /// The set that is refused, from 0, and why.
    pub(super) refuse: Option<(usize, i32)>,
    script: Script,
}

impl Kernel {
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            interruptions: 0,
            dump_limit: 3000,
            sets: 0,
            refuse: None,
            script: Script::new([]),
        }
    }

    fn answer(&mut self, message: &[u8]) -> Vec<Vec<Said>> {
        let attributes = Attributes(&message[20..]);
        match (message[4], message[16]) {
            (0x10, 3) => vec![vec![reply(&[(1, &0x1f_u16.to_ne_bytes())])], vec![error(0)]],
            (0x1f, CMD_GET_DEVICE) => self.dump(),
            (0x1f, CMD_SET_DEVICE) => {
                self.sets += 1;
                if let Some((number, code)) = self.refuse
                    && number + 1 == self.sets
                {
                    return vec![vec![error(-code)]];
                }
                apply(&mut self.device, &read_update(attributes));
                vec![vec![error(0)]]
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    fn dump(&mut self) -> Vec<Vec<Said>> {
        let mut messages = dump(&self.device, self.dump_limit);
        if self.interruptions > 0 {
            self.interruptions -= 1;
            let last = messages.len() - 1;
            messages[last].flags = NLM_F_DUMP_INTR;
        }
        let mut datagrams: Vec<Vec<Said>> = messages.into_iter().map(|one| vec![one]).collect();
        datagrams.push(vec![done(0)]);
        datagrams
    }
}

impl Wire for Kernel {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let answer = self.answer(message);
        self.script = Script::new(answer);
        self.script.send(message)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.script.receive(buffer, deadline)
    }
}

/// What a set does to a device that knows nothing of handshakes.
pub(super) fn apply(device: &mut Device, update: &Update) {
    device.fwmark = update.fwmark.unwrap_or(device.fwmark);
    device.listen_port = update.listen_port.unwrap_or(device.listen_port);
    if update.replace_peers {
        device.peers.clear();
    }
    if let Some(key) = &update.private_key {
        let is_zero = key.as_bytes() == &[0; 32];
        device.private_key = (!is_zero).then(|| key.clone());
    }
    update
        .peers
        .iter()
        .for_each(|peer| apply_peer(device, peer));
}

fn apply_peer(device: &mut Device, update: &PeerUpdate) {
    let found = device
        .peers
        .iter()
        .position(|peer| peer.public_key == update.public_key);
    if update.remove {
        found.map(|index| device.peers.remove(index));
        return;
    }
    if found.is_none() && update.update_only {
        return;
    }
    let index = found.unwrap_or_else(|| {
        device.peers.push(new_peer(update.public_key));
        device.peers.len() - 1
    });
    let peer = &mut device.peers[index];
    if let Some(key) = &update.preshared_key {
        peer.preshared_key = Some(key.clone());
    }
    peer.endpoint = update.endpoint.or(peer.endpoint);
    peer.persistent_keepalive = update
        .persistent_keepalive
        .unwrap_or(peer.persistent_keepalive);
    if update.replace_allowed_ips {
        peer.allowed_ips.clear();
    }
    for prefix in &update.allowed_ips {
        apply_allowed_ip(device, index, prefix);
    }
}

fn apply_allowed_ip(device: &mut Device, owner: usize, prefix: &AllowedIpUpdate) {
    let entry = (prefix.addr, prefix.cidr);
    for (index, peer) in device.peers.iter_mut().enumerate() {
        if index == owner || !prefix.remove {
            peer.allowed_ips.retain(|held| *held != entry);
        }
    }
    if !prefix.remove {
        device.peers[owner].allowed_ips.push(entry);
    }
}

fn new_peer(public_key: [u8; 32]) -> Peer {
    Peer {
        public_key,
        preshared_key: Some(SecretKey::new([0; 32])),
        endpoint: None,
        last_handshake: Duration::ZERO,
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        allowed_ips: Vec::new(),
    }
}

type Map<'a> = BTreeMap<u16, Attribute<'a>>;

fn map(attributes: Attributes<'_>) -> Map<'_> {
    let mut map = Map::new();
    for attribute in attributes {
        let double = map.insert(attribute.kind, attribute);
        assert_eq!(double, None, "an attribute twice");
    }
    map
}

fn flags(map: &Map<'_>, kind: u16) -> u32 {
    map.get(&kind).map_or(0, |one| one.u32().expect("flags"))
}

fn key(attribute: &Attribute<'_>) -> SecretKey {
    SecretKey::new(attribute.value.try_into().expect("a key"))
}

/// Reads a message of a set, with no mercy for what the kernel's policy forbids.
fn read_update(attributes: Attributes<'_>) -> Update {
    let map = map(attributes);
    assert_eq!(map[&DEVICE_A_IFNAME].value, b"wg0\0");
    let device_flags = flags(&map, DEVICE_A_FLAGS);
    assert_eq!(device_flags & !DEVICE_F_REPLACE_PEERS, 0);
    let peers = map.get(&DEVICE_A_PEERS).into_iter();
    Update {
        private_key: map.get(&DEVICE_A_PRIVATE_KEY).map(key),
        listen_port: map.get(&DEVICE_A_LISTEN_PORT).map(|one| one.u16().unwrap()),
        fwmark: map.get(&DEVICE_A_FWMARK).map(|one| one.u32().unwrap()),
        replace_peers: device_flags != 0,
        peers: peers
            .flat_map(|peers| peers.nested())
            .map(|peer| read_peer(peer.nested()))
            .collect(),
    }
}

fn read_peer(attributes: Attributes<'_>) -> PeerUpdate {
    let map = map(attributes);
    let peer_flags = flags(&map, PEER_A_FLAGS);
    assert_eq!(peer_flags & !7, 0);
    let prefixes = map.get(&PEER_A_ALLOWED_IPS).into_iter();
    PeerUpdate {
        public_key: map[&PEER_A_PUBLIC_KEY].value.try_into().unwrap(),
        remove: peer_flags & PEER_F_REMOVE_ME != 0,
        update_only: peer_flags & PEER_F_UPDATE_ONLY != 0,
        preshared_key: map.get(&PEER_A_PRESHARED_KEY).map(key),
        endpoint: map
            .get(&PEER_A_ENDPOINT)
            .map(|one| super::read::socket_address(one.value).expect("an endpoint")),
        persistent_keepalive: map
            .get(&PEER_A_PERSISTENT_KEEPALIVE)
            .map(|one| one.u16().unwrap()),
        replace_allowed_ips: peer_flags & PEER_F_REPLACE_ALLOWED_IPS != 0,
        allowed_ips: prefixes
            .flat_map(|prefixes| prefixes.nested())
            .map(|prefix| read_allowed_ip(prefix.nested()))
            .collect(),
    }
}

fn read_allowed_ip(attributes: Attributes<'_>) -> AllowedIpUpdate {
    let flags = flags(&map(attributes), ALLOWED_IP_A_FLAGS);
    let (addr, cidr) = super::read::read_allowed_ip(attributes).expect("an allowed IP");
    AllowedIpUpdate {
        addr,
        cidr,
        remove: flags == ALLOWED_IP_F_REMOVE_ME,
    }
}

/// The messages of a dump: a peer that does not fit goes on in the next message with its key and the rest of its
/// prefixes, and only the first message tells of the device.
fn dump(device: &Device, limit: usize) -> Vec<Said> {
    let mut messages = Vec::new();
    let mut peers = device.peers.iter();
    let mut peer = peers.next();
    let mut offset = 0;
    loop {
        let mut writer = Writer::new(limit);
        writer.raw(&[0; 4]).unwrap();
        if messages.is_empty() {
            write_device(&mut writer, device).unwrap();
        }
        let nest = writer.open(DEVICE_A_PEERS).unwrap();
        while let Some(current) = peer {
            let mark = writer.mark();
            match write_peer(&mut writer, current, offset) {
                Ok(next) if next == current.allowed_ips.len() => {
                    peer = peers.next();
                    offset = 0;
                }
                Ok(next) => {
                    assert!(next > offset || offset == 0, "no progress in {limit} bytes");
                    offset = next.max(offset);
                    break;
                }
                Err(Full) => {
                    writer.back_to(mark);
                    break;
                }
            }
        }
        writer.close(nest);
        messages.push(reply_bytes(writer.finish().to_vec()));
        if peer.is_none() {
            return messages;
        }
    }
}

fn write_device(writer: &mut Writer, device: &Device) -> Result<(), Full> {
    writer.u16(DEVICE_A_LISTEN_PORT, device.listen_port)?;
    writer.u32(DEVICE_A_FWMARK, device.fwmark)?;
    writer.string(DEVICE_A_IFNAME, b"wg0")?;
    if let Some(key) = &device.private_key {
        writer.attribute(DEVICE_A_PRIVATE_KEY, key.as_bytes())?;
    }
    Ok(())
}

fn write_peer(writer: &mut Writer, peer: &Peer, offset: usize) -> Result<usize, Full> {
    let nest = writer.open(0)?;
    writer.attribute(PEER_A_PUBLIC_KEY, &peer.public_key)?;
    if offset == 0 {
        write_state(writer, peer)?;
    }
    let mut next = offset;
    if let Ok(prefixes) = writer.open(PEER_A_ALLOWED_IPS) {
        for (addr, cidr) in &peer.allowed_ips[offset..] {
            let mark = writer.mark();
            if write_allowed_ip(writer, *addr, *cidr).is_err() {
                writer.back_to(mark);
                break;
            }
            next += 1;
        }
        writer.close(prefixes);
    }
    writer.close(nest);
    Ok(next)
}

fn write_state(writer: &mut Writer, peer: &Peer) -> Result<(), Full> {
    if let Some(key) = &peer.preshared_key {
        writer.attribute(PEER_A_PRESHARED_KEY, key.as_bytes())?;
    }
    let mut time = (peer.last_handshake.as_secs() as i64)
        .to_ne_bytes()
        .to_vec();
    time.extend(i64::from(peer.last_handshake.subsec_nanos()).to_ne_bytes());
    writer.attribute(PEER_A_LAST_HANDSHAKE, &time)?;
    writer.u16(PEER_A_PERSISTENT_KEEPALIVE, peer.persistent_keepalive)?;
    // As the kernel pads, so that the number after it is aligned.
    writer.attribute(0, &[])?;
    writer.attribute(PEER_A_TX_BYTES, &peer.tx_bytes.to_ne_bytes())?;
    writer.attribute(PEER_A_RX_BYTES, &peer.rx_bytes.to_ne_bytes())?;
    writer.u32(10, 1)?;
    if let Some(endpoint) = peer.endpoint {
        writer.attribute(PEER_A_ENDPOINT, &super::write::socket_address(endpoint))?;
    }
    Ok(())
}

fn write_allowed_ip(writer: &mut Writer, addr: IpAddr, cidr: u8) -> Result<(), Full> {
    let nest = writer.open(0)?;
    writer.u8(ALLOWED_IP_A_CIDR, cidr)?;
    match addr {
        IpAddr::V4(addr) => {
            writer.u16(ALLOWED_IP_A_FAMILY, libc::AF_INET as u16)?;
            writer.attribute(ALLOWED_IP_A_ADDR, &addr.octets())?;
        }
        IpAddr::V6(addr) => {
            writer.u16(ALLOWED_IP_A_FAMILY, libc::AF_INET6 as u16)?;
            writer.attribute(ALLOWED_IP_A_ADDR, &addr.octets())?;
        }
    }
    writer.close(nest);
    Ok(())
}
