//! The `hushwired` binary.
fn main() {}
