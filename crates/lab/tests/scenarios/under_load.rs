//! What may befall a device while it is busy: afterwards the tunnel works again by itself, or the daemon has ended and
//! says so. How long that takes by the clock of the protocol is in `proto/tests/protocol/recovery.rs`.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use hushwire_lab::{Faults, Host, Process, Tunnel, TunnelEnd};
use rustix::process::Signal;

use crate::common::{
    Pair, SOON, Shell, bytes_arrive_unchanged, eventually, implementation, one_at_a_time,
};

/// A transfer that is long enough for things to happen in the middle of it.
const TRANSFER: usize = 24 << 20;
/// As much has gone through a busy tunnel before anything befalls it, in bytes.
const BUSY: u64 = 8 << 20;
/// Between two things that befall it.
const PAUSE: Duration = Duration::from_millis(50);

impl Pair {
    /// A stream from left to right that goes on for as long as this is kept and the tunnel bears it.
    #[track_caller]
    fn load(&self) -> [Process; 2] {
        let Self {
            left,
            right,
            tunnel,
            ..
        } = self;
        let server = right.spawn(right.command(&["iperf3", "-s"])).unwrap();
        eventually("iperf3 to listen", || {
            !right.sh("ss -Hltn sport = 5201").is_empty()
        });
        let words = ["iperf3", "-t", "600", "-c", &tunnel.right.ipv4];
        let client = left.spawn(left.command(&words)).unwrap();
        eventually("the tunnel to be busy", || {
            let link = right.netlink().link(&tunnel.right.interface).unwrap();
            link.unwrap().counters.received_bytes > BUSY
        });
        [server, client]
    }

    /// Sends bytes from left to right and compares them, while something befalls the tunnel again and again.
    #[track_caller]
    fn transfer_while(&self, mut befalls: impl FnMut(usize)) {
        let to: IpAddr = self.tunnel.right.ipv4.parse().unwrap();
        thread::scope(|scope| {
            let transfer =
                scope.spawn(|| bytes_arrive_unchanged(&self.left, &self.right, to, TRANSFER));
            for number in 0.. {
                if transfer.is_finished() {
                    break;
                }
                befalls(number);
                thread::sleep(PAUSE);
            }
            transfer.join().unwrap();
        });
        self.works();
    }
}

/// Changes one thing of a device by its control socket.
#[track_caller]
fn set(host: &Host, end: &TunnelEnd, lines: &str) {
    let answer = host.uapi(&end.interface, &format!("set=1\n{lines}\n"));
    assert!(answer.unwrap().contains("errno=0"), "{lines}");
}

#[test]
fn down_and_up() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    let load = pair.load();
    for _ in 0..20 {
        pair.left.down("wg1").unwrap();
        pair.left.up("wg1").unwrap();
        pair.right.down("wg2").unwrap();
        pair.right.up("wg2").unwrap();
    }
    pair.works();
    drop(load);
    pair.works();
}

#[test]
fn another_mtu() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    let sizes = [1280, 1420, 576, 9000, 1420, 65_535];
    pair.transfer_while(|number| {
        pair.left.mtu("wg1", sizes[number % sizes.len()]).unwrap();
        pair.right
            .mtu("wg2", sizes[number / 2 % sizes.len()])
            .unwrap();
    });
}

#[test]
fn moved_to_another_host_and_back() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    let other = pair.lab.host("other").unwrap();
    let load = pair.load();
    for _ in 0..5 {
        for (from, to) in [(&pair.left, &other), (&other, &pair.left)] {
            let mut netlink = from.netlink();
            let index = netlink.index_of("wg1").unwrap();
            netlink.move_to_namespace(index, to.namespace()).unwrap();
            drop(netlink);
            to.address("wg1", "10.241.1.1/24").unwrap();
            to.up("wg1").unwrap();
        }
    }
    drop(load);
    pair.works();
}

