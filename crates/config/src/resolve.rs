//! Looking up the host names of endpoints, with the patience of wg(8).

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::number;

/// The environment variable that says how often to try again.
pub const RETRIES_VARIABLE: &str = "WG_ENDPOINT_RESOLUTION_RETRIES";

/// Tries after the first when [`RETRIES_VARIABLE`] is not set.
pub const DEFAULT_RETRIES: u32 = 15;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const DELAY_LIMIT: Duration = Duration::from_secs(20);
const DELAY_FACTOR: (u32, u32) = (6, 5);

/// How often to try again when a name server does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// This many times.
    Times(u32),
    /// Until it does.
    Forever,
}

impl Default for Retries {
    fn default() -> Self {
        Self::Times(DEFAULT_RETRIES)
    }
}

impl Retries {
    /// Reads [`RETRIES_VARIABLE`]. wg(8) does so for every endpoint, numeric ones included, and
    /// not at all without endpoints.
    ///
    /// # Errors
    ///
    /// [`RetriesError`] if it is set to something else than a number or `infinity`.
    pub fn from_env() -> Result<Self, RetriesError> {
        Self::parse(env::var_os(RETRIES_VARIABLE).as_deref())
    }

    /// Reads the variable's value: nothing (15 times), `infinity`, or a number up to 2^31 - 1;
    /// the empty text is 0.
    ///
    /// # Errors
    ///
    /// [`RetriesError`] for anything else.
    pub fn parse(value: Option<&OsStr>) -> Result<Self, RetriesError> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        match value.to_str() {
            Some("infinity") => Ok(Self::Forever),
            Some("") => Ok(Self::Times(0)),
            text => text
                .and_then(number::strtoul)
                .and_then(|times| u32::try_from(times).ok())
                .filter(|&times| times <= i32::MAX as u32)
                .map(Self::Times)
                .ok_or_else(|| RetriesError(value.to_owned())),
        }
    }
}

/// [`RETRIES_VARIABLE`] holds neither a number nor `infinity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetriesError(OsString);

