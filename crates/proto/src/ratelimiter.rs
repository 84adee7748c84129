//! ratelimiter.
