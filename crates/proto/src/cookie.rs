//! cookie.
