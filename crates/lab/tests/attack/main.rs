//! hushwired under attack: what strangers can send it draws no answer, costs it no memory, and keeps nobody out. Needs
//! root. The rates that it stands are measured by `cargo xtask bench flood`; nothing here depends on time.

mod answers;
mod cookie_path;
mod flood;
mod one_address;
mod order;
mod peer;
mod siege;
mod silence;
