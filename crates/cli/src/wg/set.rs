//! `set`: an interface changed by the words of a command line.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Seek};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use hushwire_config::command::{self, CommandError, Reason, Surroundings};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::key_file::KeyFileError;
use hushwire_config::raw;
use hushwire_control::strerror;
use zeroize::Zeroizing;

use super::apply::{self, LookUpError, Resolver};
use super::output::Output;
use super::{Context, Spelling, input, usage};

/// More than any key file has; the rest need not be read to know that it is none.
const KEY_FILE_LIMIT: usize = 64 * 1024;

/// The command. Tells whether it went well.
pub(super) fn main(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    let (Some(name), Some(words @ [_, ..])) = (operands.first(), operands.get(1..)) else {
        let text = usage::of(context.program, context.spelling, "set");
        context.output.error_text(&text);
        return false;
    };
    let words: Vec<Zeroizing<String>> = words
        .iter()
        .map(|word| Zeroizing::new(raw::decode(word.as_bytes()).into_owned()))
        .collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
    let mut outside = Outside {
        output: &mut context.output,
        resolver: Resolver::default(),
    };
    match command::parse(&words, &mut outside) {
        Ok(update) => match apply::open(context, name) {
            Some(mut device) => apply::change(context, &mut device, &update),
            None => false,
        },
        Err(error) => {
            say(context, &error, &words);
            false
        }
    }
}

fn say(context: &mut Context<'_>, error: &CommandError<OutsideError>, words: &[&str]) {
    match &error.reason {
        // The byte as it is, whatever it is.
        Reason::KeyFile(KeyFileError::Trailing(byte))
        | Reason::Outside(OutsideError::KeyFile(KeyFileError::Trailing(byte))) => {
            let message = b"Found trailing character in key file: `";
            context
                .output
                .error_bytes(&[message, &[*byte][..], b"'"].concat());
        }
        _ => context.output.error(&error.standard_message()),
    }
    if context.spelling == Spelling::Standard {
        return;
    }
    let word = words.get(error.word).copied().unwrap_or_default();
    let file = match &error.reason {
        Reason::Outside(OutsideError::Open(_) | OutsideError::KeyFile(_)) | Reason::KeyFile(_) => {
            Some(format!("the file is {word}"))
        }
        _ => None,
    };
    let hints: Vec<&str> = file.as_deref().into_iter().chain(error.hint()).collect();
    if !hints.is_empty() {
        let (hint, place) = (hints.join("; "), error.word + 1);
        let line = format!("{hint} (word {place} after the interface)");
        context.output.hint(&line);
    }
}

/// The files and the network around the command.
struct Outside<'o> {
    output: &'o mut Output,
    resolver: Resolver,
}

#[derive(Debug)]
enum OutsideError {
    Open(i32),
    KeyFile(KeyFileError),
    LookUp(LookUpError),
}

impl std::fmt::Display for OutsideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(code) => write!(f, "fopen: {}", strerror(*code)),
            Self::KeyFile(error) => error.fmt(f),
            Self::LookUp(error) => error.fmt(f),
        }
    }
}

impl Surroundings for Outside<'_> {
    type Error = OutsideError;

    fn key_file(&mut self, path: &str) -> Result<Zeroizing<Vec<u8>>, OutsideError> {
        let path = raw::encode(path);
        let mut file = input::open(Path::new(OsStr::from_bytes(&path)))
            .map_err(|error| OutsideError::Open(error.raw_os_error().unwrap_or_default()))?;
        let mut content = Zeroizing::new(vec![0; KEY_FILE_LIMIT]);
        let mut length = 0;
        while let Some(room @ [_, ..]) = content.get_mut(length..) {
            match file.read(room) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A directory, for one.
                Err(_) => return Err(OutsideError::KeyFile(KeyFileError::Length)),
            }
        }
        // Nothing means no key, but not when it comes out of a pipe: there it means that something went wrong.
        if length == 0 && file.stream_position().is_err() {
            return Err(OutsideError::KeyFile(KeyFileError::Length));
        }
        content.truncate(length);
        Ok(content)
    }

    fn before_endpoint(&mut self) -> Result<(), OutsideError> {
        self.resolver
            .prepare()
            .map(|_| ())
            .map_err(OutsideError::LookUp)
    }

    fn address(&mut self, endpoint: &Endpoint) -> Result<SocketAddr, OutsideError> {
        self.resolver
            .address(endpoint, self.output)
            .map_err(OutsideError::LookUp)
    }

    fn host_bits(&mut self, written: &str) {
        self.output.error(&format!(
            "Warning: AllowedIP has nonzero host part: {written}"
        ));
    }
}
