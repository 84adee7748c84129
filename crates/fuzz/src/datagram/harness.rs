//! The harness of the protocol's tests, as far as it is needed here.
#![allow(dead_code, reason = "the tests of the protocol take the rest")]

#[path = "../../../proto/tests/protocol/harness/host.rs"]
pub(crate) mod host;
#[path = "../../../proto/tests/protocol/harness/packets.rs"]
pub(crate) mod packets;
#[path = "../../../proto/tests/protocol/harness/random.rs"]
pub(crate) mod random;