/// The one thing after which there is no tunnel: it was somebody's wish. The daemon ends in good order.
#[test]
fn deleted() {
    let _alone = one_at_a_time();
    let Pair {
        lab: _lab,
        left,
        right,
        tunnel,
    } = {
        let pair = Pair::on_a_cable();
        let load = pair.load();
        pair.left.delete("wg1").unwrap();
        drop(load);
        pair
    };
    let Tunnel {
        left: gone,
        right: lives_on,
    } = tunnel;
    let mut daemon = gone.daemon;
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(0));
    assert_eq!(daemon.process().output().stderr, "");
    assert!(right.uapi(&lives_on.interface, "get=1\n\n").is_ok());

    let daemon = implementation().start(&left, "wg1").unwrap();
    left.address("wg1", "10.241.1.1/24").unwrap();
    left.up("wg1").unwrap();
    let hex = |key: &str| {
        use base64ct::{Base64, Encoding};
        let bytes = Base64::decode_vec(key).unwrap();
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let lines = format!(
        "private_key={}\nlisten_port=51821\npublic_key={}\nendpoint=10.0.0.2:51822\nallowed_ip=10.241.1.2/32\n",
        hex(&gone.keys.private_base64()),
        lives_on.keys.public_hex()
    );
    let answer = left.uapi("wg1", &format!("set=1\n{lines}\n")).unwrap();
    assert!(answer.contains("errno=0"), "{answer}");
    left.ping(&lives_on.ipv4).unwrap();
    drop(daemon);
}

#[test]
fn stopped_and_continued() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    pair.transfer_while(|number| {
        let end = [&pair.tunnel.left, &pair.tunnel.right][number % 2];
        end.daemon.process().signal(Signal::STOP).unwrap();
        thread::sleep(4 * PAUSE);
        end.daemon.process().signal(Signal::CONT).unwrap();
        thread::sleep(4 * PAUSE);
    });
}

#[test]
fn the_cable_pulled_and_the_address_gone() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    let load = pair.load();
    for _ in 0..5 {
        pair.left.down("eth0").unwrap();
        thread::sleep(PAUSE);
        pair.left.up("eth0").unwrap();
        pair.left.delete_address("eth0", "10.0.0.1/24").unwrap();
        thread::sleep(PAUSE);
        pair.left.address("eth0", "10.0.0.7/24").unwrap();
        thread::sleep(PAUSE);
        pair.left.delete_address("eth0", "10.0.0.7/24").unwrap();
        pair.left.address("eth0", "10.0.0.1/24").unwrap();
    }
    pair.works();
    drop(load);
}

#[test]
fn another_port_of_its_own_again_and_again() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    pair.transfer_while(|number| {
        let port = 40_000 + number % 1000;
        set(
            &pair.left,
            &pair.tunnel.left,
            &format!("listen_port={port}\n"),
        );
    });
}

/// Both addresses of the right end are right; the left one is told the one and the other in turn, and the right one
/// follows its packets.
#[test]
fn an_endpoint_that_flaps() {
    let _alone = one_at_a_time();
    let pair = Pair::on_a_cable();
    pair.right.address("eth0", "10.0.0.3/24").unwrap();
    let peer = pair.tunnel.right.keys.public_hex();
    pair.transfer_while(|number| {
        let address = ["10.0.0.3", "10.0.0.2"][number % 2];
        let line = format!("public_key={peer}\nupdate_only=true\nendpoint={address}:51822\n");
        set(&pair.left, &pair.tunnel.left, &line);
    });
}

#[test]
fn a_router_that_gives_other_ports_again_and_again() {
    let _alone = one_at_a_time();
    Pair::behind_a_router(|pair, nat| pair.transfer_while(|_| nat.rebind().unwrap()));
}

/// Half of everything lost, and what is not lost is doubled, out of order or spoilt: for as long as that lasts nothing is
/// promised, and when it ends the tunnel works.
#[test]
fn a_link_that_gets_worse_and_then_well() {
    let _alone = one_at_a_time();
    let (pair, link) = Pair::on_a_faulty_link();
    let Pair {
        left,
        right,
        tunnel,
        ..
    } = &pair;
    for (seed, loss) in (1..).zip([0.1, 0.2, 0.3, 0.4, 0.5, 1.0]) {
        link.set(Faults {
            loss,
            duplicate: loss / 2.0,
            reorder: loss / 2.0,
            corrupt: loss / 2.0,
            jitter: Duration::from_millis(5),
            seed,
            ..Faults::default()
        });
        let flood = ["ping", "-n", "-q", "-i", "0.005", "-c", "100", "-W", "1"];
        let _ = left.output(&[&flood[..], &[&tunnel.right.ipv4]].concat());
        assert!(link.forth().lost > 0, "{:?}", link.forth());
        link.set(Faults::default());
        left.ping(&tunnel.right.ipv4).unwrap();
        right.ping(&tunnel.left.ipv6).unwrap();
    }
}
