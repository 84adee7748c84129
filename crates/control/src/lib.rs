//! Drive a running WireGuard device, whoever runs it: the kernel, over generic netlink, or a daemon in user space, over
//! its control socket.
//!
//! ```no_run
//! use hushwire_control::Interfaces;
//!
//! let interfaces = Interfaces::new();
//! for name in interfaces.names()? {
//!     let device = interfaces.open(&name).read()?;
//!     println!("{}: {} peers", name.display(), device.peers.len());
//! }
//! # Ok::<(), hushwire_control::Error>(())
//! ```
#![forbid(unsafe_code)]

mod device;
mod error;
mod interfaces;
mod kernel;
mod owner;
mod strerror;
mod userspace;

pub use device::{Backend, Device, Health};
pub use error::Error;
pub use interfaces::{InterfaceNames, Interfaces, Link};
pub use strerror::strerror;
