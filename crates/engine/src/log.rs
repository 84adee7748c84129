//! Log lines in the form of wireguard-go: `DEBUG: (wg0) 2026/01/31 12:00:00 text`, on stdout.
//!
//! Nothing is logged per packet, and no secret at any level.

use std::fmt;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Silent,
    /// What the operator must know: something does not work.
    #[default]
    Error,
    /// Everything that happens to the device and its peers.
    Verbose,
}

impl Level {
    /// The level that the value of `LOG_LEVEL` names: `verbose` or `debug`, `error`, `silent`;
    /// anything else is the default.
    #[must_use]
    pub fn from_env(value: &str) -> Self {
        match value {
            "verbose" | "debug" => Self::Verbose,
            "silent" => Self::Silent,
            _ => Self::Error,
        }
    }
}

/// Where a device logs to.
#[derive(Clone, Debug)]
pub struct Logger {
    level: Level,
    device: String,
}

impl Logger {
    /// A logger that names `device` on each line.
    #[must_use]
    pub fn new(level: Level, device: &str) -> Self {
        Self {
            level,
            device: device.to_owned(),
        }
    }

    /// Logs something that does not work.
    pub fn error(&self, text: impl fmt::Display) {
        if self.level >= Level::Error {
            self.write("ERROR", &text);
        }
    }

    /// Logs what happens.
    pub fn debug(&self, text: impl fmt::Display) {
        if self.level >= Level::Verbose {
            self.write("DEBUG", &text);
        }
    }

    fn write(&self, label: &str, text: &dyn fmt::Display) {
        let secs = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let stamp = Timestamp::from_unix(secs);
        // A log that cannot be written is no reason to stop the tunnel.
        let _ = writeln!(
            std::io::stdout().lock(),
            "{label}: ({}) {stamp} {text}",
            self.device
        );
    }
}

/// A civil time in UTC.
struct Timestamp {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Timestamp {
    fn from_unix(secs: u64) -> Self {
        // Days since 0000-03-01, in eras of 400 years; March first makes the leap day the last.
        let days = secs / 86_400 + 719_468;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        Self {
            year: days / 146_097 * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            second_of_day: secs % 86_400,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = (self.second_of_day / 3_600, self.second_of_day / 60 % 60);
        write!(
            f,
            "{:04}/{:02}/{:02} {hour:02}:{minute:02}:{:02}",
            self.year,
            self.month,
            self.day,
            self.second_of_day % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_civil_dates() {
        let text = |secs| Timestamp::from_unix(secs).to_string();
        assert_eq!(text(0), "1970/01/01 00:00:00");
        assert_eq!(text(951_782_399), "2000/02/28 23:59:59");
        assert_eq!(text(951_782_400), "2000/02/29 00:00:00");
        assert_eq!(text(1_709_164_800), "2024/02/29 00:00:00");
        assert_eq!(text(4_107_542_399), "2100/02/28 23:59:59");
        assert_eq!(text(4_107_542_400), "2100/03/01 00:00:00");
    }

    #[test]
    fn the_levels_of_the_environment() {
        assert_eq!(Level::from_env("debug"), Level::Verbose);
        assert_eq!(Level::from_env("verbose"), Level::Verbose);
        assert_eq!(Level::from_env("silent"), Level::Silent);
        assert_eq!(Level::from_env("error"), Level::Error);
        assert_eq!(Level::from_env(""), Level::Error);
    }
}
