//! What scanners find of a host with hushwired.
