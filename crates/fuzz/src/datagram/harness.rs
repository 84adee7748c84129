//! The harness of the protocol's tests, as far as it is needed here.

#[path = "../../../proto/tests/protocol/harness/host.rs"]
pub(crate) mod host;
#[path = "../../../proto/tests/protocol/harness/packets.rs"]
pub(crate) mod packets;
#[path = "../../../proto/tests/protocol/harness/random.rs"]
pub(crate) mod random;
