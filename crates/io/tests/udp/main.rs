//! The UDP sockets against the running kernel, on loopback and in private network namespaces.
//!
//! The tests in a namespace need root and the `ip` command (iproute2).

mod families;
mod limits;
mod loopback;
mod namespaces;
mod support;
