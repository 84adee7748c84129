//! The typed model of a WireGuard device and its text forms.
//!
//! * [`key`], [`prefix`], [`endpoint`], [`port`], [`setting`]: the values, each with the text forms that the
//!   standard tools read and write;
//! * [`conf`]: the `.conf` file of wg(8) and wg-quick(8), with line and column of every value;
//! * [`device`] and [`update`]: a device as read, and a change to one ([`sync`]: only the
//!   difference);
//! * [`command`]: the words of `wg set`;
//! * [`show`]: what `wg show` and `wg showconf` print of a device, and its JSON;
//! * [`status`]: how a device is doing;
//! * [`uapi`]: the cross-platform userspace interface, both ends.
//!
//! Nothing here opens a socket or a device. Two functions look outside, and say so: service
//! names come from `/etc/services` ([`port`]), host names from the system's resolver
//! ([`resolve`]).

#![forbid(unsafe_code)]

pub mod command;
pub mod conf;
pub mod device;
pub mod endpoint;
mod inet;
pub mod json;
pub mod key;
pub mod key_file;
mod number;
pub mod port;
pub mod prefix;
pub mod raw;
pub mod resolve;
pub mod secret_io;
pub mod setting;
pub mod show;
pub mod stack;
pub mod status;
pub mod sync;
pub mod text;
pub mod uapi;
pub mod update;

pub use conf::Config;
pub use device::Device;
pub use endpoint::Endpoint;
pub use key::{PresharedKey, PrivateKey, PublicKey};
pub use prefix::AllowedIp;
pub use status::Status;
pub use update::DeviceUpdate;
