//! Streams whose bytes are compared.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hushwire_lab::{Error, send_and_compare};

use super::report::Report;
use super::scene::Place;

/// Bytes of one stream: on a link with loss that is some seconds.
const LENGTH: usize = 2 << 20;
/// How long a stream may stand still. Whatever befalls a tunnel is over within REKEY_TIMEOUT, 5 s; TCP itself may then
/// wait as long again, and so once more.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two streams, so that the machine can breathe.
const PAUSE: Duration = Duration::from_millis(100);

/// Sends one stream after the other, each in another direction and over another family, until it is told to stop.
pub(super) fn flow(place: &Place, report: &Report, stop: &AtomicBool) {
    for number in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (from, to, end) = if number.is_multiple_of(2) {
            (&place.left, &place.right, &place.tunnel.right)
        } else {
            (&place.right, &place.left, &place.tunnel.left)
        };
        let address = if number % 4 < 2 { &end.ipv4 } else { &end.ipv6 };
        let Ok(address) = address.parse::<IpAddr>() else {
            return report.broken(place.name, "an end has no address");
        };
        match send_and_compare(from, to, address, LENGTH, PATIENCE) {
            Ok(()) => report.arrived(LENGTH),
            Err(error @ Error::Unexpected { .. }) => report.differs(place.name, &error),
            Err(error) => report.stalled(place.name, &error),
        }
        thread::sleep(PAUSE);
    }
}
