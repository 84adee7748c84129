//! Linux TUN and UDP with segmentation offloads in both directions.
//!
//! [`tun`] and [`udp`] are the two ends of the tunnel that touch the system; [`offload`] is
//! the arithmetic between them, free of system calls: splitting the super-packets that the
//! kernel hands out, merging the packets that it is handed. [`process`] is what a daemon needs to
//! hand its descriptors to a process in the background.

pub mod memory;
pub mod offload;
pub mod process;
pub mod tun;
pub mod udp;
