//! The options that our own spelling has before the operands, and wg(8) does not know.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::time::Duration;

use super::Spelling;

/// How long a device may take if nobody says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `show`, `status`: JSON instead of text.
    pub(crate) json: bool,
    /// `show`: secret keys as well.
    pub(super) show_keys: bool,
    timeout: Option<Duration>,
}

/// Why words are no options.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OptionError {
    /// No such option of this command.
    Unknown(String),
    /// `--timeout` without a number of seconds.
    Timeout,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(
                f,
                "there is no option `{option}` here; --help shows those there are, and `--` before \
                 it makes it the name of an interface"
            ),
            Self::Timeout => f.write_str("--timeout wants a number of seconds above 0"),
        }
    }
}

impl Options {
    /// Takes the options off the front of a command's operands. wg(8) has none: there, every word is an operand.
    pub(super) fn split<'a>(
        verb: &OsStr,
        mut operands: &'a [OsString],
        spelling: Spelling,
    ) -> Result<(Self, &'a [OsString]), OptionError> {
        let mut options = Self::default();
        if spelling == Spelling::Standard {
            return Ok((options, operands));
        }
        let is_show = verb == "show";
        let has_json = is_show || verb == "status";
        while let Some((option, rest)) = operands.split_first() {
            operands = match option.to_str() {
                Some("--json") if has_json => {
                    options.json = true;
                    rest
                }
                Some("--show-keys") if is_show => {
                    options.show_keys = true;
                    rest
                }
                Some("--timeout") => {
                    let (seconds, rest) = rest.split_first().ok_or(OptionError::Timeout)?;
                    options.timeout = Some(parse_seconds(seconds).ok_or(OptionError::Timeout)?);
                    rest
                }
                Some("--") => return Ok((options, rest)),
                Some(unknown) if unknown.starts_with("--") => {
                    return Err(OptionError::Unknown(unknown.to_owned()));
                }
                _ => break,
            };
        }
        Ok((options, operands))
    }

    /// How long an operation on a device may take. The standard tool waits without end.
    pub(super) fn time_limit(&self, spelling: Spelling) -> Option<Duration> {
        match spelling {
            Spelling::Standard => None,
            Spelling::Own => Some(self.timeout.unwrap_or(TIME_LIMIT)),
        }
    }
}

fn parse_seconds(word: &OsStr) -> Option<Duration> {
    let seconds = word.to_str()?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(
        verb: &str,
        words: &[&str],
        spelling: Spelling,
    ) -> Result<(Options, usize), OptionError> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (options, rest) = Options::split(OsStr::new(verb), &words, spelling)?;
        Ok((options, rest.len()))
    }

    #[test]
    fn options_stand_before_operands() {
        let (options, rest) = split(
            "show",
            &["--json", "--timeout", "0.5", "wg0", "--x"],
            Spelling::Own,
        )
        .unwrap();
        assert!(options.json && !options.show_keys);
        assert_eq!(
            options.time_limit(Spelling::Own),
            Some(Duration::from_millis(500))
        );
        assert_eq!(rest, 2);
        assert_eq!(split("set", &["--", "--json"], Spelling::Own).unwrap().1, 1);
    }

    #[test]
    fn wg_has_no_options_and_no_limit() {
        let (options, rest) = split("show", &["--json"], Spelling::Standard).unwrap();
        assert_eq!((options, rest), (Options::default(), 1));
        assert_eq!(options.time_limit(Spelling::Standard), None);
    }

    #[test]
    fn what_is_no_option_is_said() {
        for bad in [
            &["--timeout"][..],
            &["--timeout", "0"],
            &["--timeout", "-1"],
            &["--timeout", "x"],
        ] {
            assert_eq!(split("show", bad, Spelling::Own), Err(OptionError::Timeout));
        }
        let unknown = split("set", &["--json"], Spelling::Own).unwrap_err();
        assert!(unknown.to_string().contains("`--json`"));
    }
}
