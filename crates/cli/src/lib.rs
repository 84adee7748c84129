//! A complete WireGuard: the hushwired daemon and the hushwire command.
