//! wg(8), under its own name and as commands of `hushwire`.
//!
//! Both spellings do the same, and say the same: what programs read is the standard tool's, byte for byte. Our own adds
//! a time limit, places and hints to what is wrong, and options that wg(8) does not have.

mod apply;
mod conf_file;
mod input;
mod options;
mod output;
mod set;
mod show;
mod usage;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use hushwire_control::Interfaces;

use crate::hardening::keep_memory_private;
use crate::{keys, status};
use options::Options;
use output::Output;

/// What wg(8) answers when it is asked for its version: the one that this one is like.
const VERSION: &str = "wireguard-tools v1.0.20260223 - https://git.zx2c4.com/wireguard-tools/\n";

/// Under which name the commands were called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `wg`.
    Standard,
    /// `hushwire`.
    Own,
}

/// What all commands need.
pub(crate) struct Context<'a> {
    /// The program's name as it was called, for usage texts.
    program: &'a OsStr,
    spelling: Spelling,
    pub(crate) options: Options,
    pub(crate) output: Output,
}

impl Context<'_> {
    pub(crate) fn interfaces(&self) -> Interfaces {
        let interfaces = Interfaces::new();
        match self.options.time_limit(self.spelling) {
            Some(limit) => interfaces.with_time_limit(limit),
            None => interfaces,
        }
    }

    /// Says what is wrong with reaching a device.
    pub(crate) fn device_error(&mut self, what: &str, error: &hushwire_control::Error) {
        self.output.error(&format!("{what}: {error}"));
        if let (Spelling::Own, Some(explanation)) = (self.spelling, error.explanation()) {
            self.output.hint(explanation);
        }
    }

    /// Says how a command is used.
    pub(crate) fn usage(&mut self, verb: &str) {
        let text = usage::of(self.program, self.spelling, verb);
        self.output.error_text(&text);
    }
}

/// Whether there are colours.
pub(crate) fn has_colour() -> bool {
    match env::var_os("WG_COLOR_MODE") {
        Some(mode) if mode == "always" => true,
        Some(mode) if mode == "never" => false,
        _ => io::stdout().is_terminal(),
    }
}

/// The program `wg`.
pub(crate) fn main(program: &OsStr, words: &[OsString]) -> ExitCode {
    let texts: Vec<Option<&str>> = words.iter().map(|word| word.to_str()).collect();
    match texts.as_slice() {
        [Some("-v" | "--version" | "version")] => {
            output::print(VERSION);
            return ExitCode::SUCCESS;
        }
        [Some("-h" | "--help" | "help")] => {
            output::print(&usage::all(program));
            return ExitCode::SUCCESS;
        }
        [] => {
            return run(program, &["show".into()], Spelling::Standard).unwrap_or(ExitCode::FAILURE);
        }
        _ => {}
    }
    run(program, words, Spelling::Standard).unwrap_or_else(|| {
        let mut output = Output::new();
        if let Some(verb) = words.first() {
            output.error_bytes(&[b"Invalid subcommand: `", verb.as_encoded_bytes(), b"'"].concat());
        }
        output.error_text(&usage::all(program));
        ExitCode::FAILURE
    })
}

/// Runs the command that the first word names, if it is one of wg(8)'s.
pub(crate) fn run(program: &OsStr, words: &[OsString], spelling: Spelling) -> Option<ExitCode> {
    keep_memory_private();
    if let Some(code) = keys::command(program, words) {
        return Some(code);
    }
    let (verb, operands) = words.split_first()?;
    let command = match verb.to_str()? {
        "show" => show::show,
        "showconf" => show::showconf,
        "set" => set::main,
        "setconf" => conf_file::setconf,
        "addconf" => conf_file::addconf,
        "syncconf" => conf_file::syncconf,
        "status" if spelling == Spelling::Own => status::main,
        _ => return None,
    };
    let mut output = Output::new();
    let (options, operands) = match Options::split(verb, operands, spelling) {
        Ok(split) => split,
        Err(error) => {
            output.error(&format!("{}: {error}", program.to_string_lossy()));
            return Some(ExitCode::FAILURE);
        }
    };
    let mut context = Context {
        program,
        spelling,
        options,
        output,
    };
    Some(if command(&mut context, operands) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Reads the options of `show`, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_show(words: &[OsString]) -> Result<bool, String> {
    let (options, operands) = Options::split(OsStr::new("show"), words, Spelling::Own)
        .map_err(|error| error.to_string())?;
    let limit = options.time_limit(Spelling::Own);
    Ok(!operands.is_empty() && limit.is_some_and(|limit| !limit.is_zero()))
}
