//! The argument of `crate::peer`: no deadline that traffic starts is lost.

use alloc::sync::Arc;

use crate::keypair::Role;
use crate::peer::NO_ANSWER_AFTER;

use super::{NOW, Peer, Tables, after, explore, keypair, path, peer};

/// What the owner of the device does when it computes a peer's deadline anew: something far away
/// unless traffic says otherwise.
fn reschedule(peer: &Peer) {
    let activity = peer.activity();
    activity.disarm();
    let far = after(3600);
    let sent = activity.unanswered_sent().map(|at| at + NO_ANSWER_AFTER);
    let received = activity
        .unanswered_received()
        .map(|at| at + crate::constants::KEEPALIVE_TIMEOUT);
    let next = [Some(far), sent, received].into_iter().flatten().min();
    activity.arm(next.unwrap_or(far));
}

/// Data is sent as the deadline is computed: it is counted in, or service is asked for.
#[test]
fn the_deadline_of_sent_data_is_seen_or_asked_for() {
    explore(3, || {
        let (peer, keypair) = (peer(), keypair(Role::Initiator, 1));
        reschedule(&peer);
        let egress = {
            let peer = peer.clone();
            loom::thread::spawn(move || peer.sent_data(NOW, &keypair, 32))
        };
        reschedule(&peer);
        let asked = egress.join().unwrap();
        let armed = peer.activity().armed();
        assert!(asked || armed <= (NOW + NO_ANSWER_AFTER).as_nanos());
    });
}

/// Data is sent and received at once, by two threads, as the deadline is computed: what nothing has
/// answered in the end has its deadline, or service is asked for.
#[test]
fn sent_and_received_data_hide_no_deadline_of_each_other() {
    explore(2, || {
        let (tables, peer) = (Arc::new(Tables::new()), peer());
        let keypair = keypair(Role::Initiator, 1);
        reschedule(&peer);
        let egress = {
            let (peer, keypair) = (peer.clone(), keypair.clone());
            loom::thread::spawn(move || peer.sent_data(NOW, &keypair, 32))
        };
        let ingress = {
            let peer = peer.clone();
            loom::thread::spawn(move || {
                peer.received_data(NOW, &tables, &keypair, path(), 32, true)
            })
        };
        reschedule(&peer);
        let asked = [egress.join().unwrap(), ingress.join().unwrap()];
        let activity = peer.activity();
        let deadline = |at: Option<_>, timeout| at.map(|at: crate::time::Instant| at + timeout);
        let sent = deadline(activity.unanswered_sent(), NO_ANSWER_AFTER);
        let received = deadline(
            activity.unanswered_received(),
            crate::constants::KEEPALIVE_TIMEOUT,
        );
        for deadline in [sent, received].into_iter().flatten() {
            assert!(asked.contains(&true) || activity.armed() <= deadline.as_nanos());
        }
    });
}
