//! Times and amounts in words.

use std::io::{self, Write};

use crate::show::pretty::{CYAN, RED, Style};

/// The units of a time, in seconds each. A year has 365 days.
const UNITS: [(u64, &str); 5] = [
    (365 * 24 * 60 * 60, "year"),
    (24 * 60 * 60, "day"),
    (60 * 60, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// Writes a number of seconds in all its units but the empty ones. Nothing at all for zero.
///
/// # Errors
///
/// Those of the writer.
pub fn time(writer: &mut impl Write, style: Style, seconds: u64) -> io::Result<()> {
    let mut left = seconds;
    let mut separator = "";
    for (unit, name) in UNITS {
        let count = left / unit;
        left %= unit;
        if count == 0 {
            continue;
        }
        let plural = if count == 1 { "" } else { "s" };
        let (cyan, reset) = (style.code(CYAN), style.reset());
        write!(writer, "{separator}{count} {cyan}{name}{plural}{reset}")?;
        separator = ", ";
    }
    Ok(())
}

/// Writes how long ago a time was, both in seconds since 1970.
pub(super) fn ago(writer: &mut impl Write, style: Style, then: u64, now: u64) -> io::Result<()> {
    match now.checked_sub(then) {
        Some(0) => writer.write_all(b"Now"),
        Some(seconds) => {
            time(writer, style, seconds)?;
            writer.write_all(b" ago")
        }
        None => write!(
            writer,
            "({}System clock wound backward; connection problems may ensue.{})",
            style.code(RED),
            style.reset()
        ),
    }
}

/// Writes a number of bytes in the largest unit that it fills, up to TiB.
///
/// # Errors
///
/// Those of the writer.
pub fn bytes(writer: &mut impl Write, style: Style, count: u64) -> io::Result<()> {
    let (cyan, reset) = (style.code(CYAN), style.reset());
    let unit = match count {
        0..=0x3ff => return write!(writer, "{count} {cyan}B{reset}"),
        0x400..=0xf_ffff => (10, "KiB"),
        0x10_0000..=0x3fff_ffff => (20, "MiB"),
        0x4000_0000..=0xff_ffff_ffff => (30, "GiB"),
        _ => (40, "TiB"),
    };
    let amount = count as f64 / (1_u64 << unit.0) as f64;
    write!(writer, "{amount:.2} {cyan}{}{reset}", unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        colour: false,
        show_keys: false,
    };

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_in_their_units() {
        for (seconds, expected) in [
            (0, ""),
            (1, "1 second"),
            (61, "1 minute, 1 second"),
            (3600, "1 hour"),
            (65535, "18 hours, 12 minutes, 15 seconds"),
            (2 * 86_400 + 7322, "2 days, 2 hours, 2 minutes, 2 seconds"),
            (365 * 86_400, "1 year"),
            (u64::MAX, "584942417355 years, 26 days, 7 hours, 15 seconds"),
        ] {
            assert_eq!(text(|out| time(out, PLAIN, seconds)), expected);
        }
    }

    #[test]
    fn ages() {
        assert_eq!(text(|out| ago(out, PLAIN, 7, 7)), "Now");
        assert_eq!(text(|out| ago(out, PLAIN, 7, 9)), "2 seconds ago");
        assert_eq!(
            text(|out| ago(out, PLAIN, 9, 7)),
            "(System clock wound backward; connection problems may ensue.)"
        );
    }

    #[test]
    fn amounts_are_rounded_as_in_c() {
        for (count, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1152, "1.12 KiB"),
            (1408, "1.38 KiB"),
            (1_048_575, "1024.00 KiB"),
            (1 << 20, "1.00 MiB"),
            (5_678_901, "5.42 MiB"),
            (1 << 30, "1.00 GiB"),
            (1 << 40, "1.00 TiB"),
            (1 << 50, "1024.00 TiB"),
            (u64::MAX, "16777216.00 TiB"),
        ] {
            assert_eq!(text(|out| bytes(out, PLAIN, count)), expected);
        }
    }

    #[test]
    fn units_are_coloured_and_numbers_are_not() {
        let colour = Style {
            colour: true,
            ..PLAIN
        };
        assert_eq!(
            text(|out| ago(out, colour, 0, 62)),
            "1 \x1b[36mminute\x1b[0m, 2 \x1b[36mseconds\x1b[0m ago"
        );
        assert_eq!(text(|out| bytes(out, colour, 1)), "1 \x1b[36mB\x1b[0m");
        assert_eq!(
            text(|out| ago(out, colour, 1, 0)),
            "(\x1b[31mSystem clock wound backward; connection problems may ensue.\x1b[0m)"
        );
    }
}
