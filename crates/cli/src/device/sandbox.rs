//! What the command line and the environment say of the sandbox.

use std::env;
use std::fmt;

use hushwire_engine::sandbox::{Mode, Reach, Sandbox, User};

/// As `--sandbox`.
pub(crate) const VARIABLE: &str = "HUSHWIRE_SANDBOX";
/// As `--low-ports`, if it is `1`.
pub(crate) const LOW_PORTS_VARIABLE: &str = "HUSHWIRE_LOW_PORTS";

/// What was said. Nothing is: on, without low ports, as the user who started it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) mode: Option<Mode>,
    pub(crate) low_ports: bool,
    pub(crate) user: Option<String>,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChoiceError {
    Mode(String),
    NoSuchUser(String),
    UserUnknown(String, String),
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode(word) => write!(
                f,
                "there is no sandbox `{word}`: choose from on, strict, off"
            ),
            Self::NoSuchUser(name) => write!(
                f,
                "there is no user `{name}`; make one, or do without --user"
            ),
            Self::UserUnknown(name, why) => write!(f, "cannot look up user `{name}`: {why}"),
        }
    }
}

/// The mode of this name.
pub(crate) fn mode(word: &str) -> Result<Mode, ChoiceError> {
    match word {
        "on" => Ok(Mode::On),
        "strict" => Ok(Mode::Strict),
        "off" => Ok(Mode::Off),
        _ => Err(ChoiceError::Mode(word.to_owned())),
    }
}

impl Choice {
    /// The sandbox that was chosen, with what the environment says where the command line says
    /// nothing.
    pub(crate) fn sandbox(&self, reach: Reach) -> Result<Sandbox, ChoiceError> {
        let chosen = match (self.mode, env::var_os(VARIABLE)) {
            (Some(mode), _) => mode,
            (None, Some(word)) if !word.is_empty() => mode(&word.to_string_lossy())?,
            (None, _) => Mode::default(),
        };
        let low_ports = env::var_os(LOW_PORTS_VARIABLE).is_some_and(|value| value == "1");
        Ok(Sandbox {
            mode: chosen,
            reach,
            low_ports: self.low_ports || low_ports,
            user: self.user.as_deref().map(look_up).transpose()?,
        })
    }
}

fn look_up(name: &str) -> Result<User, ChoiceError> {
    match nix::unistd::User::from_name(name) {
        Ok(Some(user)) => Ok(User {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }),
        Ok(None) => Err(ChoiceError::NoSuchUser(name.to_owned())),
        Err(errno) => Err(ChoiceError::UserUnknown(name.to_owned(), errno.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name() {
        let root = look_up("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        let error = look_up("nobody-has-this-name").unwrap_err();
        assert!(error.to_string().contains("`nobody-has-this-name`"));
    }

    #[test]
    fn a_wrong_mode_is_told_with_the_right_ones() {
        assert_eq!(mode("strict"), Ok(Mode::Strict));
        let error = mode("yes").unwrap_err().to_string();
        assert!(
            error.contains("`yes`") && error.contains("strict"),
            "{error}"
        );
    }
}
