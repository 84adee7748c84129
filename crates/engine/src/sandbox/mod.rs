//! Least privilege: what the threads of a device may still do once everything is open.
//!
//! A thread gives up, in this order: its user, its capabilities but CAP_NET_ADMIN, the hope for
//! new ones (`no_new_privs`), the file system, and every system call that its work does not need.
//! What a thread gives up, the threads that it starts do not have either, and there is no way
//! back. The layers do not rely on each other.
//!
//! Threads share their memory: who can write to it can make another thread act. So it is the
//! filters of *all* threads together that bound what an intruder can do, and none of them has
//! calls for files, programs or foreign processes; the narrower ones only make the way longer.

mod files;
mod privileges;
mod report;

#[cfg(all(
    target_endian = "little",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
mod calls;
#[cfg(not(all(
    target_endian = "little",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
)))]
#[path = "no_calls.rs"]
mod calls;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use privileges::User;
pub use report::{Layer, LayerState, Report};

use crate::clock;
use calls::Filters;

/// How much is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Off,
    /// All that the system has a layer for. A system call that is not on the list fails with
    /// EPERM; one that only an intruder would make ends the process.
    #[default]
    On,
    /// As on, but a layer that is missing is an error, and any call that is not on the list ends
    /// the process.
    Strict,
}

/// Whose powers are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the whole process, in which there must be no other thread yet.
    Process,
    /// Those of the engine's threads: the others have work of their own to do.
    Threads,
}

/// What the threads of an engine give up.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// How much.
    pub mode: Mode,
    /// Whose.
    pub reach: Reach,
    /// Whether ports below 1024 may be listened on (CAP_NET_BIND_SERVICE).
    pub low_ports: bool,
    /// The user to become; only for [`Reach::Process`].
    pub user: Option<User>,
}

impl Sandbox {
    /// Everything stays as it is.
    pub const OFF: Self = Self {
        mode: Mode::Off,
        reach: Reach::Threads,
        low_ports: false,
        user: None,
    };
}

/// The threads of an engine, by what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadClass {
    /// The thread that starts the others, and waits for their end.
    Process,
    /// TUN to UDP.
    Egress,
    /// UDP to TUN.
    Ingress,
    /// Seals and opens for the two above.
    Helper,
    /// Handshakes, timers, changes of device and routes.
    Control,
    /// Accepts control clients.
    Uapi,
    /// Serves a control client.
    Client,
}

impl ThreadClass {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Process,
        Self::Egress,
        Self::Ingress,
        Self::Helper,
        Self::Control,
        Self::Uapi,
        Self::Client,
    ];
}

/// What libraries look up in the file system, or ask the kernel, when they are first used.
fn warm_up() {
    let _ = clock::now();
    // What it cannot do now, it cannot do later either, and will say so then.
    let _ = getrandom::fill(&mut [0; 1]);
}

/// A layer that was asked for is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxError {
    layer: Layer,
    reason: String,
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, reason } = self;
        write!(f, "sandbox: {}: {reason}; ", layer.name())?;
        f.write_str(match layer {
            Layer::User => "do without --user, or start as root",
            _ => "`--sandbox on` does without what is missing",
        })
    }
}

impl std::error::Error for SandboxError {}

/// Puts threads into their sandbox, and remembers how far that went. Clones share what they
/// remember.
#[derive(Clone)]
pub struct Warden(Arc<Inner>);

struct Inner {
    sandbox: Sandbox,
    filters: Result<Filters, String>,
    report: Mutex<Report>,
}

impl Warden {
    /// Prepares the layers. Nothing is given up yet.
    #[must_use]
    pub fn new(sandbox: Sandbox) -> Self {
        warm_up();
        let mut report = Report::default();
        let filters = if sandbox.mode == Mode::Off {
            for layer in Layer::ALL {
                report.note(layer, LayerState::Off("--sandbox off"));
            }
            Err(String::new())
        } else {
            Filters::new(sandbox.mode == Mode::Strict)
        };
        if sandbox.user.is_none() {
            report.note(Layer::User, LayerState::Off("no --user"));
        }
        Self(Arc::new(Inner {
            sandbox,
            filters,
            report: Mutex::new(report),
        }))
    }

    /// How far each layer went, up to now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.lock().clone()
    }

    /// For the calling thread, from which all others will come: gives up what the whole process
    /// gives up.
    ///
    /// # Errors
    ///
    /// [`SandboxError`]; with [`Mode::On`] only if the process cannot become the user it is to be.
    pub fn enter_process(&self) -> Result<(), SandboxError> {
        match (self.0.sandbox.mode, self.0.sandbox.reach) {
            (Mode::Off, _) => self.change_user(),
            (_, Reach::Process) => {
                self.change_user()?;
                self.give_up(ThreadClass::Process)
            }
            (_, Reach::Threads) => Ok(()),
        }
    }

    /// For a thread at its start: gives up what a thread of its class does not need.
    ///
    /// # Errors
    ///
    /// As [`Self::enter_process`].
    pub fn enter_thread(&self, class: ThreadClass) -> Result<(), SandboxError> {
        // A client's thread comes from one that has given up the rest.
        let inherits = self.0.sandbox.reach == Reach::Process || class == ThreadClass::Client;
        match self.0.sandbox.mode {
            Mode::Off => Ok(()),
            _ if inherits => self.limit_calls(class, true),
            _ => self.give_up(class),
        }
    }

    fn change_user(&self) -> Result<(), SandboxError> {
        let Some(user) = &self.0.sandbox.user else {
            return Ok(());
        };
        privileges::become_user(user).map_err(|error| SandboxError {
            layer: Layer::User,
            reason: format!("cannot become user {user}: {error}"),
        })?;
        self.lock()
            .note(Layer::User, LayerState::On(user.to_string()));
        Ok(())
    }

    fn give_up(&self, class: ThreadClass) -> Result<(), SandboxError> {
        let low_ports = self.0.sandbox.low_ports;
        self.note(
            Layer::Capabilities,
            privileges::keep_network_administration(low_ports),
        )?;
        self.note(Layer::NoNewPrivileges, privileges::no_new_privileges())?;
        self.note(Layer::Files, files::close(class))?;
        self.limit_calls(class, false)
    }

    fn limit_calls(&self, class: ThreadClass, inherits: bool) -> Result<(), SandboxError> {
        let limited = match &self.0.filters {
            Ok(filters) => filters.apply(class, inherits),
            Err(why) => LayerState::Missing(why.clone()),
        };
        self.note(Layer::Calls, limited)
    }

    fn note(&self, layer: Layer, state: LayerState) -> Result<(), SandboxError> {
        let missing = match &state {
            LayerState::Missing(reason) => Some(reason.clone()),
            LayerState::On(_) | LayerState::Partial(_) | LayerState::Off(_) => None,
        };
        self.lock().note(layer, state);
        match missing {
            Some(reason) if self.0.sandbox.mode == Mode::Strict => {
                Err(SandboxError { layer, reason })
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Report> {
        self.0.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
