//! The limit for the memory of a device, by flag and by environment.

use std::fmt;

/// The environment variable with the limit.
pub(super) const VARIABLE: &str = "HUSHWIRE_MEMORY_LIMIT";
pub(super) const OPTION: &str = "--memory-limit";

/// What is no amount of memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoAmount(String);

impl fmt::Display for NoAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no amount of memory: {OPTION} and {VARIABLE} take bytes, or a number with K, M or G (of 1024), \
             such as 64M",
            self.0
        )
    }
}

/// The limit in bytes.
pub(super) fn parse(text: &str) -> Result<u64, NoAmount> {
    let refused = || NoAmount(text.to_owned());
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(refused()),
    };
    let number: u64 = digits.parse().map_err(|_| refused())?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_or_multiples() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("3K", 3 << 10),
            ("64M", 64 << 20),
            ("2G", 2 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes));
        }
        for wrong in [
            "",
            "0",
            "0M",
            "M",
            "64MB",
            "64KM",
            "-1",
            "1.5G",
            "99999999999G",
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")), "{error}");
        }
    }
}
