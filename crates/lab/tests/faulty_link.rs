//! Links with faults. Needs root.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use hushwire_lab::{Faults, FaultyLink, Host, Lab, require_tools};

/// How long a datagram is waited for that should come. Nothing depends on how soon it does.
const PATIENCE: Duration = Duration::from_secs(20);
const LAST: u8 = 255;

fn joined(faults: Faults) -> (Lab, Host, Host, FaultyLink) {
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    let link = lab
        .faulty_link(&alice, "eth0", &bob, "eth0", faults)
        .unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    bob.address("eth0", "10.0.0.2/24").unwrap();
    alice.address("eth0", "fd00::1/64").unwrap();
    bob.address("eth0", "fd00::2/64").unwrap();
    (lab, alice, bob, link)
}

/// Sends numbered datagrams from alice to bob through these faults, then, through none, one that ends the row; returns
/// the first bytes of all that arrive.
fn arrivals(faults: Faults, count: u8) -> Vec<u8> {
    let (_lab, alice, bob, link) = joined(Faults::default());
    let receiver = bob.run(|| UdpSocket::bind("10.0.0.2:7").unwrap());
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = alice.run(|| UdpSocket::bind("10.0.0.1:0").unwrap());
    // While alice does not know bob's hardware address, what she sends waits, and may be overtaken by what she sends
    // after she has learned it. So she learns it first.
    sender.send_to(&[0], "10.0.0.2:7").unwrap();
    receiver.recv(&mut [0; 200]).unwrap();
    link.set(faults);
    for number in 0..count {
        sender.send_to(&[number; 100], "10.0.0.2:7").unwrap();
    }
    // All have to have entered the link before its faults end.
    hushwire_lab::wait_until(PATIENCE, "all datagrams", || {
        link.forth().received >= u64::from(count)
    })
    .unwrap();
    link.set(Faults::default());
    sender.send_to(&[LAST; 100], "10.0.0.2:7").unwrap();

    let mut numbers = Vec::new();
    let mut buffer = [0; 200];
    loop {
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(length, 100);
        match buffer[0] {
            LAST => return numbers,
            number => numbers.push(number),
        }
    }
}

#[test]
fn without_faults_all_arrive_in_order() {
    assert_eq!(arrivals(Faults::default(), 50), (0..50).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_loses_and_repeats_the_same_datagrams() {
    let faults = Faults {
        loss: 0.3,
        duplicate: 0.2,
        seed: 1,
        ..Faults::default()
    };
    let first = arrivals(faults, 100);
    assert_eq!(first, arrivals(faults, 100));
    assert_ne!(first, arrivals(Faults { seed: 2, ..faults }, 100));
    let mut distinct = first.clone();
    distinct.dedup();
    assert!(
        distinct.len() < 90 && first.len() > distinct.len(),
        "{first:?}"
    );
}

#[test]
fn reordered_datagrams_all_arrive() {
    let faults = Faults {
        reorder: 0.4,
        seed: 3,
        ..Faults::default()
    };
    let mut numbers = arrivals(faults, 100);
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    // The very last may have been held back and be overtaken by the one that ends the row.
    assert!(numbers == (0..100).collect::<Vec<_>>() || numbers == (0..99).collect::<Vec<_>>());
}

#[test]
fn a_corrupted_datagram_reaches_the_program() {
    let (_lab, alice, bob, link) = joined(Faults {
        corrupt: 1.0,
        seed: 4,
        ..Faults::default()
    });
    for (to, from) in [("10.0.0.2:7", "10.0.0.1:0"), ("[fd00::2]:7", "[fd00::1]:0")] {
        let receiver = bob.run(|| UdpSocket::bind(to).unwrap());
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let sender = alice.run(|| UdpSocket::bind(from).unwrap());
        sender.send_to(&[0; 1000], to).unwrap();
        let mut buffer = [0; 2000];
        let length = receiver.recv(&mut buffer).unwrap();
        let flipped: u32 = buffer[..length].iter().map(|byte| byte.count_ones()).sum();
        assert_eq!((length, flipped), (1000, 1));
    }
    assert_eq!(link.forth().corrupted, link.forth().received);
}

#[test]
fn a_link_can_be_cut_in_one_direction_and_mended() {
    require_tools(&["ping"]).unwrap();
    let (_lab, alice, bob, link) = joined(Faults::default());
    alice.ping("10.0.0.2").unwrap();
    link.set_back(Faults::cut());
    assert!(
        bob.output(&["ping", "-n", "-c", "1", "-W", "1", "10.0.0.1"])
            .is_err()
    );
    assert_eq!((link.back().received, link.back().lost), (1, 1));
    assert_eq!(link.forth().lost, 0);
    link.set(Faults::default());
    bob.ping("10.0.0.1").unwrap();
    bob.ping("fd00::1").unwrap();
}

#[test]
fn a_delay_takes_its_time_both_ways() {
    require_tools(&["ping"]).unwrap();
    let delay = Duration::from_millis(40);
    let (_lab, alice, _bob, link) = joined(Faults::default());
    alice.ping("10.0.0.2").unwrap();
    link.set(Faults {
        delay,
        ..Faults::default()
    });
    let start = Instant::now();
    alice.ping("10.0.0.2").unwrap();
    assert!(start.elapsed() >= 2 * delay);
}

#[test]
fn large_frames_pass() {
    require_tools(&["ping"]).unwrap();
    let (_lab, alice, bob, _link) = joined(Faults::default());
    alice.mtu("eth0", 9000).unwrap();
    bob.mtu("eth0", 9000).unwrap();
    alice
        .output(&[
            "ping", "-n", "-c", "1", "-W", "10", "-M", "do", "-s", "8972", "10.0.0.2",
        ])
        .unwrap();
}

#[test]
fn the_interfaces_go_with_the_link() {
    let (_lab, alice, bob, link) = joined(Faults::default());
    assert!(alice.netlink().link("eth0").unwrap().is_some());
    drop(link);
    assert!(alice.netlink().link("eth0").unwrap().is_none());
    assert!(bob.netlink().link("eth0").unwrap().is_none());
}

#[test]
fn a_link_survives_the_loss_of_an_interface() {
    let (_lab, alice, bob, link) = joined(Faults::default());
    alice.delete("eth0").unwrap();
    bob.run(|| {
        let socket = UdpSocket::bind("10.0.0.2:0").unwrap();
        let _ = socket.send_to(b"into the void", "10.0.0.1:7");
    });
    drop(link);
    assert!(bob.netlink().link("eth0").unwrap().is_none());
}
