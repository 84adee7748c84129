//! `setconf`, `addconf` and `syncconf`: an interface changed by a file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use hushwire_config::conf::{Diagnostic, Dialect, Mode, ParseError, Problem, Span, Spanned, parse};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::sync::sync;
use hushwire_config::update::DeviceUpdate;
use hushwire_control::strerror;
use hushwire_quick::keys::{self, Place};
use zeroize::Zeroizing;

use super::apply::{self, LookUpError, Resolver};
use super::{Context, Spelling, input, usage};

/// The last line that the standard tool says about a file that it cannot read.
const PARSING_ERROR: &str = "Configuration parsing error";

/// The command `setconf`. Tells whether it went well.
pub(super) fn setconf(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    run(context, operands, Verb::Set)
}

/// The command `addconf`.
pub(super) fn addconf(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    run(context, operands, Verb::Add)
}

/// The command `syncconf`.
pub(super) fn syncconf(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    run(context, operands, Verb::Sync)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Set,
    Add,
    Sync,
}

fn run(context: &mut Context<'_>, operands: &[OsString], verb: Verb) -> bool {
    let [name, path] = operands else {
        let name = match verb {
            Verb::Set => "setconf",
            Verb::Add => "addconf",
            Verb::Sync => "syncconf",
        };
        let text = usage::of(context.program, context.spelling, name);
        context.output.error_text(&text);
        return false;
    };
    let Some(update) = read_update(context, name, Path::new(path), verb) else {
        return false;
    };
    apply_update(context, name, update, verb)
}

fn apply_update(
    context: &mut Context<'_>,
    name: &OsStr,
    mut update: DeviceUpdate,
    verb: Verb,
) -> bool {
    let Some(mut device) = apply::open(context, name) else {
        return false;
    };
    // Without peers there is nothing to keep, and so nothing to look at.
    if verb == Verb::Sync && !update.peers.is_empty() {
        match device.read() {
            Ok(runtime) => update = sync(update, &runtime),
            Err(error) => {
                let what = "Unable to retrieve current interface configuration";
                context.device_error(what, &error);
                return false;
            }
        }
    }
    apply::change(context, &mut device, &update)
}

fn read_update(
    context: &mut Context<'_>,
    name: &OsStr,
    path: &Path,
    verb: Verb,
) -> Option<DeviceUpdate> {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => {
            let code = error.raw_os_error().unwrap_or_default();
            context.output.error(&format!("fopen: {}", strerror(code)));
            if context.spelling == Spelling::Own {
                context
                    .output
                    .hint(&format!("the file is {}", path.display()));
            }
            return None;
        }
    };
    let text = fill_in(context, name, path, text)?;
    let mode = match verb {
        Verb::Add => Mode::Add,
        Verb::Set | Verb::Sync => Mode::Replace,
    };
    let mut reader = FileReader {
        context,
        path,
        resolver: Resolver::default(),
    };
    match parse(&text, Dialect::Wg) {
        Ok(parsed) => {
            let peers = parsed.config.peers.iter();
            let endpoints = peers.filter_map(|peer| peer.endpoint.as_ref());
            let endpoints = endpoints.chain(&parsed.replaced_endpoints);
            let addresses = reader.walk(&parsed.warnings, endpoints)?;
            let address =
                |endpoint: &Spanned<Endpoint>| addresses.get(&endpoint.span).copied().ok_or(());
            parsed.config.to_update(mode, address).ok()
        }
        Err(error) => {
            reader.walk(error.warnings(), error.endpoints().iter())?;
            reader.refuse(&error);
            None
        }
    }
}

/// Puts the keys in that stand elsewhere. Says which is missing.
fn fill_in(
    context: &mut Context<'_>,
    name: &OsStr,
    path: &Path,
    text: Zeroizing<Vec<u8>>,
) -> Option<Zeroizing<Vec<u8>>> {
    let place = Place {
        path,
        interface: &name.to_string_lossy(),
        // Nobody expects wg(8) to run what a file says.
        commands: context.spelling == Spelling::Own,
        interrupt: None,
    };
    match keys::fill_in(&text, Dialect::Wg, &place) {
        Ok(filled) => {
            for warning in &filled.warnings {
                context.output.error(warning);
            }
            Some(filled.text.unwrap_or(text))
        }
        Err(error) => {
            context.output.error(&error.to_string());
            None
        }
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = input::open(path)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    // Room for all of a file from the start, so that no copies of keys stay behind.
    let size = usize::try_from(size)
        .unwrap_or(0)
        .saturating_add(1)
        .max(4096);
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Says what there is to say of a file in the order of its lines, which is the one in which the standard tool comes to
/// it.
struct FileReader<'c, 'p> {
    context: &'c mut Context<'p>,
    path: &'c Path,
    resolver: Resolver,
}

/// Something in a file to be said, or looked up.
enum Step<'a> {
    Warning(&'a Diagnostic),
    Endpoint(&'a Endpoint),
}

impl FileReader<'_, '_> {
    /// Says the warnings and looks up the endpoints. Gives the address of the endpoint at each place; nothing if one of
    /// them has none, which is then said.
    fn walk<'a>(
        &mut self,
        warnings: &'a [Diagnostic],
        endpoints: impl Iterator<Item = &'a Spanned<Endpoint>>,
    ) -> Option<HashMap<Span, SocketAddr>> {
        let warnings = warnings.iter();
        let mut steps: Vec<(Span, Step<'a>)> = warnings
            .map(|warning| (warning.span, Step::Warning(warning)))
            .collect();
        steps.extend(endpoints.map(|one| (one.span, Step::Endpoint(&one.value))));
        steps.sort_by_key(|(span, _)| *span);
        let mut addresses = HashMap::new();
        for (span, step) in steps {
            match step {
                Step::Warning(warning) => self.warn(warning),
                Step::Endpoint(endpoint) => {
                    addresses.insert(span, self.look_up(endpoint, span)?);
                }
            }
        }
        Some(addresses)
    }

    fn warn(&mut self, warning: &Diagnostic) {
        if let Some(message) = warning.problem.standard_message() {
            self.context.output.error_text(&message);
        }
        self.place(warning);
    }

    fn look_up(&mut self, endpoint: &Endpoint, span: Span) -> Option<SocketAddr> {
        let error = match self.resolver.address(endpoint, &mut self.context.output) {
            Ok(address) => return Some(address),
            Err(error) => error,
        };
        let output = &mut self.context.output;
        output.error(&error.to_string());
        if matches!(error, LookUpError::Resolve(_)) {
            output.error(PARSING_ERROR);
            if self.context.spelling == Spelling::Own {
                let place = format!("{}:{span}", self.path.display());
                output.error(&format!("  {place}: this endpoint has no address"));
            }
        }
        None
    }

    fn refuse(&mut self, error: &ParseError) {
        let first = error.diagnostics().first().map(|first| &first.problem);
        // Read before an endpoint is, good or bad.
        if matches!(first, Some(Problem::Value(key, _)) if key.name == "Endpoint")
            && let Err(error) = self.resolver.prepare()
        {
            return self.context.output.error(&error.to_string());
        }
        self.context.output.error_text(&error.standard_message());
        for diagnostic in error.diagnostics() {
            self.place(diagnostic);
        }
    }

    /// Says where and what to do, in our own spelling.
    fn place(&mut self, diagnostic: &Diagnostic) {
        if self.context.spelling == Spelling::Own {
            let place = diagnostic.in_file(self.path).to_string();
            self.context.output.error(&format!("  {place}"));
        }
    }
}
