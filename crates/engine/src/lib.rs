//! The running WireGuard device: threads, queues and the UAPI server.
