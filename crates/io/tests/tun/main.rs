//! TUN devices of the running kernel, each test in network namespaces of its own.
//!
//! These need root (or CAP_NET_ADMIN and CAP_SYS_ADMIN), `/dev/net/tun` and iproute2, and fail
//! without them.

mod device;
mod lab;
mod monitor;
mod traffic;
