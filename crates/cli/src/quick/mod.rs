//! `hushwire up`, `down`, `save` and `strip`, and the same under the name `wg-quick`.

mod arguments;
mod context;
mod root;
mod run;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use hushwire_config::conf::Dialect;
use hushwire_config::raw;
use hushwire_quick::keys::{self, Place};
use hushwire_quick::{Interrupt, Located, QuickFile, check};
use zeroize::Zeroizing;

use crate::hardening::keep_memory_private;
use arguments::{Arguments, Manner, Request, Verb};
use run::Job;

pub(crate) use context::{environment, public_key};

/// The program `wg-quick`.
pub(crate) fn wg_quick(name: &OsStr, words: &[OsString]) -> ExitCode {
    run(&Program::new(name, Manner::DropIn), words)
}

/// A command of `hushwire`, if the first word is one of those here.
pub(crate) fn command(name: &OsStr, words: &[OsString]) -> Option<ExitCode> {
    Verb::parse(words.first()?)?;
    Some(run(&Program::new(name, Manner::Own), words))
}

/// Who speaks.
struct Program<'a> {
    /// As it was started.
    started_as: &'a OsStr,
    manner: Manner,
}

impl<'a> Program<'a> {
    fn new(started_as: &'a OsStr, manner: Manner) -> Self {
        Self { started_as, manner }
    }

    /// The name in front of messages.
    fn name(&self) -> &OsStr {
        Path::new(self.started_as)
            .file_name()
            .unwrap_or(self.started_as)
    }

    /// Says why the program ends, as wg-quick(8) does.
    fn die(&self, why: &dyn fmt::Display) -> ExitCode {
        let said = format!("{}: {why}\n", self.name().to_string_lossy());
        // What is quoted from a file may be bytes that are no text.
        let _ = io::stderr().write_all(&raw::encode(&said));
        ExitCode::FAILURE
    }
}

fn run(program: &Program<'_>, words: &[OsString]) -> ExitCode {
    match Request::parse(program.manner, words) {
        Ok(Request::Run(arguments)) => {
            if let Err(code) = root::become_root(program, words) {
                return ExitCode::from(code);
            }
            keep_memory_private();
            perform(program, &arguments).unwrap_or_else(|code| code)
        }
        Ok(Request::Help) => {
            let text = arguments::usage(program.manner, program.name(), words);
            let _ = match program.manner {
                // Where wg-quick(8) says it.
                Manner::DropIn => io::stderr().write_all(text.as_bytes()),
                Manner::Own => io::stdout().write_all(text.as_bytes()),
            };
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let Some(error) = error {
                return program.die(&error);
            }
            let text = arguments::usage(program.manner, program.name(), words);
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn perform(program: &Program<'_>, arguments: &Arguments) -> Result<ExitCode, ExitCode> {
    let located = Located::find(&arguments.word).map_err(|error| program.die(&error))?;
    if located.is_world_accessible() {
        let path = located.path.display();
        let _ = writeln!(io::stderr(), "Warning: `{path}' is world accessible");
    }
    let text = fs::read(&located.path)
        .map_err(|error| program.die(&format_args!("`{}': {error}", located.path.display())))?;
    let text = Zeroizing::new(text);
    let file = QuickFile::parse(&text).map_err(|error| match program.manner {
        Manner::DropIn => program.die(&error),
        Manner::Own => program.die(&error.guarded()),
    })?;
    if arguments.verb == Verb::Strip {
        let filled = fill_in(&text, &located, None).map_err(|error| program.die(&error))?;
        return Ok(strip(filled.as_ref().unwrap_or(&file)));
    }
    if program.manner == Manner::Own && matches!(arguments.verb, Verb::Up | Verb::Reload) {
        precheck(&text, &located, &file)?;
    }
    let job = Job {
        program,
        arguments,
        located,
        text,
        file,
    };
    Ok(job.run())
}

/// The file with the keys that stand elsewhere; none if there are none.
fn fill_in(
    text: &[u8],
    located: &Located,
    interrupt: Option<&Interrupt>,
) -> Result<Option<QuickFile>, Box<dyn fmt::Display>> {
    let place = Place {
        path: &located.path,
        interface: &located.interface,
        commands: true,
        interrupt,
    };
    let filled = keys::fill_in(text, Dialect::Quick, &place)
        .map_err(|error| Box::new(error) as Box<dyn fmt::Display>)?;
    for warning in &filled.warnings {
        let _ = writeln!(io::stderr(), "{warning}");
    }
    let file = filled.text.as_deref().map(|text| QuickFile::parse(text));
    file.transpose()
        .map_err(|error| Box::new(error) as Box<dyn fmt::Display>)
}

/// Refuses what cannot work before anything is touched, which wg-quick(8) does not.
fn precheck(text: &[u8], located: &Located, file: &QuickFile) -> Result<(), ExitCode> {
    let findings = check(text, &located.path, file, public_key);
    let warnings = findings.missing_key.iter().chain(&findings.warnings);
    for line in warnings.chain(&findings.errors) {
        let _ = writeln!(io::stderr(), "{line}");
    }
    if findings.errors.is_empty() {
        Ok(())
    } else {
        Err(ExitCode::FAILURE)
    }
}

/// Prints what is for wg(8), and a newline. An error while writing is ignored, as by bash.
fn strip(file: &QuickFile) -> ExitCode {
    let mut output = io::stdout().lock();
    let _ = output
        .write_all(&file.passthrough)
        .and_then(|()| output.write_all(b"\n"))
        .and_then(|()| output.flush());
    ExitCode::SUCCESS
}

/// Reads a command line of ours, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_own(words: &[OsString]) -> Result<bool, String> {
    read(Manner::Own, words)
}

/// Reads a command line of wg-quick(8)'s, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_drop_in(words: &[OsString]) -> Result<bool, String> {
    read(Manner::DropIn, words)
}

#[cfg(feature = "fuzzing")]
fn read(manner: Manner, words: &[OsString]) -> Result<bool, String> {
    let request = Request::parse(manner, words)
        .map_err(|error| error.map_or_else(|| "the usage".to_owned(), |error| error.to_string()))?;
    Ok(matches!(request, Request::Run(_)))
}
