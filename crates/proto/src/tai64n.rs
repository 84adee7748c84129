//! tai64n.
