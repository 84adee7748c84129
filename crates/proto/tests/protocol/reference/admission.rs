//! Cookies (the paper, section 5.3): what a host under load asks of handshake messages.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::paper::COOKIE_LIFETIME;

use super::message::{Body, Cookie, Expected, Message};
use super::relation::Clock;

/// How long a device is under load after its queue was last an eighth full.
const LOAD: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Gate {
    loaded_until: Duration,
    /// The number of the secret that cookies are baked of, and when it was drawn.
    secret: Option<(u64, Duration)>,
}

impl Gate {
    pub(super) fn load(&mut self, now: Duration) {
        self.loaded_until = now + LOAD;
    }

    /// Lets a message in, or says what is answered instead.
    pub(super) fn admit(
        &mut self,
        clock: &mut Clock,
        message: &Message,
        cookie: Option<Cookie>,
        from: SocketAddr,
    ) -> Result<(), Box<Expected>> {
        let now = clock.now;
        if now >= self.loaded_until {
            return Ok(());
        }
        let fresh = self
            .secret
            .filter(|(_, drawn)| now < *drawn + COOKIE_LIFETIME);
        let proves = |cookie: Cookie| {
            fresh.is_some_and(|(secret, _)| {
                cookie
                    == Cookie {
                        secret,
                        address: from,
                    }
            })
        };
        if cookie.is_some_and(proves) {
            return Ok(());
        }
        let (secret, drawn) = fresh.unwrap_or_else(|| (clock.serial(), now));
        self.secret = Some((secret, drawn));
        Err(Box::new(Expected {
            serial: clock.serial(),
            at: now,
            to: from,
            receiver: Some(message.index),
            len: None,
            body: Body::Cookie {
                answers: message.serial,
                cookie: Cookie {
                    secret,
                    address: from,
                },
            },
            cookie: None,
        }))
    }
}
