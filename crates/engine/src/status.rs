//! What a device tells of how it is doing: `status=1` on the control socket.
//!
//! Everything here is counted anyway, or looked up when somebody asks. No key comes near it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hushwire_config::status::{Count, Feature, Status};
use hushwire_io::memory::{SwapLock, swap_lock};
use hushwire_io::offload::Offloads;
use hushwire_io::udp::{Counters, Sockets};
use hushwire_proto::time::Instant;

use crate::clock;
use crate::control::State;
use crate::dataplane::Dataplane;
use crate::memory::ResidentSet;
use crate::report::offload_features;
use crate::sandbox::Warden;
use crate::stats::{DropReason, HandshakeEvent, Stats};
use crate::uapi::contents;

/// What it is called that the memory stays out of swap.
const SWAP: &str = "swap-lock";
/// The counter of packets that waited for a session in vain.
pub const NO_SESSION: &str = "no-session";

/// What a status tells that no other part of the device knows.
pub(crate) struct Vitals {
    started: Instant,
    /// Opened before the sandbox closes; a system without /proc does not tell.
    resident: Option<ResidentSet>,
    offloads: Arc<Offloads>,
    warden: Warden,
    threads: AtomicUsize,
}

impl Vitals {
    /// Of a device that starts now, with these offloads of its TUN device.
    pub(crate) fn new(offloads: Arc<Offloads>, warden: Warden) -> Self {
        Self {
            started: clock::monotonic(),
            resident: ResidentSet::open().ok(),
            offloads,
            warden,
            threads: AtomicUsize::new(0),
        }
    }

    /// With how many threads the device works.
    pub(crate) fn set_threads(&self, threads: usize) {
        self.threads.store(threads, Ordering::Relaxed);
    }

    /// How the device is doing.
    pub(crate) fn tell(&self, dataplane: &Dataplane<Sockets>, state: &State) -> Status {
        let now = clock::monotonic();
        let memory = dataplane.memory();
        let pool = dataplane.helpers();
        let device = state.device();
        let contents = contents(&device);
        let of_device = Status {
            up: Some(device.is_up()),
            has_private_key: Some(device.public_key().is_some()),
            under_load: Some(device.is_under_load(now)),
            peers: Some(contents.peers as u64),
            unanswered: Some(device.unanswered(now) as u64),
            allowed_ips: Some(contents.allowed_ips as u64),
            ..Status::default()
        };
        drop(device);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: Some(std::process::id().into()),
            uptime: Some(now.saturating_since(self.started).as_secs()),
            mtu: Some(dataplane.mtu() as u64),
            queues: Some(dataplane.lanes().len() as u64),
            threads: Some(self.threads.load(Ordering::Relaxed) as u64),
            helpers: Some(pool.map_or(0, |pool| pool.helpers() as u64)),
            helped: Some(pool.map_or(0, |pool| pool.helped())),
            memory_resident: self.resident.as_ref().and_then(|set| set.bytes().ok()),
            memory_limit: memory.map(|memory| memory.limit()),
            memory_reserved: memory.map(|memory| memory.reserved(contents)),
            memory_waiting: Some(dataplane.tables().staging().used() as u64),
            sandbox: self.sandbox(),
            offloads: offload_features(&self.offloads, dataplane),
            buffers: buffers(dataplane),
            handshakes: handshakes(dataplane.stats()),
            dropped: dropped(dataplane),
            udp: udp(dataplane),
            ..of_device
        }
    }

    fn sandbox(&self) -> Vec<Feature> {
        let report = self.warden.report();
        let features = report.iter().map(|(layer, state)| {
            let (word, detail) = state.words();
            Feature::new(layer.name(), word, detail)
        });
        let swap = swap_lock().map(|lock| match lock {
            SwapLock::Locked => Feature::new(SWAP, "on", ""),
            SwapLock::Refused(why) => Feature::new(SWAP, "missing", why),
        });
        features.chain(swap).collect()
    }
}

fn handshakes(stats: &Stats) -> Vec<Count> {
    HandshakeEvent::ALL
        .map(|event| Count::new(event.name(), stats.handshakes(event)))
        .into()
}

fn dropped(dataplane: &Dataplane<Sockets>) -> Vec<Count> {
    let waited = dataplane.tables().staging().dropped();
    let reasons = DropReason::ALL.into_iter().map(|reason| {
        let count = dataplane.stats().dropped(reason);
        Count::new(reason.name(), count)
    });
    // The protocol counts these itself.
    reasons.chain([Count::new(NO_SESSION, waited)]).collect()
}

/// Those of the first queue's sockets; the others were opened in the same way.
fn buffers(dataplane: &Dataplane<Sockets>) -> Vec<Count> {
    let Some(sockets) = dataplane.sockets() else {
        return Vec::new();
    };
    let status = sockets.status();
    let families = [
        (status.v4, "send4", "receive4"),
        (status.v6, "send6", "receive6"),
    ];
    let counts = families.into_iter().filter_map(|(family, send, receive)| {
        let family = family?;
        Some([
            Count::new(send, family.send_buffer_bytes as u64),
            Count::new(receive, family.receive_buffer_bytes as u64),
        ])
    });
    counts.flatten().collect()
}

/// Of all sockets together.
fn udp(dataplane: &Dataplane<Sockets>) -> Vec<Count> {
    let lanes = dataplane.lanes().iter();
    let status = lanes.filter_map(|lane| Some(lane.sockets()?.status()));
    let families: Vec<Counters> = status
        .flat_map(|status| [status.v4, status.v6])
        .filter_map(|family| Some(family?.counters))
        .collect();
    UDP.map(|(name, counter)| Count::new(name, families.iter().map(counter).sum()))
        .into()
}

type Counter = fn(&Counters) -> u64;

const UDP: [(&str, Counter); 11] = [
    ("receive-full", |one| one.receive_full),
    ("receive-truncated", |one| one.receive_truncated),
    ("receive-malformed", |one| one.receive_malformed),
    ("receive-errors", |one| one.receive_errors),
    ("send-full", |one| one.send_full),
    ("send-unreachable", |one| one.send_unreachable),
    ("send-denied", |one| one.send_denied),
    ("send-too-large", |one| one.send_too_large),
    ("send-other", |one| one.send_other),
    ("sources-gone", |one| one.sources_gone),
    ("gso-fallbacks", |one| one.gso_fallbacks),
];
