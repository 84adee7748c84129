//! A config file as wg-quick(8) reads it: its own settings letter by letter, the rest for wg(8).
//!
//! [`hushwire_config::conf`] reads the same file into checked values. This reading is for what the
//! standard tool passes on unseen: what `strip` prints, what a trace line shows, what `ip` would
//! refuse only when it comes to it.

use std::fmt;

use hushwire_config::conf::Shown;
use hushwire_config::raw;
use zeroize::Zeroizing;

/// What a file says. Values are text in the form of [`raw::decode`], without the blanks around.
#[derive(Clone, Default)]
pub struct QuickFile {
    /// `Address`, word by word.
    pub addresses: Vec<String>,
    /// The name servers of `DNS`.
    pub dns: Vec<String>,
    /// The domains of `DNS`.
    pub search: Vec<String>,
    /// `MTU`, if it is not empty.
    pub mtu: Option<String>,
    /// `Table`, if it is not empty.
    pub table: Option<String>,
    /// The commands.
    pub hooks: Hooks,
    /// `SaveConfig`.
    pub save_config: bool,
    /// All lines that are not wg-quick(8)'s, each without the blanks around and with a newline.
    pub passthrough: Zeroizing<Vec<u8>>,
}

/// The commands of a file, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// `PreUp`.
    pub pre_up: Vec<String>,
    /// `PostUp`.
    pub post_up: Vec<String>,
    /// `PreDown`.
    pub pre_down: Vec<String>,
    /// `PostDown`.
    pub post_down: Vec<String>,
}

/// A `SaveConfig` with this value. The message is wg-quick(8)'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotABoolean(String);

impl NotABoolean {
    /// The same for messages of our own, which quote nothing that may be a key.
    #[must_use]
    pub fn guarded(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| write!(f, "`{}' is neither true nor false", Shown(&self.0)))
    }
}

impl fmt::Display for NotABoolean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}' is neither true nor false", self.0)
    }
}

impl std::error::Error for NotABoolean {}

/// Without the lines for wg(8), which hold keys.
impl fmt::Debug for QuickFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuickFile")
            .field("addresses", &self.addresses)
            .field("dns", &self.dns)
            .field("search", &self.search)
            .field("mtu", &self.mtu)
            .field("table", &self.table)
            .field("hooks", &self.hooks)
            .field("save_config", &self.save_config)
            .finish_non_exhaustive()
    }
}

impl QuickFile {
    /// Whether it has a `ListenPort` below 1024.
    #[must_use]
    pub fn has_low_port(&self) -> bool {
        let lines = self.passthrough.split(|byte| *byte == b'\n');
        let settings = lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once('='));
        let mut ports = settings.filter(|(key, _)| key.trim().eq_ignore_ascii_case("ListenPort"));
        ports.any(|(_, value)| matches!(value.trim().parse::<u16>(), Ok(1..1024)))
    }

    /// Reads a file. NULs are ignored, as bash does.
    ///
    /// # Errors
    /// [`NotABoolean`].
    pub fn parse(text: &[u8]) -> Result<Self, NotABoolean> {
        let mut file = Self::default();
        // So that no copy of a key is left where the vector grew.
        file.passthrough.reserve(text.len().saturating_add(1));
        let mut in_interface = false;
        let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        if lines
            .last()
            .is_some_and(|last| trim(&without_nul(last), is_blank).is_empty())
        {
            lines.pop();
        }
        for line in lines {
            let line = without_nul(line);
            let line = trim(&line, is_blank);
            if !file.line(line, &mut in_interface)? {
                file.passthrough.extend_from_slice(line);
                file.passthrough.push(b'\n');
            }
        }
        Ok(file)
    }

    /// Takes a line in. False if it is not wg-quick(8)'s.
    fn line(&mut self, line: &[u8], in_interface: &mut bool) -> Result<bool, NotABoolean> {
        let comment = line.iter().position(|&byte| byte == b'#');
        let visible = &line[..comment.unwrap_or(line.len())];
        let equals = visible.iter().position(|&byte| byte == b'=');
        let key = trim(&visible[..equals.unwrap_or(visible.len())], is_space);
        if key.starts_with(b"[") {
            *in_interface = key.eq_ignore_ascii_case(b"[Interface]");
        }
        if !*in_interface {
            return Ok(false);
        }
        // Without a `=` the key is its own value.
        let start = equals.map_or(0, |equals| equals + 1);
        let value = || text(&visible[start..]);
        // A command goes on behind a `#`.
        let command = || match equals {
            Some(_) => text(&line[start..]),
            None => text(visible),
        };
        match key.to_ascii_lowercase().as_slice() {
            b"address" => self.addresses.extend(words(&value())),
            b"mtu" => self.mtu = Some(value()).filter(|mtu| !mtu.is_empty()),
            b"dns" => self.name_servers(&value()),
            b"table" => self.table = Some(value()).filter(|table| !table.is_empty()),
            b"preup" => self.hooks.pre_up.push(command()),
            b"postup" => self.hooks.post_up.push(command()),
            b"predown" => self.hooks.pre_down.push(command()),
            b"postdown" => self.hooks.post_down.push(command()),
            b"saveconfig" => self.save_config = boolean(value())?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn name_servers(&mut self, value: &str) {
        for word in words(value) {
            let is_server = word.contains(':')
                || word
                    .bytes()
                    .all(|byte| byte == b'.' || byte.is_ascii_digit());
            if is_server {
                self.dns.push(word);
            } else {
                self.search.push(word);
            }
        }
    }
}

fn boolean(value: String) -> Result<bool, NotABoolean> {
    match value {
        yes if yes.eq_ignore_ascii_case("true") => Ok(true),
        no if no.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(NotABoolean(other)),
    }
}

fn without_nul(line: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(line.iter().copied().filter(|&byte| byte != 0).collect())
}

fn trim(text: &[u8], is_blank: impl Fn(u8) -> bool) -> &[u8] {
    let start = text.iter().position(|&byte| !is_blank(byte));
    let end = text.iter().rposition(|&byte| !is_blank(byte));
    match (start, end) {
        (Some(start), Some(end)) => &text[start..=end],
        _ => &[],
    }
}

/// What bash takes off the ends of a line that it reads.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn text(value: &[u8]) -> String {
    raw::decode(trim(value, is_space)).into_owned()
}

