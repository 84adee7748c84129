//! `status=1`, an operation of our own beside get and set: how the device is doing.
//!
//! The answer is framed as that of a get: lines, `errno` and an empty line. A line is a name and
//! its value (`mtu=1420`, `up=true`), an entry of a list of features (`offloads=udp-gso4 on`, with
//! a reason at the end if there is one), or one of a list of numbers (`dropped=no-peer 12`).
//!
//! Daemons that do not know the operation hang up (wireguard-go) or answer an error (boringtun).

use std::io::{self, BufRead, Read, Write};

use crate::number;
use crate::status::{Count, Feature, Status};
use crate::uapi::reply::{Lines, ReplyError, signed};

/// What a client sends.
pub const REQUEST: &[u8] = b"status=1\n\n";

/// The longest answer in bytes. Ours has about three thousand.
const ANSWER_LIMIT: u64 = 64 << 10;
/// The longest name of a list's entry, or of a state, in bytes.
const NAME_LIMIT: usize = 32;

/// Writes the answer.
///
/// # Errors
///
/// Those of the writer.
pub fn write(writer: &mut impl Write, status: &Status) -> io::Result<()> {
    writeln!(writer, "version={}", OneLine(&status.version))?;
    for (name, flag) in status.flags() {
        if let Some(flag) = flag {
            writeln!(writer, "{name}={flag}")?;
        }
    }
    for (name, number) in status.numbers() {
        if let Some(number) = number {
            writeln!(writer, "{name}={number}")?;
        }
    }
    for (list, features) in status.features() {
        for feature in features {
            write!(writer, "{list}={} {}", feature.name, feature.state)?;
            match feature.detail.as_str() {
                "" => writeln!(writer)?,
                detail => writeln!(writer, " {}", OneLine(detail))?,
            }
        }
    }
    for (list, counts) in status.counts() {
        for Count { name, count } in counts {
            writeln!(writer, "{list}={name} {count}")?;
        }
    }
    writer.write_all(b"errno=0\n\n")
}

/// Reads the answer. Unknown names mean nothing; of what is told twice the last counts.
///
/// # Errors
///
/// [`ReplyError`]; [`ReplyError::Protocol`] also for an answer that is none of this operation,
/// and one of more than 64 KiB.
pub fn read(reader: &mut impl BufRead) -> Result<Status, ReplyError> {
    let mut limited = Read::take(reader, ANSWER_LIMIT);
    let mut lines = Lines::new(&mut limited);
    let mut status = Status::default();
    let mut result = Err(ReplyError::Protocol);
    while let Some((key, value)) = lines.next()? {
        if key == b"errno" {
            result = match signed(value).ok_or(ReplyError::Protocol)? {
                0 => Ok(()),
                code => Err(ReplyError::Device(code)),
            };
        } else if let Ok(key) = std::str::from_utf8(key) {
            take(&mut status, key, value).ok_or(ReplyError::Protocol)?;
        }
    }
    result?;
    if status.version.is_empty() {
        return Err(ReplyError::Protocol);
    }
    Ok(status)
}

/// `None` if the value is not of the name's form.
fn take(status: &mut Status, key: &str, value: &[u8]) -> Option<()> {
    if key == "version" {
        status.version = text(value)?;
    } else if let Some(flag) = status.flag_mut(key) {
        *flag = Some(match value {
            b"true" => true,
            b"false" => false,
            _ => return None,
        });
    } else if let Some(number) = status.number_mut(key) {
        *number = Some(number::decimal(value, u64::MAX)?);
    } else if let Some(features) = status.features_mut(key) {
        let new = feature(value)?;
        match features.iter_mut().find(|known| known.name == new.name) {
            Some(known) => *known = new,
            None => features.push(new),
        }
    } else if let Some(counts) = status.counts_mut(key) {
        let new = count(value)?;
        match counts.iter_mut().find(|known| known.name == new.name) {
            Some(known) => *known = new,
            None => counts.push(new),
        }
    }
    Some(())
}

/// `NAME STATE` or `NAME STATE DETAIL`.
fn feature(value: &[u8]) -> Option<Feature> {
    let mut words = value.splitn(3, |&byte| byte == b' ');
    let (name, state) = (word(words.next()?)?, word(words.next()?)?);
    let detail = words.next().map_or(Some(String::new()), text)?;
    Some(Feature {
        name,
        state,
        detail,
    })
}

/// `NAME NUMBER`.
fn count(value: &[u8]) -> Option<Count> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    let (name, number) = (value.get(..space)?, value.get(space + 1..)?);
    Some(Count {
        name: word(name)?,
        count: number::decimal(number, u64::MAX)?,
    })
}

/// Small letters, digits and hyphens.
fn word(bytes: &[u8]) -> Option<String> {
    let fits = (1..=NAME_LIMIT).contains(&bytes.len());
    let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (fits && bytes.iter().all(plain)).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Text that does nothing to a terminal.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains(char::is_control)).then(|| text.to_owned())
}

