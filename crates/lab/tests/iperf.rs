//! Measuring throughput. Needs root and iperf3.

use hushwire_lab::{Host, Iperf, Lab, require_tools};

fn joined() -> (Lab, Host, Host) {
    require_tools(&["iperf3"]).unwrap();
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    bob.address("eth0", "10.0.0.2/24").unwrap();
    (lab, alice, bob)
}

#[test]
fn tcp_both_ways_with_several_streams() {
    let (_lab, alice, bob) = joined();
    for measurement in [
        Iperf::tcp(),
        Iperf::tcp().streams(4),
        Iperf::tcp().reverse(),
    ] {
        let throughput = measurement
            .seconds(1)
            .run(&alice, &bob, "10.0.0.2")
            .unwrap();
        assert!(
            throughput.bytes > 1_000_000 && throughput.bits_per_second > 1e6,
            "{throughput:?}"
        );
        assert_eq!(throughput.packets_per_second, None);
        assert!(throughput.retransmits.is_some());
    }
}

#[test]
fn udp_counts_what_arrives() {
    let (_lab, alice, bob) = joined();
    let throughput = Iperf::udp(64)
        .rate(1_000_000)
        .seconds(1)
        .run(&alice, &bob, "10.0.0.2")
        .unwrap();
    let packets = throughput.packets_per_second.unwrap();
    assert!(packets > 100.0, "{throughput:?}");
    assert!(
        (throughput.bits_per_second - packets * 512.0).abs() < 1.0,
        "{throughput:?}"
    );
}

#[test]
fn no_way_to_the_server_is_an_error_that_names_the_command() {
    let (_lab, alice, bob) = joined();
    let error = Iperf::tcp()
        .seconds(1)
        .run(&alice, &bob, "192.0.2.99")
        .unwrap_err();
    assert!(
        error.to_string().contains("iperf3 -c 192.0.2.99"),
        "{error}"
    );
}
