//! The `hushwire` binary.
fn main() {}