impl fmt::Display for RetriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Unable to parse {RETRIES_VARIABLE}: `{}'",
            self.0.to_string_lossy()
        )
    }
}

impl std::error::Error for RetriesError {}

/// A host was not found. Shown as wg(8) does: the resolver's reason and the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    /// The resolver's own words, as of `gai_strerror`.
    pub reason: String,
    /// The endpoint, as it was written.
    pub endpoint: String,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}'", self.reason, self.endpoint)
    }
}

impl std::error::Error for ResolveError {}

/// A failed look-up about to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// What happened.
    pub error: ResolveError,
    /// How long the next try waits.
    pub delay: Duration,
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}. Trying again in {:.2} seconds...",
            self.error,
            self.delay.as_secs_f64()
        )
    }
}

/// Finds the address of an endpoint with the system's resolver, sleeping between tries. The
/// first address wins. `report` hears of every try that failed and is not the last.
///
/// # Errors
///
/// [`ResolveError`] when the name does not exist, or no server answered in all tries.
pub fn resolve(
    endpoint: &Endpoint,
    retries: Retries,
    mut report: impl FnMut(&Retry),
) -> Result<SocketAddr, ResolveError> {
    resolve_with(endpoint, retries, look_up, |retry| {
        report(retry);
        thread::sleep(retry.delay);
    })
}

/// As [`resolve`], with a resolver and a way to wait of the caller's.
///
/// # Errors
///
/// As [`resolve`].
pub fn resolve_with(
    endpoint: &Endpoint,
    retries: Retries,
    mut look_up: impl FnMut(&str, u16) -> Result<SocketAddr, LookUpError>,
    mut wait: impl FnMut(&Retry),
) -> Result<SocketAddr, ResolveError> {
    let name = match endpoint {
        Endpoint::Numeric(addr) => return Ok(*addr),
        Endpoint::Name(name) => name,
    };
    let mut delay = FIRST_DELAY;
    let mut tried = 0;
    loop {
        let failure = match look_up(name.host(), name.port()) {
            Ok(addr) => return Ok(addr),
            Err(failure) => failure,
        };
        let error = ResolveError {
            reason: failure.reason,
            endpoint: name.written().to_owned(),
        };
        let exhausted = matches!(retries, Retries::Times(times) if tried >= times);
        if failure.permanent || exhausted {
            return Err(error);
        }
        wait(&Retry { error, delay });
        tried = tried.saturating_add(1);
        delay = (delay * DELAY_FACTOR.0 / DELAY_FACTOR.1).min(DELAY_LIMIT);
    }
}

/// Why one look-up failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUpError {
    /// Whether trying again is of no use.
    pub permanent: bool,
    /// The resolver's own words.
    pub reason: String,
}

fn look_up(host: &str, port: u16) -> Result<SocketAddr, LookUpError> {
    match (host, port).to_socket_addrs() {
        Ok(mut addrs) => addrs.next().ok_or_else(|| LookUpError {
            permanent: true,
            reason: "No address associated with hostname".to_owned(),
        }),
        Err(error) => Err(classify(&error)),
    }
}

/// The standard library passes the reason of `getaddrinfo` on as text only. These are the
/// permanent ones (EAI_NONAME, EAI_FAIL, EAI_NODATA) in the words of glibc and musl.
fn classify(error: &io::Error) -> LookUpError {
    const PREFIX: &str = "failed to lookup address information: ";
    const PERMANENT: [&str; 6] = [
        "Name or service not known",
        "Non-recoverable failure in name resolution",
        "No address associated with hostname",
        "Name does not resolve",
        "Non-recoverable error",
        "Name has no usable address",
    ];
    let text = error.to_string();
    let reason = text.strip_prefix(PREFIX).unwrap_or(&text).to_owned();
    let permanent = error.kind() == io::ErrorKind::InvalidInput
        || PERMANENT.iter().any(|known| reason.starts_with(known));
    LookUpError { permanent, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Retries, String> {
        Retries::parse(Some(OsStr::new(value))).map_err(|error| error.to_string())
    }

    /// Resolves a name of which every look-up fails, and returns what was said.
    fn transcript(retries: Retries, permanent: bool) -> Vec<String> {
        let endpoint = Endpoint::parse("vpn.example:51820").unwrap();
        let mut said = Vec::new();
        let fail = |_: &str, _| {
            Err(LookUpError {
                permanent,
                reason: "Gone".to_owned(),
            })
        };
        let error = resolve_with(&endpoint, retries, fail, |retry| {
            said.push(retry.to_string());
        });
        said.push(error.unwrap_err().to_string());
        said
    }

    #[test]
    fn the_variable() {
        assert_eq!(Retries::parse(None), Ok(Retries::Times(15)));
        assert_eq!(parse("infinity"), Ok(Retries::Forever));
        assert_eq!(parse(""), Ok(Retries::Times(0)));
        assert_eq!(parse("2147483647"), Ok(Retries::Times(2_147_483_647)));
        for bad in ["abc", "-1", "2147483648", "Infinity", "1x"] {
            let message = format!("Unable to parse WG_ENDPOINT_RESOLUTION_RETRIES: `{bad}'");
            assert_eq!(parse(bad), Err(message));
        }
    }

    #[test]
    fn tries_again_as_often_as_told_and_then_says_so() {
        assert_eq!(
            transcript(Retries::Times(2), false),
            [
                "Gone: `vpn.example:51820'. Trying again in 1.00 seconds...",
                "Gone: `vpn.example:51820'. Trying again in 1.20 seconds...",
                "Gone: `vpn.example:51820'",
            ]
        );
        assert_eq!(
            transcript(Retries::Times(0), false),
            ["Gone: `vpn.example:51820'"]
        );
    }

    #[test]
    fn a_name_that_does_not_exist_is_not_tried_again() {
        assert_eq!(
            transcript(Retries::Forever, true),
            ["Gone: `vpn.example:51820'"]
        );
    }

    #[test]
    fn delays_grow_by_a_fifth_up_to_twenty_seconds() {
        let endpoint = Endpoint::parse("vpn.example:1").unwrap();
        let addr = SocketAddr::from(([1, 2, 3, 4], 1));
        let mut delays = Vec::new();
        let mut left = 40;
        let look_up = |_: &str, port| {
            left -= 1;
            let again = LookUpError {
                permanent: false,
                reason: String::new(),
            };
            if left == 0 {
                Ok(SocketAddr::from(([1, 2, 3, 4], port)))
            } else {
                Err(again)
            }
        };
        let found = resolve_with(&endpoint, Retries::Forever, look_up, |retry| {
            delays.push(retry.delay);
        });
        assert_eq!(found, Ok(addr));
        assert_eq!(delays.len(), 39);
        assert_eq!(delays[2], Duration::from_millis(1440));
        assert!(delays.iter().all(|delay| *delay <= DELAY_LIMIT));
        assert_eq!(delays.last(), Some(&DELAY_LIMIT));
    }

    #[test]
    fn numbers_need_no_resolver() {
        let endpoint = Endpoint::parse("1.2.3.4:5").unwrap();
        let addr = resolve(&endpoint, Retries::Times(0), |_| {
            panic!("nothing to try again")
        });
        assert_eq!(addr, Ok(SocketAddr::from(([1, 2, 3, 4], 5))));
    }

    #[test]
    fn the_reasons_of_the_c_libraries() {
        let told = |reason: &str| {
            classify(&io::Error::other(format!(
                "failed to lookup address information: {reason}"
            )))
        };
        assert!(told("Name or service not known").permanent);
        assert!(told("Name does not resolve").permanent);
        let again = told("Temporary failure in name resolution");
        assert!(!again.permanent);
        assert_eq!(again.reason, "Temporary failure in name resolution");
    }
}
