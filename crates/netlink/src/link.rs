use std::os::fd::AsRawFd;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use crate::{Error, Namespace, Netlink, Result};

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for the interface, unique in its namespace.
    pub index: u32,
    /// The interface's name, such as `wg0`.
    pub name: String,
    /// Largest packet in bytes, link-layer header not counted.
    pub mtu: u32,
    /// Whether it is set up (administratively).
    pub up: bool,
    /// Whether it can carry packets now (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// What made it: `veth`, `tun`, `wireguard`, ...; none for loopback and hardware.
    pub kind: Option<String>,
    /// The link-layer address; empty where there is none.
    pub hardware_address: Vec<u8>,
    /// Length of the transmit queue in packets.
    pub transmit_queue: u32,
    /// What went through it so far.
    pub counters: LinkCounters,
}

/// What went through an interface since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets received.
    pub received_packets: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets received and thrown away.
    pub receive_drops: u64,
    /// Packets to be sent and thrown away.
    pub send_drops: u64,
}

impl Netlink {
    /// The interface of this name, if there is one.
    ///
    /// # Errors
    /// When the kernel refuses to tell, for another reason than that there is none.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.one_link(message, || format!("look up interface {name}"))
    }

    /// The interface of this index, if there is one.
    ///
    /// # Errors
    /// As for [`Netlink::link`].
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>> {
        self.one_link(message_for(index), || format!("look up interface {index}"))
    }

    /// The index of an interface that has to be there.
    ///
    /// # Errors
    /// When there is no interface of this name.
    pub fn index_of(&mut self, name: &str) -> Result<u32> {
        match self.link(name)? {
            Some(link) => Ok(link.index),
            None => Err(Error::system(
                format!("look up interface {name}"),
                std::io::Error::from_raw_os_error(libc::ENODEV),
            )),
        }
    }

    /// All interfaces of the namespace.
    ///
    /// # Errors
    /// When the kernel refuses the request.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.dump(&request, || "list the interfaces".to_owned())?;
        Ok(answers.into_iter().filter_map(parse_link).collect())
    }

    /// Makes a pair of virtual Ethernet interfaces, both down, the second in `peer_namespace` if one is given.
    ///
    /// # Errors
    /// When a name is taken or not a name, or for want of `CAP_NET_ADMIN` in either namespace.
    pub fn create_veth(
        &mut self,
        name: &str,
        peer: &str,
        peer_namespace: Option<&Namespace>,
    ) -> Result<()> {
        let mut other = LinkMessage::default();
        other
            .attributes
            .push(LinkAttribute::IfName(peer.to_owned()));
        if let Some(namespace) = peer_namespace {
            other
                .attributes
                .push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
        }
        let data = InfoData::Veth(InfoVeth::Peer(other));
        self.create(name, InfoKind::Veth, Some(data), || {
            format!("create the veth pair {name} and {peer}")
        })
    }

    /// Makes a dummy interface (sends into the void), down.
    ///
    /// # Errors
    /// When the name is taken, or the kernel has no `dummy` module.
    pub fn create_dummy(&mut self, name: &str) -> Result<()> {
        self.create(name, InfoKind::Dummy, None, || {
            format!("create the dummy interface {name}")
        })
    }

    /// Makes a bridge, down.
    ///
    /// # Errors
    /// When the name is taken, or the kernel has no `bridge` module.
    pub fn create_bridge(&mut self, name: &str) -> Result<()> {
        self.create(name, InfoKind::Bridge, None, || {
            format!("create the bridge {name}")
        })
    }

    /// Makes an interface of the kernel's own WireGuard, down.
    ///
    /// # Errors
    /// When the name is taken, or the kernel has no `wireguard` module (`EOPNOTSUPP`).
    pub fn create_wireguard(&mut self, name: &str) -> Result<()> {
        self.create(name, InfoKind::Wireguard, None, || {
            format!("create the WireGuard interface {name}")
        })
    }

    /// Makes an interface a port of a bridge.
    ///
    /// # Errors
    /// When either is gone or the second is no bridge.
    pub fn set_bridge(&mut self, index: u32, bridge: u32) -> Result<()> {
        self.change(index, "put into a bridge", |message| {
            message.attributes.push(LinkAttribute::Controller(bridge));
        })
    }

    /// Sets an interface up.
    ///
    /// # Errors
    /// When it is gone, or for want of `CAP_NET_ADMIN`.
    pub fn set_up(&mut self, index: u32) -> Result<()> {
        self.change(index, "set up", |message| {
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
        })
    }

    /// Sets an interface down.
    ///
    /// # Errors
    /// As for [`Netlink::set_up`].
    pub fn set_down(&mut self, index: u32) -> Result<()> {
        self.change(index, "set down", |message| {
            message.header.change_mask = LinkFlags::Up;
        })
    }

    /// Sets the largest packet in bytes.
    ///
    /// # Errors
    /// When the interface cannot do this size (`EINVAL`).
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<()> {
        self.change(index, &format!("set the MTU to {mtu} of"), |message| {
            message.attributes.push(LinkAttribute::Mtu(mtu));
        })
    }

    /// Sets the length of the transmit queue in packets.
    ///
    /// # Errors
    /// As for [`Netlink::set_up`].
    pub fn set_transmit_queue(&mut self, index: u32, packets: u32) -> Result<()> {
        self.change(index, "set the transmit queue of", |message| {
            message.attributes.push(LinkAttribute::TxQueueLen(packets));
        })
    }

    /// Limits the segments of one super-packet; 1 makes the kernel cut every packet before this interface sees it.
    ///
    /// # Errors
    /// When it is more than the interface can do.
    pub fn set_gso_max_segments(&mut self, index: u32, segments: u32) -> Result<()> {
        self.change(index, "limit the segments of", |message| {
            message.attributes.push(LinkAttribute::GsoMaxSegs(segments));
        })
    }

    /// Gives an interface, which must be down, another name.
    ///
    /// # Errors
    /// When the name is taken or not a name, or the interface is up (`EBUSY`, older kernels).
    pub fn rename(&mut self, index: u32, name: &str) -> Result<()> {
        self.change(index, &format!("rename to {name}"), |message| {
            message
                .attributes
                .push(LinkAttribute::IfName(name.to_owned()));
        })
    }

    /// Moves an interface to another network namespace; it arrives there down and without addresses.
    ///
    /// # Errors
    /// When its name is taken there, or it may not be moved (`EINVAL`).
    pub fn move_to_namespace(&mut self, index: u32, namespace: &Namespace) -> Result<()> {
        let descriptor = namespace.as_raw_fd();
        self.change(index, "move to another namespace", |message| {
            message.attributes.push(LinkAttribute::NetNsFd(descriptor));
        })
    }

    /// Deletes an interface; of a veth pair, both ends.
    ///
    /// # Errors
    /// When it is gone already (see [`Error::is_missing`]), or is none that can be deleted.
    pub fn delete(&mut self, index: u32) -> Result<()> {
        let name = self.name_or_index(index);
        let message = RouteNetlinkMessage::DelLink(message_for(index));
        self.request(message, 0, || format!("delete {name}"))
    }

    fn create(
        &mut self,
        name: &str,
        kind: InfoKind,
        data: Option<InfoData>,
        operation: impl Fn() -> String,
    ) -> Result<()> {
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let message = RouteNetlinkMessage::NewLink(message);
        self.request(message, NLM_F_CREATE | NLM_F_EXCL, operation)
    }

    fn change(
        &mut self,
        index: u32,
        verb: &str,
        edit: impl FnOnce(&mut LinkMessage),
    ) -> Result<()> {
        let name = self.name_or_index(index);
        let mut message = message_for(index);
        edit(&mut message);
        self.request(RouteNetlinkMessage::SetLink(message), 0, || {
            format!("{verb} {name}")
        })
    }

    fn one_link(
        &mut self,
        message: LinkMessage,
        operation: impl Fn() -> String,
    ) -> Result<Option<Link>> {
        match self.query(RouteNetlinkMessage::GetLink(message), operation) {
            Ok(answers) => Ok(answers.into_iter().find_map(parse_link)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn message_for(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

pub(crate) fn parse_link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else {
        return None;
    };
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        kind: None,
        hardware_address: Vec::new(),
        transmit_queue: 0,
        counters: LinkCounters::default(),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) => link.hardware_address = bytes,
            LinkAttribute::TxQueueLen(packets) => link.transmit_queue = packets,
            LinkAttribute::LinkInfo(info) => link.kind = kind_of(&info),
            LinkAttribute::Stats64(stats) => {
                link.counters = LinkCounters {
                    received_packets: stats.rx_packets,
                    received_bytes: stats.rx_bytes,
                    sent_packets: stats.tx_packets,
                    sent_bytes: stats.tx_bytes,
                    receive_drops: stats.rx_dropped,
                    send_drops: stats.tx_dropped,
                }
            }
            _ => {}
        }
    }
    Some(link)
}

fn kind_of(info: &[LinkInfo]) -> Option<String> {
    info.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}
