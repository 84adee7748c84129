//! What threads share, in every interleaving of a few of them (loom). `cargo xtask models` runs
//! these; with `--cfg loom` the tests beside the code cannot run.
//!
//! loom lets relaxed loads see old values, as processors do. The number of preemptions is bounded:
//! almost all mistakes of this kind need one or two.

mod counters;
mod fake;
mod rotation;
mod service;
mod staging;
mod tables;
mod timers;

use core::time::Duration;

use alloc::sync::Arc;

use crate::handshake::SessionKeys;
use crate::key::PublicKey;
use crate::keypair::Role;
use crate::path::Path;
use crate::peer::PeerId;
use crate::tables::Session;
use crate::time::Instant;

use fake::Fake;

type Keypair = crate::Keypair<Fake>;
type Peer = crate::Peer<Fake>;
type Tables = crate::Tables<Fake>;

/// When everything happens but what says otherwise.
const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn after(seconds: u64) -> Instant {
    NOW + Duration::from_secs(seconds)
}

/// Runs `model` in every interleaving with up to so many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn keypair(role: Role, index: u32) -> Arc<Keypair> {
    let keys = SessionKeys {
        send: Default::default(),
        recv: Default::default(),
        remote_index: 100 + index,
    };
    Arc::new(Keypair::new(role, NOW, index, &keys))
}

fn peer() -> Arc<Peer> {
    let budget = Arc::default();
    Arc::new(Peer::new(PeerId(1), PublicKey::new([1; 32]), budget))
}

fn path() -> Path {
    Path::to(([192, 0, 2, 1], 1).into())
}

/// What the device does at the end of a handshake.
fn install(tables: &Tables, peer: &Arc<Peer>, keypair: &Arc<Keypair>) {
    tables.indices().insert(Session {
        keypair: Arc::clone(keypair),
        peer: Arc::clone(peer),
    });
    peer.install(tables, Arc::clone(keypair));
}
