//! Traffic through a tunnel.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hushwire_lab::{Host, send_and_compare};
use serde_json::Value;

use super::shell::Shell;
use super::topology::World;
use super::{SOON, eventually};

/// A limit for transfers that a slow daemon still keeps.
const TRANSFER_LIMIT: Duration = Duration::from_secs(180);

/// Lets only one test at a time load the machine, so that the tests beside it are slowed, not starved.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static FLOOR: Mutex<()> = Mutex::new(());
    FLOOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One ping that must be answered.
#[track_caller]
pub(crate) fn ping(host: &Host, address: &str) {
    host.sh(&format!("ping -n -c 1 -W 10 {address}"));
}

/// Pings at once, all of which must be answered. A ping that has seen an answer waits for others as long as its interval
/// and no longer, so on a busy machine that has to be long (`-f` waits for two of the round trips that it has seen).
#[track_caller]
pub(crate) fn pings_at_once(host: &Host, count: u32, address: &str) {
    let text = host.sh(&format!(
        "ping -n -l {count} -c {count} -i 10 -W 10 {address}"
    ));
    assert!(text.contains(&format!(" {count} received")), "{text}");
}

/// Pings both ways, a TCP transfer and a UDP flood, each over IPv4 and IPv6.
#[track_caller]
pub(crate) fn every_kind_of_traffic(world: &World) {
    let World { one, two, .. } = world;
    for family in ["192.168.241.", "fd00::"] {
        pings_at_once(two, 10, &format!("{family}1"));
        pings_at_once(one, 10, &format!("{family}2"));
    }
    tcp(one, two, "192.168.241.2", "256M", 1);
    tcp(two, one, "fd00::1", "256M", 1);
    udp(two, one, "192.168.241.1", "256M");
    udp(one, two, "fd00::2", "256M");
}

/// A TCP transfer of so many bytes in all, over one flow or several.
#[track_caller]
pub(crate) fn tcp(client: &Host, server: &Host, address: &str, bytes: &str, flows: u32) {
    let report = iperf(
        client,
        server,
        address,
        &["-n", bytes, "-P", &flows.to_string()],
    );
    let [sent, received] = ["/end/sum_sent/bytes", "/end/sum_received/bytes"].map(|path| {
        report
            .pointer(path)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    });
    // The figures are taken when the sender stops; what is in buffers and on its way then may be much of a short transfer.
    assert!(sent > 0 && received > 0, "{sent} sent, {received} received");
}

/// A UDP flood as fast as the sender can, of which something must arrive.
#[track_caller]
pub(crate) fn udp(client: &Host, server: &Host, address: &str, bytes: &str) {
    let report = iperf(client, server, address, &["-u", "-b", "0", "-n", bytes]);
    let [sent, lost] = ["/end/sum/packets", "/end/sum/lost_packets"].map(|path| {
        report
            .pointer(path)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    });
    assert!(sent > lost, "{sent} sent, {lost} lost");
}

fn iperf(client: &Host, server: &Host, address: &str, options: &[&str]) -> Value {
    let serve = server.command(&["iperf3", "-s", "-1", "-J", "-B", address]);
    let listener = server.spawn(serve).unwrap();
    eventually("iperf3 to listen", || {
        !server.sh("ss -Hltn sport = 5201").is_empty()
    });
    let mut words = vec!["iperf3", "-J", "-Z", "-c", address];
    words.extend_from_slice(options);
    let output = client.output_within(TRANSFER_LIMIT, &words).unwrap();
    listener.finish(SOON).unwrap();
    serde_json::from_str(&output.stdout).unwrap()
}

/// Sends bytes by TCP and compares what arrives ([`hushwire_lab::send_and_compare`]).
#[track_caller]
pub(crate) fn bytes_arrive_unchanged(client: &Host, server: &Host, address: IpAddr, length: usize) {
    send_and_compare(client, server, address, length, SOON).unwrap();
}
