//! A door for the fuzz targets: every command line that we read ourselves, and nothing done.

use std::ffi::OsString;

/// A reader of words: `Ok` tells whether something would be run, `Err` what is wrong with them.
pub type Reader = fn(&[OsString]) -> Result<bool, String>;

/// All readers, by the program whose words they read.
pub const READERS: &[(&str, Reader)] = &[
    ("hushwired", crate::daemon::read),
    ("hushwire run", crate::run::read),
    ("hushwire up", crate::quick::read_own),
    ("wg-quick", crate::quick::read_drop_in),
    ("hushwire show", crate::wg::read_show),
];
