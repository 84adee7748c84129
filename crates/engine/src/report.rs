//! What of the system a running device makes use of.

use std::fmt;
use std::sync::Arc;

use hushwire_config::status::Feature;
use hushwire_io::offload::Offloads;
use hushwire_io::udp::{FamilyStatus, OffloadState, Sockets, Status};

use crate::dataplane::Dataplane;

/// Which offloads a device uses, and why not the others. Tells the present state whenever it is
/// asked, and the last one after the end of the engine.
#[derive(Clone)]
pub struct OffloadReport {
    pub(crate) tun: Arc<Offloads>,
    pub(crate) dataplane: Arc<Dataplane<Sockets>>,
}

/// `tun-checksum on; tun-tso4 off (switched off); …`.
impl fmt::Display for OffloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = offload_features(&self.tun, &self.dataplane);
        for (index, feature) in features.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} ", feature.name)?;
            match feature.state.as_str() {
                "on" => f.write_str("on")?,
                _ => write!(f, "off ({})", feature.detail)?,
            }
        }
        Ok(())
    }
}

/// Each offload with its state: those of the TUN device, then those of the sockets. Of several
/// sockets, the one counts that does without.
pub(crate) fn offload_features(tun: &Offloads, dataplane: &Dataplane<Sockets>) -> Vec<Feature> {
    let tun = tun.iter().map(|(offload, state)| {
        let (word, reason) = state.words();
        Feature::new(offload.name(), word, &reason)
    });
    let mut features: Vec<_> = tun.collect();
    let lanes = dataplane.lanes().iter();
    let sockets = lanes.filter_map(|lane| Some(lane.sockets()?.status()));
    let sockets: Vec<Status> = sockets.collect();
    let v4: Vec<FamilyStatus> = sockets.iter().filter_map(|status| status.v4).collect();
    let v6: Vec<FamilyStatus> = sockets.iter().filter_map(|status| status.v6).collect();
    for (gso, gro, family) in [("udp-gso4", "udp-gro4", v4), ("udp-gso6", "udp-gro6", v6)] {
        features.extend(socket_feature(gso, family.iter().map(|socket| socket.gso)));
        features.extend(socket_feature(gro, family.iter().map(|socket| socket.gro)));
    }
    features
}

/// `None` if there are no sockets.
fn socket_feature(name: &str, states: impl Iterator<Item = OffloadState>) -> Option<Feature> {
    let least = states.reduce(|least, state| if least.is_on() { state } else { least })?;
    let (word, reason) = least.words();
    Some(Feature::new(name, word, &reason))
}
