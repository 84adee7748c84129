//! The `.conf` file of wg(8) and wg-quick(8).
//!
//! [`parse`] takes exactly what the standard tools take (those of 2026) and knows the line and
//! column of every value. [`Config::check`] finds what they would only fail on, or trip over,
//! later. [`Config::print`] writes a file that reads back the same.
//!
//! ```
//! use hushwire_config::conf::{Dialect, parse};
//!
//! let error = parse(b"[Interface]\nListenPort = x\n", Dialect::Quick).unwrap_err();
//! assert_eq!(
//!     error.in_file("wg0.conf").to_string(),
//!     "wg0.conf:2:14: ListenPort `x` is no port; write a number up to 65535"
//! );
//! ```

mod apply;
mod check;
mod diagnostic;
mod error;
mod key_source;
mod line;
mod parse;
mod print;
mod shown;
mod span;
mod value;

use crate::endpoint::Endpoint;
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::prefix::AllowedIpEntry;
use crate::text::Line;

pub use apply::Mode;
pub use diagnostic::{Diagnostic, Key, Problem, Quoted, Section, Severity, Unrecognized};
pub use error::ParseError;
pub use key_source::{KeySource, Wanted, names_key_sources, with_keys};
pub use parse::{Dialect, Parsed, parse};
pub use shown::{Shown, is_key_like_path};
pub use span::{Span, Spanned};
pub use value::{Dns, InterfaceAddress, Table};

/// A config file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The device.
    pub interface: Interface,
    /// Its peers. A key may come more than once.
    pub peers: Vec<Peer>,
}

/// The `[Interface]` sections of a file, all as one. Of a scalar written more than once the last
/// counts; lists and hooks add up.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Where the first such section begins, if there is one.
    pub section: Option<Span>,
    /// `PrivateKey`. All zero: none.
    pub private_key: Option<Spanned<PrivateKey>>,
    /// `PrivateKeyFile` and the like: where the key is instead.
    pub private_key_source: Option<Spanned<KeySource>>,
    /// `ListenPort`. 0: any.
    pub listen_port: Option<Spanned<u16>>,
    /// `FwMark`. 0: none.
    pub fwmark: Option<Spanned<u32>>,
    /// `Address`.
    pub addresses: Vec<Spanned<InterfaceAddress>>,
    /// `DNS`.
    pub dns: Vec<Spanned<Dns>>,
    /// `MTU`, in bytes.
    pub mtu: Option<Spanned<u32>>,
    /// `Table`.
    pub table: Option<Spanned<Table>>,
    /// `PreUp`, in order.
    pub pre_up: Vec<Spanned<Line>>,
    /// `PostUp`, in order.
    pub post_up: Vec<Spanned<Line>>,
    /// `PreDown`, in order.
    pub pre_down: Vec<Spanned<Line>>,
    /// `PostDown`, in order.
    pub post_down: Vec<Spanned<Line>>,
    /// `SaveConfig`.
    pub save_config: Option<Spanned<bool>>,
}

/// Equal if the settings are, wherever they stand.
impl PartialEq for Interface {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            section: _,
            private_key,
            private_key_source,
            listen_port,
            fwmark,
            addresses,
            dns,
            mtu,
            table,
            pre_up,
            post_up,
            pre_down,
            post_down,
            save_config,
        } = self;
        *private_key == other.private_key
            && *private_key_source == other.private_key_source
            && *listen_port == other.listen_port
            && *fwmark == other.fwmark
            && *addresses == other.addresses
            && *dns == other.dns
            && *mtu == other.mtu
            && *table == other.table
            && *pre_up == other.pre_up
            && *post_up == other.post_up
            && *pre_down == other.pre_down
            && *post_down == other.post_down
            && *save_config == other.save_config
    }
}

impl Eq for Interface {}

/// A `[Peer]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `PublicKey`.
    pub public_key: Spanned<PublicKey>,
    /// `PresharedKey`. All zero: none.
    pub preshared_key: Option<Spanned<PresharedKey>>,
    /// `PresharedKeyFile` and the like: where the key is instead.
    pub preshared_key_source: Option<Spanned<KeySource>>,
    /// `Endpoint`.
    pub endpoint: Option<Spanned<Endpoint>>,
    /// `PersistentKeepalive`, in seconds. 0: off.
    pub persistent_keepalive: Option<Spanned<u16>>,
    /// `AllowedIPs`.
    pub allowed_ips: AllowedIps,
}

impl Peer {
    /// A section with nothing but a key.
    #[must_use]
    pub fn new(public_key: PublicKey) -> Self {
        Self {
            public_key: public_key.into(),
            preshared_key: None,
            preshared_key_source: None,
            endpoint: None,
            persistent_keepalive: None,
            allowed_ips: AllowedIps::default(),
        }
    }
}

/// The allowed IPs of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedIps {
    /// Whether the peer loses those it has before it gets these. In a file it does, unless the
    /// last `AllowedIPs` line has an entry with `+` or `-`.
    pub replace: bool,
    /// What comes and goes, in order.
    pub entries: Vec<Spanned<AllowedIpEntry>>,
}

impl Default for AllowedIps {
    fn default() -> Self {
        Self {
            replace: true,
            entries: Vec::new(),
        }
    }
}
