//! Two hosts with a tunnel of ours between them.

use hushwire_lab::{Faults, FaultyLink, Host, Lab, Nat, Tunnel, TunnelOptions};

use super::daemon::implementation;

/// The hosts, on `eth0` of each, and the tunnel, which has worked.
pub(crate) struct Pair {
    pub(crate) left: Host,
    pub(crate) right: Host,
    pub(crate) tunnel: Tunnel,
    pub(crate) lab: Lab,
}

impl Pair {
    /// On a cable, as 10.0.0.1 and 10.0.0.2.
    #[track_caller]
    pub(crate) fn on_a_cable() -> Self {
        let lab = Lab::new().unwrap();
        let (left, right) = (lab.host("left").unwrap(), lab.host("right").unwrap());
        lab.link(&left, "eth0", &right, "eth0").unwrap();
        give_addresses(&left, &right);
        Self::join(lab, left, right)
    }

    /// As [`Pair::on_a_cable`], on a link whose faults are yet to begin.
    #[track_caller]
    pub(crate) fn on_a_faulty_link() -> (Self, FaultyLink) {
        let lab = Lab::new().unwrap();
        let ([left, right], link) = faulty_link(&lab);
        (Self::join(lab, left, right), link)
    }

    /// The left host is 192.168.1.2 behind a router that hides it behind its own address; the right one is 10.0.0.2, and
    /// is not told where the left one is. Runs `work` with them.
    #[track_caller]
    pub(crate) fn behind_a_router(work: impl FnOnce(&Self, &Nat<'_>)) {
        let lab = Lab::new().unwrap();
        let [left, router, right] = ["left", "router", "right"].map(|name| lab.host(name).unwrap());
        lab.link(&left, "eth0", &router, "in").unwrap();
        lab.link(&router, "out", &right, "eth0").unwrap();
        left.address("eth0", "192.168.1.2/24").unwrap();
        router.address("in", "192.168.1.1/24").unwrap();
        router.address("out", "10.0.0.1/24").unwrap();
        right.address("eth0", "10.0.0.2/24").unwrap();
        left.route_via("0.0.0.0/0", "192.168.1.1").unwrap();
        let nat = Nat::new(&router, "out").unwrap();
        let options = TunnelOptions {
            right_knows_left: false,
            ..TunnelOptions::default()
        };
        let tunnel = tunnel((&left, "192.168.1.2"), (&right, "10.0.0.2"), &options);
        work(&Self::working(lab, left, right, tunnel), &nat);
    }

    #[track_caller]
    fn join(lab: Lab, left: Host, right: Host) -> Self {
        let tunnel = tunnel_on_eth0(&left, &right);
        Self::working(lab, left, right, tunnel)
    }

    #[track_caller]
    fn working(lab: Lab, left: Host, right: Host, tunnel: Tunnel) -> Self {
        left.ping(&tunnel.right.ipv4).unwrap();
        Self {
            left,
            right,
            tunnel,
            lab,
        }
    }

    /// Both ways, in the end.
    #[track_caller]
    pub(crate) fn works(&self) {
        self.left.ping(&self.tunnel.right.ipv4).unwrap();
        self.right.ping(&self.tunnel.left.ipv4).unwrap();
    }
}

/// Two hosts, 10.0.0.1 and 10.0.0.2, on a link whose faults are yet to begin.
#[track_caller]
pub(crate) fn faulty_link(lab: &Lab) -> ([Host; 2], FaultyLink) {
    let (left, right) = (lab.host("left").unwrap(), lab.host("right").unwrap());
    let link = lab
        .faulty_link(&left, "eth0", &right, "eth0", Faults::default())
        .unwrap();
    give_addresses(&left, &right);
    ([left, right], link)
}

/// A tunnel between 10.0.0.1 and 10.0.0.2, which nobody has tried yet.
#[track_caller]
pub(crate) fn tunnel_on_eth0(left: &Host, right: &Host) -> Tunnel {
    let (left, right) = ((left, "10.0.0.1"), (right, "10.0.0.2"));
    tunnel(left, right, &TunnelOptions::default())
}

#[track_caller]
fn tunnel(left: (&Host, &str), right: (&Host, &str), options: &TunnelOptions) -> Tunnel {
    let ours = implementation();
    let ends = ((left.0, ours, left.1), (right.0, ours, right.1));
    Tunnel::between(ends.0, ends.1, options).unwrap()
}

#[track_caller]
fn give_addresses(left: &Host, right: &Host) {
    left.address("eth0", "10.0.0.1/24").unwrap();
    right.address("eth0", "10.0.0.2/24").unwrap();
}
