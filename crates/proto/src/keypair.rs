//! keypair.
