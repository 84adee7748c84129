//! allowed_ips.
