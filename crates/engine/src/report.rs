//! What of the system a running device makes use of.

use std::fmt;
use std::sync::Arc;

use hushwire_io::offload::Offloads;
use hushwire_io::udp::Sockets;

use crate::dataplane::Dataplane;

/// Which offloads a device uses, and why not the others. Tells the present state whenever it is
/// asked, and the last one after the end of the engine.
#[derive(Clone)]
pub struct OffloadReport {
    pub(crate) tun: Arc<Offloads>,
    pub(crate) dataplane: Arc<Dataplane<Sockets>>,
}

impl OffloadReport {
    /// Each offload's name with its state in words: `on`, or `off` with the reason.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, String)> {
        let tun = self
            .tun
            .iter()
            .map(|(offload, state)| (offload.to_string(), state.to_string()));
        let mut entries: Vec<_> = tun.collect();
        if let Some(sockets) = self.dataplane.sockets() {
            let status = sockets.status();
            for (family, of_family) in [("4", status.v4), ("6", status.v6)] {
                if let Some(of_family) = of_family {
                    entries.push((format!("udp-gso{family}"), of_family.gso.to_string()));
                    entries.push((format!("udp-gro{family}"), of_family.gro.to_string()));
                }
            }
        }
        entries
    }
}

/// `tun-checksum on; tun-tso4 on; …`.
impl fmt::Display for OffloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, state)) in self.entries().iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{name} {state}")?;
        }
        Ok(())
    }
}
