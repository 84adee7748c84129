//! `show` and `showconf`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::{SystemTime, UNIX_EPOCH};

use hushwire_config::device::Device;
use hushwire_config::key::PublicKey;
use hushwire_config::raw;
use hushwire_config::show::{Document, Secrets, Selector, Style, View};
use hushwire_control::{Error, InterfaceNames, Interfaces};
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;

use super::{Context, Spelling, has_colour, usage};

/// The command `show`. Tells whether it went well.
pub(super) fn show(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    let words: Vec<Option<&str>> = operands.iter().map(|word| word.to_str()).collect();
    if context.options.json && words.as_slice() == [Some("interfaces")] {
        return bad_usage(context);
    }
    let selector = operands.get(1).map(OsString::as_os_str);
    match words.as_slice() {
        [Some("-h" | "--help" | "help")] => {
            let text = usage::of(context.program, context.spelling, "show");
            context.output.error_text(&text);
            true
        }
        [Some("interfaces")] => show_names(context),
        [] | [Some("all")] | [Some("all"), _] => show_all(context, selector),
        [Some("interfaces"), _] | [_, _, _, ..] => bad_usage(context),
        [_] | [_, _] => operands
            .first()
            .is_some_and(|name| show_one(context, name, selector)),
    }
}

/// The command `showconf`.
pub(super) fn showconf(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    let [name] = operands else {
        let text = usage::of(context.program, context.spelling, "showconf");
        context.output.error_text(&text);
        return false;
    };
    match Shown::read(&context.interfaces(), name) {
        Ok(shown) => {
            shown.with_view(|view| context.output.write(|out| view.conf(out)));
            true
        }
        Err(error) => {
            context.device_error("Unable to access interface", &error);
            false
        }
    }
}

fn show_names(context: &mut Context<'_>) -> bool {
    let Some(names) = names(context) else {
        return false;
    };
    if !names.is_empty() {
        let line = names.join(OsStr::new(" "));
        context.output.write(|out| {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")
        });
    }
    true
}

/// All interfaces. Those that cannot be read are said so and passed over. For wg(8) it went well if there is none at
/// all, or one could be read; in our own spelling, if every one could.
fn show_all(context: &mut Context<'_>, selector: Option<&OsStr>) -> bool {
    let Some(names) = names(context) else {
        return false;
    };
    let interfaces = context.interfaces();
    let mut well = names.is_empty();
    let mut failed = false;
    let mut collected = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match Shown::read(&interfaces, name) {
            Ok(shown) if context.options.json => collected.push(shown),
            Ok(shown) => {
                if !write(context, &shown, selector, true) {
                    return false;
                }
                if selector.is_none() && index + 1 < names.len() {
                    context.output.write(|out| out.write_all(b"\n"));
                }
            }
            Err(error) => {
                let name = raw::decode(name.as_bytes());
                context.device_error(&format!("Unable to access interface {name}"), &error);
                failed = true;
                continue;
            }
        }
        well = true;
    }
    well &= !failed || context.spelling == Spelling::Standard;
    if context.options.json {
        return write_json(context, &collected, selector) && well;
    }
    well
}

fn show_one(context: &mut Context<'_>, name: &OsStr, selector: Option<&OsStr>) -> bool {
    match Shown::read(&context.interfaces(), name) {
        Ok(shown) if context.options.json => write_json(context, &[shown], selector),
        Ok(shown) => write(context, &shown, selector, false),
        Err(error) => {
            context.device_error("Unable to access interface", &error);
            false
        }
    }
}

fn names(context: &mut Context<'_>) -> Option<Vec<OsString>> {
    match context.interfaces().names() {
        Ok(names) => Some(names),
        Err(error) => {
            context.device_error("Unable to list interfaces", &error);
            None
        }
    }
}

/// Writes a device as text, or the lines of a selector.
fn write(
    context: &mut Context<'_>,
    shown: &Shown,
    selector: Option<&OsStr>,
    several: bool,
) -> bool {
    let Some(word) = selector else {
        let style = style(context);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        shown.with_view(|view| context.output.write(|out| view.pretty(out, style, now)));
        return true;
    };
    match word.to_str().and_then(Selector::parse) {
        Some(selector) => {
            shown.with_view(|view| {
                context
                    .output
                    .write(|out| view.select(out, selector, several));
            });
            true
        }
        None => {
            let message = [b"Invalid parameter: `", word.as_bytes(), b"'"].concat();
            context.output.error_bytes(&message);
            bad_usage(context)
        }
    }
}

fn write_json(context: &mut Context<'_>, shown: &[Shown], selector: Option<&OsStr>) -> bool {
    if selector.is_some() {
        context
            .output
            .error("--json shows everything: it goes without a selector");
        return bad_usage(context);
    }
    let secrets = if shows_keys(context) {
        Secrets::Shown
    } else {
        Secrets::Hidden
    };
    context.output.write(|out| {
        let mut document = Document::begin(out, secrets)?;
        for shown in shown {
            shown.with_view(|view| document.interface(view))?;
        }
        document.end()
    });
    true
}

fn style(context: &Context<'_>) -> Style {
    Style {
        colour: has_colour(),
        show_keys: shows_keys(context),
    }
}

fn shows_keys(context: &Context<'_>) -> bool {
    context.options.show_keys || env::var_os("WG_HIDE_KEYS").is_some_and(|mode| mode == "never")
}

fn bad_usage(context: &mut Context<'_>) -> bool {
    let text = usage::of(context.program, context.spelling, "show");
    context.output.error_text(&text);
    false
}

/// A device that has been read.
struct Shown {
    name: OsString,
    device: Device,
}

impl Shown {
    fn read(interfaces: &Interfaces, name: &OsStr) -> Result<Self, Error> {
        let device = interfaces.open(name).read()?;
        Ok(Self {
            name: name.to_owned(),
            device,
        })
    }

    fn with_view<T>(&self, show: impl FnOnce(&View<'_>) -> T) -> T {
        let private_key = self.device.private_key.as_ref();
        let public_key = private_key.map(|key| {
            let clamped = key.clamped();
            PublicKey::new(DefaultCrypto::public_key(clamped.as_bytes()))
        });
        let names = InterfaceNames::open();
        show(&View {
            name: self.name.as_bytes(),
            device: &self.device,
            public_key: public_key.as_ref(),
            names: &|index| names.name(index),
        })
    }
}
