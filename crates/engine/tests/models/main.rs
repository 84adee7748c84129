//! What the threads of an engine share, in every interleaving of a few of them (loom).
//!
//! The files of the engine that hold it are compiled here once more, with loom's locks and atomics in
//! the place of the standard ones and a wake-up without a descriptor. The loops around them are
//! those of `egress.rs`, `ingress.rs` and `control.rs`, without the packets. The number of
//! preemptions is bounded: almost all mistakes of this kind need one or two. arc-swap is taken on
//! trust, epoll(7) and eventfd(2) are.

#[path = "../../src/bounded.rs"]
mod bounded;
#[path = "../../src/handoff/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "what has nothing to do with threads is not used here"
)]
mod handoff;
mod handoff_models;
#[path = "../../src/lane.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "what has nothing to do with threads is not used here"
)]
mod lane;
mod queue;
mod quiet;
mod sync;
#[path = "../../src/turnstile.rs"]
mod turnstile;
mod wait;

/// Runs `model` in every interleaving with up to so many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