/// A text in which nothing ends the line.
struct OneLine<'a>(&'a str);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        self.0
            .chars()
            .try_for_each(|char| f.write_char(if char.is_control() { ' ' } else { char }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(status: &Status) -> String {
        let mut text = Vec::new();
        write(&mut text, status).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn answer(text: &str) -> Result<Status, String> {
        read(&mut text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_lines_of_an_answer() {
        let status = Status {
            version: "0.1.0".to_owned(),
            up: Some(true),
            mtu: Some(1420),
            sandbox: vec![
                Feature::new("seccomp", "on", ""),
                Feature::new("landlock", "missing", "this kernel\nhas none"),
            ],
            dropped: vec![Count::new("no-peer", 12)],
            ..Status::default()
        };
        assert_eq!(
            written(&status),
            "version=0.1.0\nup=true\nmtu=1420\nsandbox=seccomp on\n\
             sandbox=landlock missing this kernel has none\ndropped=no-peer 12\nerrno=0\n\n"
        );
    }

    #[test]
    fn what_an_older_client_does_not_know_means_nothing_to_it() {
        let status = answer("version=9\nfoo=bar baz\nupdown=x\n\u{1f}=1\nmtu=1\nerrno=0\n\n");
        let expected = Status {
            version: "9".to_owned(),
            mtu: Some(1),
            ..Status::default()
        };
        assert_eq!(status, Ok(expected));
    }

    #[test]
    fn what_is_told_twice_is_there_once() {
        let text = "version=1\nmtu=1\nmtu=2\nudp=a 1\nudp=b 1\nudp=a 2\n\
                    offloads=a on\noffloads=a off why not\nerrno=0\n\n";
        let status = answer(text).unwrap();
        assert_eq!(status.mtu, Some(2));
        assert_eq!(status.udp, [Count::new("a", 2), Count::new("b", 1)]);
        assert_eq!(status.offloads, [Feature::new("a", "off", "why not")]);
    }

    #[test]
    fn an_error_of_either_sign_is_the_devices() {
        for code in [95, -5] {
            let result = read(&mut format!("errno={code}\n\n").as_bytes());
            assert!(
                matches!(result, Err(ReplyError::Device(told)) if told == code),
                "{result:?}"
            );
        }
    }

    #[test]
    fn broken_answers() {
        for bad in [
            "",
            "\n",
            "version=1\n\n",
            "version=1\nerrno=0\n",
            "errno=0\n\n",
            "version=\nerrno=0\n\n",
        ] {
            assert_eq!(answer(bad), Err("Protocol error".to_owned()), "{bad:?}");
        }
        for bad in [
            "foo",
            "version=\x1b[2J",
            "up=yes",
            "mtu=-1",
            "mtu=18446744073709551616",
            "mtu=",
            "sandbox=",
            "sandbox=seccomp",
            "sandbox=seccomp ",
            "sandbox=Seccomp on",
            "sandbox=seccomp on \x1b]0;",
            "sandbox=seccomp o\u{202e}n",
            "dropped=no-peer",
            "dropped=no-peer ",
            "dropped=no-peer 1 2",
            "dropped=no_peer 1",
            "dropped= 1",
            "dropped=a-name-that-is-longer-than-any-of-ours 1",
        ] {
            let text = format!("version=1\n{bad}\nerrno=0\n\n");
            assert_eq!(answer(&text), Err("Protocol error".to_owned()), "{bad:?}");
        }
        assert_eq!(
            read(&mut &b"version=\xff\nerrno=0\n\n"[..]).map_err(|error| error.to_string()),
            Err("Protocol error".to_owned())
        );
    }

    #[test]
    fn an_endless_answer_is_not_kept() {
        let endless = std::iter::repeat_n("foo=bar\n", 100_000).collect::<String>();
        let text = format!("version=1\n{endless}errno=0\n\n");
        assert_eq!(answer(&text), Err("Protocol error".to_owned()));
    }

    fn features() -> impl Strategy<Value = Vec<Feature>> {
        let one = ("[a-z0-9-]{1,32}", "[a-z]{1,32}", "[ -~é€]{0,40}");
        let one = one.prop_map(|(name, state, detail)| Feature::new(&name, &state, &detail));
        prop::collection::vec(one, 0..4).prop_map(|mut list| {
            list.sort_by(|one, other| one.name.cmp(&other.name));
            list.dedup_by(|one, other| one.name == other.name);
            list
        })
    }

    fn counts() -> impl Strategy<Value = Vec<Count>> {
        let map = prop::collection::btree_map("[a-z0-9-]{1,32}", any::<u64>(), 0..4);
        map.prop_map(|map| {
            let one = |(name, count): (String, u64)| Count { name, count };
            map.into_iter().map(one).collect()
        })
    }

    prop_compose! {
        fn statuses()(
            version in "[!-~]{1,20}",
            flags in prop::collection::vec(any::<Option<bool>>(), Status::default().flags().len()),
            numbers in prop::collection::vec(any::<Option<u64>>(), Status::default().numbers().len()),
            features in [features(), features()],
            counts in [counts(), counts(), counts(), counts()],
        ) -> Status {
            let mut status = Status { version, ..Status::default() };
            for ((name, _), flag) in Status::default().flags().into_iter().zip(flags) {
                *status.flag_mut(name).expect("a flag that is told") = flag;
            }
            for ((name, _), number) in Status::default().numbers().into_iter().zip(numbers) {
                *status.number_mut(name).expect("a number that is told") = number;
            }
            for ((name, _), list) in Status::default().features().into_iter().zip(features) {
                *status.features_mut(name).expect("a list that is told") = list;
            }
            for ((name, _), list) in Status::default().counts().into_iter().zip(counts) {
                *status.counts_mut(name).expect("a list that is told") = list;
            }
            status
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(status in statuses()) {
            let text = written(&status);
            prop_assert_eq!(answer(&text), Ok(status));
        }

        /// Whatever is told: what is understood of it can be told again, and is the same then.
        #[test]
        fn what_is_read_is_written(lines in prop::collection::vec(
            prop_oneof![
                "(version|up|under_load|mtu|pid|sandbox|offloads|dropped|udp|errno|x)=[a-z0-9 -]{0,9}",
                "[ -~]{0,12}",
                ".{0,12}",
            ], 0..12)) {
            let text = format!("version=1\n{}\nerrno=0\n\n", lines.join("\n"));
            if let Ok(status) = answer(&text) {
                prop_assert_eq!(answer(&written(&status)), Ok(status));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&mut bytes.as_slice());
        }
    }
}
