//! What is wrong with a file, said before anything is touched.

use std::path::Path;

use hushwire_config::conf::{Dialect, Problem, Severity, Shown, Table, parse};
use hushwire_config::key::{PrivateKey, PublicKey};

use crate::file::QuickFile;
use crate::words;

/// What a hook that sets the private key is likely to have in it.
const KEY_BY_HOOK: &str = "private-key";

/// What was found: lines that begin with the file's name, line and column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What cannot work.
    pub errors: Vec<String>,
    /// What is perhaps not meant.
    pub warnings: Vec<String>,
    /// There is no private key, and no command that sets one. Somebody may do so later.
    pub missing_key: Option<String>,
}

/// Looks for what the standard tools would only fail on, or trip over, half way. `public_key` tells
/// the public key that belongs to a private one.
#[must_use]
pub fn check(
    text: &[u8],
    path: &Path,
    file: &QuickFile,
    public_key: impl Fn(&PrivateKey) -> PublicKey,
) -> Findings {
    let mut findings = Findings::default();
    let parsed = match parse(text, Dialect::Quick) {
        Ok(parsed) => parsed,
        Err(error) => {
            let shown = error.diagnostics().iter();
            findings.errors = shown.map(|one| one.in_file(path).to_string()).collect();
            return findings;
        }
    };
    let own = parsed.config.interface.private_key.as_deref();
    let found = parsed.config.check(own.map(public_key).as_ref());
    for diagnostic in parsed.warnings.iter().chain(&found) {
        let line = diagnostic.in_file(path).to_string();
        match &diagnostic.problem {
            Problem::MissingPrivateKey if sets_key(file) => {}
            Problem::MissingPrivateKey => findings.missing_key = Some(line),
            // Works, in its way.
            Problem::DuplicatePeer { .. } => findings.warnings.push(line),
            _ if diagnostic.severity() == Severity::Error => findings.errors.push(line),
            _ => findings.warnings.push(line),
        }
    }
    if let Some(table) = &parsed.config.interface.table
        && let Table::Name(name) = &table.value
        && words::table(name).is_none()
        && findings.errors.is_empty()
    {
        findings.errors.push(format!(
            "{}:{}: there is no routing table `{}`; name it in /etc/iproute2/rt_tables, or use \
             its number",
            path.display(),
            table.span,
            Shown(name)
        ));
    }
    findings
}

fn sets_key(file: &QuickFile) -> bool {
    let hooks = &file.hooks;
    let mut commands = hooks.pre_up.iter().chain(&hooks.post_up);
    commands.any(|command| command.contains(KEY_BY_HOOK))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    const PEER: &str = "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    const OTHER: &str = "[Peer]\nPublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

    fn look(text: &str) -> Findings {
        let file = QuickFile::parse(text.as_bytes()).unwrap();
        let nobody = |_: &PrivateKey| PublicKey::new([0; 32]);
        check(text.as_bytes(), Path::new("wg0.conf"), &file, nobody)
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_place() {
        for (setting, place) in [
            ("Address = 300.1.1.1", "wg0.conf:3:11: "),
            ("MTU = x", "wg0.conf:3:7: "),
            ("Table = no-such-table", "wg0.conf:3:9: "),
            ("Address = fd00::1/64\nMTU = 1200", "wg0.conf:4:7: "),
            ("Adress = 10.0.0.1", "wg0.conf:3:1: "),
        ] {
            let findings = look(&format!("[Interface]\n{KEY}\n{setting}\n"));
            assert_eq!(findings.errors.len(), 1, "{findings:?}");
            assert!(findings.errors[0].starts_with(place), "{findings:?}");
        }
    }

    #[test]
    fn what_is_perhaps_not_meant_is_a_warning() {
        let text = format!(
            "[Interface]\n{KEY}\n{PEER}\nAllowedIPs = 10.0.0.0/8\n{OTHER}\nAllowedIPs = 10.0.0.0/8\n"
        );
        let findings = look(&text);
        assert!(findings.errors.is_empty(), "{findings:?}");
        assert_eq!(findings.warnings.len(), 1, "{findings:?}");
        assert!(
            findings.warnings[0].starts_with("wg0.conf:8:14: "),
            "{findings:?}"
        );
    }

    #[test]
    fn a_key_may_come_from_a_hook() {
        let hook = "PostUp = wg set %i private-key /etc/wireguard/%i.key";
        assert_eq!(look(&format!("[Interface]\n{hook}\n")), Findings::default());
        let findings = look("[Interface]\n");
        assert!(findings.errors.is_empty(), "{findings:?}");
        assert!(findings.missing_key.is_some(), "{findings:?}");
    }
}
