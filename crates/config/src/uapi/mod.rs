//! The cross-platform userspace interface (<https://www.wireguard.com/xplatform/>): `get=1` and
//! `set=1` over a stream socket; and [`status=1`](status), which is ours.
//!
//! A server calls [`server::serve`], or feeds a [`server::Conversation`], with its device behind
//! [`DeviceControl`]. A client writes [`set::write`], [`get::REQUEST`] or [`status::REQUEST`] and
//! reads [`reply::set`], [`reply::get`] or [`status::read`].

mod buffer;
pub mod errno;
pub mod framing;
pub mod get;
pub mod reply;
pub mod server;
pub mod session;
pub mod set;
pub mod status;

pub use errno::Errno;
pub use server::{Conversation, serve};
pub use session::DeviceControl;
