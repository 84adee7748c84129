//! Numbers as the standard tools and daemons read them.

/// An unsigned decimal: digits only, no sign, at most `max`. Leading zeros are allowed.
pub(crate) fn decimal(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let value = text.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    (value <= max).then_some(value)
}

/// Hexadecimal digits of either case, at most `max`.
pub(crate) fn hexadecimal(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let value = text.iter().try_fold(0_u64, |value, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        value.checked_mul(16)?.checked_add(u64::from(digit))
    })?;
    (value <= max).then_some(value)
}

/// C's `strtoul(text, &end, 10)` over the whole text: leading blanks and a sign are allowed, a
/// minus negates modulo 2^64, too large a number gives `u64::MAX`. `None` when the text does
/// not end where the number ends.
pub(crate) fn strtoul(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(match decimal(digits, u64::MAX) {
        Some(value) if negative => value.wrapping_neg(),
        Some(value) => value,
        None => u64::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_no_sign_no_blank_and_a_limit() {
        assert_eq!(decimal(b"0", 10), Some(0));
        assert_eq!(decimal(b"0065535", 65535), Some(65535));
        assert_eq!(decimal(b"65536", 65535), None);
        assert_eq!(decimal(b"18446744073709551615", u64::MAX), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616", u64::MAX), None);
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "1_0", "1\0"] {
            assert_eq!(decimal(bad.as_bytes(), 100), None, "{bad:?}");
        }
    }

    #[test]
    fn hexadecimal_digits_of_either_case() {
        assert_eq!(hexadecimal(b"fFfF", 0xffff), Some(0xffff));
        assert_eq!(hexadecimal(b"10000", 0xffff), None);
        assert_eq!(hexadecimal(b"", 1), None);
        assert_eq!(hexadecimal(b"0x1", 1), None);
        assert_eq!(hexadecimal(b"fffffffffffffffff", u64::MAX), None);
    }

    #[test]
    fn strtoul_as_in_c() {
        assert_eq!(strtoul(" \t+12"), Some(12));
        assert_eq!(strtoul("-1"), Some(u64::MAX));
        assert_eq!(strtoul("99999999999999999999"), Some(u64::MAX));
        for bad in ["", "+", "1 ", "0x1", "a"] {
            assert_eq!(strtoul(bad), None, "{bad:?}");
        }
    }
}
