//! The networks that the scenarios play in: three hosts, and the tunnel's two ends.

use std::fs;

use hushwire_lab::{Host, KeyPair, Lab, require_tools};

use super::daemon::{start, start_with};
use super::shell::Shell;

/// The first end's port.
pub(crate) const PORT_1: u16 = 10000;
/// The second end's port.
pub(crate) const PORT_2: u16 = 20000;

/// A key pair, its private key in a file as wg(8) wants it.
pub(crate) struct Key {
    pub(crate) public: String,
    pub(crate) private: String,
    /// Where the private key is, on every host of the lab.
    pub(crate) file: String,
}

impl Key {
    /// Makes a fresh key and keeps it under that name.
    pub(crate) fn generate(host: &Host, name: &str) -> Self {
        let pair = KeyPair::generate(host).unwrap();
        let (public, private) = (pair.public_base64(), pair.private_base64());
        let file = format!("/run/{name}.key");
        write(host, &file, &private);
        Self {
            public,
            private,
            file,
        }
    }
}

/// Writes a file where every host of the lab sees it and nobody else: below /run.
#[track_caller]
pub(crate) fn write(host: &Host, path: &str, text: &str) {
    host.run(|| fs::write(path, text)).unwrap();
}

/// Three hosts. The tunnel goes from `wg1` on the first to `wg2` on the second; the host in the middle is their outside.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) middle: Host,
    pub(crate) one: Host,
    pub(crate) two: Host,
    pub(crate) key1: Key,
    pub(crate) key2: Key,
    /// A file with a pre-shared key.
    pub(crate) psk: String,
}

impl World {
    /// Three hosts that have nothing to do with each other yet.
    #[track_caller]
    pub(crate) fn empty() -> Self {
        require_tools(&["ip", "iperf3", "nft", "ping", "ss", "wg"]).unwrap();
        let lab = Lab::new().unwrap();
        let [middle, one, two] = ["middle", "one", "two"].map(|name| lab.host(name).unwrap());
        let (key1, key2) = (Key::generate(&one, "1"), Key::generate(&two, "2"));
        let psk = "/run/psk".to_owned();
        write(&one, &psk, &one.sh("wg genpsk"));
        Self {
            lab,
            middle,
            one,
            two,
            key1,
            key2,
            psk,
        }
    }

    /// Both daemons run on the host in the middle and meet on its loopback interface; their interfaces are on the outer
    /// hosts, which have no other way out. The ends do not know where the other is yet.
    #[track_caller]
    pub(crate) fn loopback() -> Self {
        Self::loopback_with(&[])
    }

    /// As [`World::loopback`], the daemons with these environment variables.
    #[track_caller]
    pub(crate) fn loopback_with(environment: &[(&str, &str)]) -> Self {
        let world = Self::empty();
        for (interface, host) in [("wg1", &world.one), ("wg2", &world.two)] {
            start_with(&world.middle, interface, environment);
            world.move_link(interface, &world.middle, host);
        }
        world.configure();
        world
    }

    /// As [`World::loopback`], the ends knowing each other's place on 127.0.0.1.
    #[track_caller]
    pub(crate) fn loopback_v4() -> Self {
        let world = Self::loopback();
        world.meet("127.0.0.1", "127.0.0.1");
        world
    }

    /// As [`World::loopback`], the ends knowing each other's place on ::1.
    #[track_caller]
    pub(crate) fn loopback_v6() -> Self {
        let world = Self::loopback();
        world.meet("[::1]", "[::1]");
        world
    }

    /// The first host is behind a router (the one in the middle) that hides it behind its own address, 10.0.0.1, and
    /// forgets a silent UDP flow after two seconds; the second is 10.0.0.100. The ends do not know each other's place.
    #[track_caller]
    pub(crate) fn nat() -> Self {
        let world = Self::empty();
        let Self {
            lab,
            middle,
            one,
            two,
            ..
        } = &world;
        lab.link(middle, "inside", one, "eth0").unwrap();
        lab.link(middle, "outside", two, "eth0").unwrap();
        middle.address("inside", "192.168.1.1/24").unwrap();
        middle.address("outside", "10.0.0.1/24").unwrap();
        one.address("eth0", "192.168.1.100/24").unwrap();
        two.address("eth0", "10.0.0.100/24").unwrap();
        one.route_via("0.0.0.0/0", "192.168.1.1").unwrap();
        middle.sysctl("net.ipv4.ip_forward", "1").unwrap();
        middle.sh_with_input(
            "nft -f -",
            "table ip nat {\n\
                 chain out {\n\
                     type nat hook postrouting priority srcnat;\n\
                     ip saddr 192.168.1.0/24 ip daddr 10.0.0.0/24 snat to 10.0.0.1\n\
                 }\n\
             }\n",
        );
        for parameter in [
            "nf_conntrack_udp_timeout",
            "nf_conntrack_udp_timeout_stream",
        ] {
            middle
                .sysctl(&format!("net.netfilter.{parameter}"), "2")
                .unwrap();
        }
        start(one, "wg1");
        start(two, "wg2");
        world.configure();
        world
    }

