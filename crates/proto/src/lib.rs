//! The WireGuard protocol without clock, socket or randomness of its own.