/// Bash splits at spaces and tabs, and commas have become spaces before.
fn words(value: &str) -> impl Iterator<Item = String> {
    value
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> QuickFile {
        QuickFile::parse(text.as_bytes()).unwrap()
    }

    fn stripped(text: &str) -> String {
        String::from_utf8(parse(text).passthrough.to_vec()).unwrap()
    }

    #[test]
    fn a_low_port_is_seen() {
        assert!(parse("[Interface]\nlistenport=443\n").has_low_port());
        assert!(!parse("[Interface]\nListenPort = 51820\n").has_low_port());
        assert!(!parse("[Interface]\nListenPort = 0\n").has_low_port());
    }

    #[test]
    fn what_is_not_its_own_passes_through() {
        let file =
            "# top\n[Interface]\nAddress = 10.0.0.1/8\nFoo = a\\b # c\n\n[Peer] # p\nMTU = 1\n";
        assert_eq!(
            stripped(file),
            "# top\n[Interface]\nFoo = a\\b # c\n\n[Peer] # p\nMTU = 1\n"
        );
        assert_eq!(stripped(""), "");
        assert_eq!(stripped("\n"), "\n");
        assert_eq!(stripped("MTU = 1"), "MTU = 1\n", "before any section");
    }

    #[test]
    fn blanks_around_lines_go_and_returns_stay() {
        assert_eq!(
            stripped("\t [Interface]  \n  ListenPort   =  1  \n Address = 1.1.1.1\n"),
            "[Interface]\nListenPort   =  1\n"
        );
        assert_eq!(
            stripped("[Interface]\r\nMTU = 5\r\nListenPort = 1\r\n"),
            "[Interface]\r\nListenPort = 1\r\n"
        );
        assert_eq!(stripped("a\0b\0"), "ab\n");
        assert_eq!(stripped("a\n \t"), "a\n");
    }

    #[test]
    fn sections_have_one_spelling_in_any_case() {
        assert_eq!(stripped("[INTERFACE]\nmtu=1\n"), "[INTERFACE]\n");
        assert_eq!(
            stripped("[ Interface ]\nMTU = 1\n"),
            "[ Interface ]\nMTU = 1\n"
        );
        assert_eq!(
            stripped("[Peer]\nMTU=1\n[Interface]\nMTU=2\n[Peer]\nMTU=3\n"),
            "[Peer]\nMTU=1\n[Interface]\n[Peer]\nMTU=3\n"
        );
    }

    #[test]
    fn lists_add_up_and_the_last_scalar_wins() {
        let file = parse(
            "[Interface]\nAddress = 10.0.0.1/8,fd00::1\nAddress\nMTU = 1\nMTU = 2\nTable = x\nTable=\n\
             DNS = 1.1.1.1 corp.example, ::1\nDNS = 1.example\n",
        );
        assert_eq!(file.addresses, ["10.0.0.1/8", "fd00::1", "Address"]);
        assert_eq!(file.mtu.as_deref(), Some("2"));
        assert_eq!(file.table, None);
        assert_eq!(file.dns, ["1.1.1.1", "::1"]);
        assert_eq!(file.search, ["corp.example", "1.example"]);
    }

    #[test]
    fn a_command_keeps_its_hash_sign() {
        let file = parse(
            "[Interface]\nPostUp = echo \"a # b\"\r\nPostUp =\nPreDown#x = y\nPreUp = a = b\n\
             PostDown = z",
        );
        assert_eq!(file.hooks.post_up, ["echo \"a # b\"", ""]);
        assert_eq!(file.hooks.pre_down, ["PreDown"]);
        assert_eq!(file.hooks.pre_up, ["a = b"]);
        assert_eq!(file.hooks.post_down, ["z"]);
    }

    #[test]
    fn save_config_is_true_or_false() {
        assert!(parse("[Interface]\nSaveConfig = TRUE # x\n").save_config);
        assert!(!parse("[Interface]\nSaveConfig = true\nSaveConfig = false\n").save_config);
        for (value, message) in [
            ("maybe", "`maybe' is neither true nor false"),
            ("", "`' is neither true nor false"),
        ] {
            let text = format!("[Interface]\nSaveConfig = {value}\n");
            let error = QuickFile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn no_key_shows_in_debug() {
        let key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
        let file = parse(&format!("[Interface]\nPrivateKey = {key}\n"));
        assert!(!format!("{file:?}").contains(&key[..8]));
    }

    proptest::proptest! {
        #[test]
        fn all_bytes_are_read(text: Vec<u8>) {
            let _ = QuickFile::parse(&text);
        }
    }
}
