//! Links, addresses, routes, rules and namespaces of Linux, over rtnetlink(7) and the namespace system calls.
//!
//! [`Netlink`] is a blocking client: one socket, one request at a time, every error naming the object it was about.
//! It speaks for the network namespace in which it was opened, from whichever thread it is used later.
//!
//! [`wireguard`] speaks the generic netlink family of the kernel's own WireGuard.
//!
//! The rest of the crate is what a program needs to build a world of its own: [`Namespace`] (network),
//! [`MountNamespace`], [`ProcessNamespace`], [`user_namespace`], [`mount`] and [`Tap`]. All namespaces here are
//! *anonymous*: they exist as long as a file descriptor or a thread holds them, so nothing is left behind when the
//! program ends, not even when it is killed.

mod address;
mod attribute;
pub mod conntrack;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod genetlink;
mod link;
pub mod mount;
mod mount_namespace;
mod namespace;
mod prefix;
mod process_namespace;
mod route;
mod rule;
mod socket;
mod tap;
pub mod user_namespace;
pub mod wireguard;

pub use address::{Address, DuplicateDetection};
pub use error::{Error, Result};
pub use link::{Link, LinkCounters};
pub use mount_namespace::MountNamespace;
pub use namespace::Namespace;
pub use prefix::{InvalidPrefix, Prefix};
pub use process_namespace::ProcessNamespace;
pub use route::{MAIN_TABLE, Path, Route, RouteFilter};
pub use rule::{IpFamily, Rule};
pub use socket::Netlink;
pub use tap::Tap;
