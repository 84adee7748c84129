//! A daemon that is started again and again.

use std::sync::atomic::{AtomicBool, Ordering};

use hushwire_lab::{Host, Implementation, Lab, Tunnel, TunnelOptions};

use super::report::Report;
use super::scene::set;
use crate::error::Result;

const INTERFACE: &str = "wg1";

/// Kills, ends and bereaves a daemon of its device in turn, and starts it again; each time a ping must come through.
pub(super) fn again_and_again(times: u32, report: &Report, stop: &AtomicBool) -> Result<()> {
    let lab = Lab::new()?;
    let (left, right) = (lab.host("restarted")?, lab.host("steady")?);
    lab.link(&left, "eth0", &right, "eth0")?;
    left.address("eth0", "10.0.0.1/24")?;
    right.address("eth0", "10.0.0.2/24")?;
    let ours = Implementation::Hushwired;
    let ends = ((&left, ours, "10.0.0.1"), (&right, ours, "10.0.0.2"));
    let Tunnel {
        left: first,
        right: steady,
    } = Tunnel::between(ends.0, ends.1, &TunnelOptions::default())?;
    let settings = settings(&left)?;
    let mut daemon = first.daemon;
    for time in 0..times {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        match time % 3 {
            0 => daemon.kill(),
            1 => daemon.stop()?,
            _ => left.delete(INTERFACE)?,
        }
        daemon = ours.start(&left, INTERFACE)?;
        set(&left, INTERFACE, &settings)?;
        left.address(INTERFACE, &format!("{}/24", first.ipv4))?;
        left.up(INTERFACE)?;
        match left.ping(&steady.ipv4) {
            Ok(_) => report.restarted(),
            Err(error) => report.stalled("restarted", &error),
        }
    }
    Ok(())
}

/// The settings of a device, without what is no setting.
fn settings(host: &Host) -> Result<String> {
    let text = host.uapi(INTERFACE, "get=1\n\n")?;
    let status = ["errno", "last_handshake", "tx_bytes", "rx_bytes"];
    let is_setting = |line: &&str| !line.is_empty() && !status.iter().any(|s| line.starts_with(s));
    let lines: Vec<&str> = text.lines().filter(is_setting).collect();
    Ok(format!("{}\n", lines.join("\n")))
}
