//! `status`: how devices are doing.

mod json;
mod problems;
mod text;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use hushwire_config::raw;
use hushwire_config::status::Status;
use hushwire_control::{Error, Health, Interfaces};

use crate::wg::{Context, has_colour};
use problems::Problem;

/// The command `status`. Tells whether every interface that was asked for could be read.
pub(crate) fn main(context: &mut Context<'_>, operands: &[OsString]) -> bool {
    let interfaces = context.interfaces();
    match operands {
        [] => match interfaces.names() {
            Ok(names) => tell(context, &interfaces, &names),
            Err(error) => {
                context.device_error("Unable to list interfaces", &error);
                false
            }
        },
        [name] => tell(context, &interfaces, std::slice::from_ref(name)),
        _ => {
            context.usage("status");
            false
        }
    }
}

fn tell(context: &mut Context<'_>, interfaces: &Interfaces, names: &[OsString]) -> bool {
    let mut well = true;
    let mut reports = Vec::new();
    for name in names {
        match Report::read(interfaces, name) {
            Ok(report) => reports.push(report),
            Err(error) => {
                let name = name.to_string_lossy();
                context.device_error(&format!("Unable to access interface {name}"), &error);
                well = false;
            }
        }
    }
    if context.options.json {
        context.output.write(|out| json::write(out, &reports));
    } else {
        let text = text::of(&reports, has_colour());
        context
            .output
            .write(|out| std::io::Write::write_all(out, &raw::encode(&text)));
    }
    well
}

/// Who runs a device.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Runner {
    Kernel,
    /// A daemon of ours.
    Hushwire,
    /// A daemon that tells no status; with its program, if that is known.
    Other(Option<String>),
}

/// All that there is to say about a device.
#[derive(Clone, Debug)]
struct Report {
    /// The interface, with bytes that are no text as [`raw`] has them.
    name: String,
    runner: Runner,
    /// Of a device that tells none: what the kernel tells of any interface.
    status: Status,
    problems: Vec<Problem>,
}

impl Report {
    fn read(interfaces: &Interfaces, name: &OsStr) -> Result<Self, Error> {
        let (runner, status) = match interfaces.open(name).health()? {
            Health::Told(status) => (Runner::Hushwire, *status),
            Health::Kernel => (Runner::Kernel, of_link(interfaces, name)?),
            Health::Untold(program) => (Runner::Other(program), of_link(interfaces, name)?),
        };
        Ok(Self::new(&raw::decode(name.as_bytes()), runner, status))
    }

    fn new(name: &str, runner: Runner, status: Status) -> Self {
        Self {
            name: name.to_owned(),
            runner,
            problems: problems::of(name, &status),
            status,
        }
    }
}

fn of_link(interfaces: &Interfaces, name: &OsStr) -> Result<Status, Error> {
    let link = interfaces.link(name)?;
    Ok(Status {
        up: link.map(|link| link.up),
        mtu: link.map(|link| link.mtu.into()),
        ..Status::default()
    })
}

#[cfg(test)]
mod testing;
