//! The typed model of a WireGuard device and its text forms.
