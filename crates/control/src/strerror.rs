//! Error numbers in words.

use std::io;

/// What `strerror` of the C library says of an error number; of a negative one, that it does not know it.
///
/// ```
/// assert_eq!(hushwire_control::strerror(2), "No such file or directory");
/// assert_eq!(hushwire_control::strerror(-22), "Unknown error -22");
/// ```
#[must_use]
pub fn strerror(code: i32) -> String {
    let text = io::Error::from_raw_os_error(code).to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
