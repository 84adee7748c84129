//! constants.
