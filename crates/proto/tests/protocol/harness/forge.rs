//! Handshake messages made by hand, for what no honest device sends.

use std::time::Duration;

use hushwire_proto::cookie::CookieGenerator;
use hushwire_proto::handshake::{LocalIdentity, RemoteStatic, initiate};
use hushwire_proto::key::{PrivateKey, PublicKey};
use hushwire_proto::messages::Message;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::{Instant, UnixTime};

use super::random::Seeded;

/// An initiator whose every choice the test makes.
pub(crate) struct Forger {
    identity: LocalIdentity<DefaultCrypto>,
    remote: RemoteStatic,
    macs: CookieGenerator,
    random: Seeded,
}

impl Forger {
    /// The owner of `private`, who wants to talk to `remote`.
    pub(crate) fn new(private: &PrivateKey, remote: PublicKey) -> Self {
        let identity = LocalIdentity::new(private.clone());
        Self {
            remote: RemoteStatic::new(remote),
            identity,
            macs: CookieGenerator::new::<DefaultCrypto>(&remote),
            random: Seeded::new(0xf0_46e4),
        }
    }

    /// An initiation as of this time, 2023 by default, with the first MAC.
    pub(crate) fn initiation(&mut self, index: u32, since_2023: Duration) -> Vec<u8> {
        let time = Tai64n::from_unix(UnixTime {
            secs: 1_700_000_000 + since_2023.as_secs(),
            nanos: since_2023.subsec_nanos(),
        });
        let ephemeral = PrivateKey::generate(&mut self.random);
        let (mut message, _) =
            initiate::<DefaultCrypto>(&self.identity, &self.remote, index, &ephemeral, time)
                .expect("a usable key");
        self.seal(&mut message);
        message.to_vec()
    }

    /// Writes the MACs of a message that was changed.
    pub(crate) fn seal(&mut self, message: &mut [u8]) {
        let now = Instant::from_nanos(1);
        self.macs.add_macs::<DefaultCrypto>(now, message);
    }

    /// Takes the cookie out of a reply to the last message.
    pub(crate) fn take_cookie(&mut self, now: Instant, reply: &[u8]) {
        let Ok(Message::CookieReply(reply)) = Message::parse(reply) else {
            panic!("no cookie reply");
        };
        assert!(self.macs.receive_reply::<DefaultCrypto>(now, &reply));
    }
}