    /// The outer hosts are joined by a cable, `eth0` at both ends, without addresses.
    #[track_caller]
    pub(crate) fn cable() -> Self {
        let world = Self::empty();
        world
            .lab
            .link(&world.one, "eth0", &world.two, "eth0")
            .unwrap();
        world
            .one
            .sysctl("net.ipv4.conf.eth0.promote_secondaries", "1")
            .unwrap();
        start(&world.one, "wg1");
        start(&world.two, "wg2");
        world.configure();
        world
    }

    /// Gives both ends keys, ports, a pre-shared key, each other as peers, and addresses: 192.168.241.1 and .2, fd00::1
    /// and ::2. Their interfaces are up then.
    #[track_caller]
    pub(crate) fn configure(&self) {
        self.configure_down();
        self.one.up("wg1").unwrap();
        self.two.up("wg2").unwrap();
    }

    /// As [`World::configure`], but the interfaces stay as they are.
    #[track_caller]
    pub(crate) fn configure_down(&self) {
        let Self {
            one,
            two,
            key1,
            key2,
            psk,
            ..
        } = self;
        for (host, interface, side) in [(one, "wg1", 1), (two, "wg2", 2)] {
            host.address(interface, &format!("192.168.241.{side}/24"))
                .unwrap();
            host.address(interface, &format!("fd00::{side}/112"))
                .unwrap();
        }
        self.wg(&format!(
            "wg1 private-key {} listen-port {PORT_1} peer {} preshared-key {psk} \
             allowed-ips 192.168.241.2/32,fd00::2/128",
            key1.file, key2.public
        ));
        self.wg(&format!(
            "wg2 private-key {} listen-port {PORT_2} peer {} preshared-key {psk} \
             allowed-ips 192.168.241.1/32,fd00::1/128",
            key2.file, key1.public
        ));
    }

    /// Tells each end where the other is: addresses as in an endpoint, the first end's first.
    #[track_caller]
    pub(crate) fn meet(&self, one: &str, two: &str) {
        self.endpoint_of_2(&format!("{two}:{PORT_2}"));
        self.endpoint_of_1(&format!("{one}:{PORT_1}"));
    }

    /// Tells the second end where the first is.
    #[track_caller]
    pub(crate) fn endpoint_of_1(&self, endpoint: &str) {
        self.wg(&format!(
            "wg2 peer {} endpoint {endpoint}",
            self.key1.public
        ));
    }

    /// Tells the first end where the second is.
    #[track_caller]
    pub(crate) fn endpoint_of_2(&self, endpoint: &str) {
        self.wg(&format!(
            "wg1 peer {} endpoint {endpoint}",
            self.key2.public
        ));
    }

    /// Runs `wg set`.
    #[track_caller]
    pub(crate) fn wg(&self, words: &str) {
        self.middle.sh(&format!("wg set {words}"));
    }

    /// Runs `wg show`.
    #[track_caller]
    pub(crate) fn show(&self, words: &str) -> String {
        self.middle.sh(&format!("wg show {words}"))
    }

    /// Where the only peer of an interface is, as the interface sees it.
    #[track_caller]
    pub(crate) fn seen_endpoint(&self, interface: &str) -> String {
        let text = self.show(&format!("{interface} endpoints"));
        let (_, endpoint) = text.split_once('\t').expect("one peer");
        endpoint.to_owned()
    }

    /// Bytes received and sent with the only peer of an interface.
    #[track_caller]
    pub(crate) fn transfer(&self, interface: &str) -> (u64, u64) {
        let text = self.show(&format!("{interface} transfer"));
        let mut fields = text
            .split('\t')
            .skip(1)
            .map(|field| field.parse().expect("a number"));
        (
            fields.next().expect("received"),
            fields.next().expect("sent"),
        )
    }

    /// When the only peer of an interface last shook hands, in seconds since 1970; 0 is never.
    #[track_caller]
    pub(crate) fn latest_handshake(&self, interface: &str) -> u64 {
        let text = self.show(&format!("{interface} latest-handshakes"));
        let (_, time) = text.split_once('\t').expect("one peer");
        time.parse().expect("a number")
    }

    /// Moves an interface to another host.
    #[track_caller]
    pub(crate) fn move_link(&self, interface: &str, from: &Host, to: &Host) {
        let mut netlink = from.netlink();
        let index = netlink.index_of(interface).unwrap();
        netlink.move_to_namespace(index, to.namespace()).unwrap();
    }

    /// Sets both interfaces to an MTU.
    #[track_caller]
    pub(crate) fn mtu(&self, mtu: u32) {
        self.one.mtu("wg1", mtu).unwrap();
        self.two.mtu("wg2", mtu).unwrap();
    }
}
