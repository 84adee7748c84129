//! The hosts, and the tunnels between them.

use hushwire_lab::{
    Faults, FaultyLink, Host, Implementation, Lab, Tunnel, TunnelEnd, TunnelOptions,
};

use crate::error::{Error, Result};

/// Two hosts and the tunnel between them.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) left: Host,
    pub(super) right: Host,
    pub(super) tunnel: Tunnel,
}

impl Place {
    /// Both ends with their hosts.
    pub(super) fn ends(&self) -> [(&Host, &TunnelEnd); 2] {
        [
            (&self.left, &self.tunnel.left),
            (&self.right, &self.tunnel.right),
        ]
    }
}

/// All of it.
pub(super) struct Scene {
    /// A link with loss.
    pub(super) lossy: Place,
    pub(super) link: FaultyLink,
    /// The left end is behind a router.
    pub(super) hidden: Place,
    pub(super) router: Host,
    /// The left end has now one address, now another.
    pub(super) roaming: Place,
    _lab: Lab,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let (lossy, link) = lossy(&lab)?;
        let (hidden, router) = hidden(&lab)?;
        let roaming = roaming(&lab)?;
        Ok(Self {
            lossy,
            link,
            hidden,
            router,
            roaming,
            _lab: lab,
        })
    }

    pub(super) fn places(&self) -> [&Place; 3] {
        [&self.lossy, &self.hidden, &self.roaming]
    }
}

fn lossy(lab: &Lab) -> Result<(Place, FaultyLink)> {
    let (left, right) = (lab.host("lossy-left")?, lab.host("lossy-right")?);
    let link = lab.faulty_link(&left, "eth0", &right, "eth0", Faults::default())?;
    left.address("eth0", "10.1.0.1/24")?;
    right.address("eth0", "10.1.0.2/24")?;
    let place = place("lossy", left, right, ["10.1.0.1", "10.1.0.2"], 1)?;
    Ok((place, link))
}

fn hidden(lab: &Lab) -> Result<(Place, Host)> {
    let (left, right) = (lab.host("hidden-left")?, lab.host("hidden-right")?);
    let router = lab.host("router")?;
    lab.link(&left, "eth0", &router, "in")?;
    lab.link(&router, "out", &right, "eth0")?;
    left.address("eth0", "192.168.2.2/24")?;
    router.address("in", "192.168.2.1/24")?;
    router.address("out", "10.2.0.1/24")?;
    right.address("eth0", "10.2.0.2/24")?;
    left.route_via("0.0.0.0/0", "192.168.2.1")?;
    // Until the router hides the left end, the right one could not answer it.
    hushwire_lab::Nat::new(&router, "out")?;
    let place = place("hidden", left, right, ["192.168.2.2", "10.2.0.2"], 2)?;
    Ok((place, router))
}

fn roaming(lab: &Lab) -> Result<Place> {
    let (left, right) = (lab.host("roaming-left")?, lab.host("roaming-right")?);
    lab.link(&left, "eth0", &right, "eth0")?;
    left.address("eth0", "10.3.0.1/24")?;
    right.address("eth0", "10.3.0.2/24")?;
    place("roaming", left, right, ["10.3.0.1", "10.3.0.2"], 3)
}

fn place(
    name: &'static str,
    left: Host,
    right: Host,
    addresses: [&str; 2],
    number: u8,
) -> Result<Place> {
    let options = TunnelOptions {
        number,
        left_keepalive: 3,
        right_knows_left: false,
        ..TunnelOptions::default()
    };
    let ours = Implementation::Hushwired;
    let [left_address, right_address] = addresses;
    let ends = ((&left, ours, left_address), (&right, ours, right_address));
    let tunnel = Tunnel::between(ends.0, ends.1, &options)?;
    left.ping(&tunnel.right.ipv4)?;
    Ok(Place {
        name,
        left,
        right,
        tunnel,
    })
}

/// Changes settings of a device by its control socket.
pub(super) fn set(host: &Host, interface: &str, lines: &str) -> Result<()> {
    let answer = host.uapi(interface, &format!("set=1\n{lines}\n"))?;
    if answer.contains("errno=0\n") {
        return Ok(());
    }
    Err(Error::Machine(format!(
        "{interface} refused `{lines}`: {}",
        answer.trim()
    )))
}
