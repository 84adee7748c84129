//! Namespaces, and what is done in them.

use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd},
    process::Command,
    thread,
};

use hushwire_io::tun::{Tun, TunOptions, TunQueue};
use rustix::{
    event::Timespec,
    thread::{UnshareFlags, unshare_unsafe},
};

/// Long enough for the slowest machine; nothing waits for it but a failing test.
pub(crate) const PATIENCE: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

/// Runs `test` in a thread with a network namespace of its own, which ends with it.
pub(crate) fn isolated<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let run = || {
        // SAFETY: descriptors stay shared; only the network namespace is left.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
            .expect("this test makes network namespaces: run it as root");
        test()
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Another network namespace, kept by a descriptor.
pub(crate) struct Namespace(File);

impl Namespace {
    pub(crate) fn new() -> Self {
        isolated(Self::current)
    }

    pub(crate) fn current() -> Self {
        Self(File::open("/proc/thread-self/ns/net").expect("/proc must be mounted"))
    }

    /// For iproute2, which takes a path for a namespace's name.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs `act` in a thread in this namespace.
    pub(crate) fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let kind = rustix::thread::LinkNameSpaceType::Network;
        let run = || {
            rustix::thread::move_into_link_name_space(self.0.as_fd(), Some(kind)).unwrap();
            act()
        };
        thread::scope(|scope| match scope.spawn(run).join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    pub(crate) fn ip(&self, arguments: &str) {
        self.enter(|| ip(arguments));
    }
}

/// Runs iproute2 in the calling thread's namespace.
pub(crate) fn ip(arguments: &str) {
    let _ = ip_output(arguments);
}

/// What iproute2 shows in the calling thread's namespace.
pub(crate) fn ip_output(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("this test needs iproute2: apt-get install iproute2");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn create(name: &str) -> Tun {
    Tun::create(name, &TunOptions::default()).unwrap()
}

pub(crate) fn queue(tun: &Tun) -> &dyn TunQueue {
    tun.queues().next().unwrap().as_ref()
}
