//! User, capabilities, and no way to more of either (capabilities(7), `PR_SET_NO_NEW_PRIVS`).
//!
//! All of it is the calling thread's alone, and of the threads that come from it.

use std::fmt;
use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::report::LayerState;

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What it is called where states are shown.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its first group, which will be its only one.
    pub gid: u32,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Makes the calling thread another user's. It keeps its capabilities for now.
pub(super) fn become_user(user: &User) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_keep_capabilities(false)?;
    // Changing the user has made them ineffective.
    let held = capabilities(None)?.permitted;
    Ok(set_capabilities(None, of(held))?)
}

/// Gives up all capabilities but CAP_NET_ADMIN and, where ports below 1024 are asked for,
/// CAP_NET_BIND_SERVICE.
pub(super) fn keep_network_administration(low_ports: bool) -> LayerState {
    let kept = CapabilitySet::NET_ADMIN;
    let kept = if low_ports {
        kept | CapabilitySet::NET_BIND_SERVICE
    } else {
        kept
    };
    match reduce(kept) {
        Ok(()) => LayerState::On(names(kept)),
        Err(error) => LayerState::Missing(error.to_string()),
    }
}

/// Whatever is executed from now on gains nothing.
pub(super) fn no_new_privileges() -> LayerState {
    match set_no_new_privs(true).and_then(|()| no_new_privs()) {
        Ok(true) => LayerState::On(String::new()),
        Ok(false) => LayerState::Missing("it did not last".to_owned()),
        Err(error) => LayerState::Missing(error.to_string()),
    }
}

fn reduce(kept: CapabilitySet) -> io::Result<()> {
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for bit in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << bit);
            // One that the kernel does not know cannot be had either.
            if !kept.contains(one) && remove_capability_from_bounding_set(one).is_err() {
                break;
            }
        }
    }
    clear_ambient_capability_set()?;
    let left = of(held.permitted.intersection(kept));
    set_capabilities(None, left)?;
    match capabilities(None)? == left {
        true => Ok(()),
        false => Err(io::Error::other("more than that is left")),
    }
}

/// Exactly these, and none to inherit.
fn of(set: CapabilitySet) -> CapabilitySets {
    CapabilitySets {
        effective: set,
        permitted: set,
        inheritable: CapabilitySet::empty(),
    }
}

fn names(set: CapabilitySet) -> String {
    let names: Vec<_> = set
        .iter_names()
        .map(|(name, _)| format!("CAP_{name}"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_go_and_do_not_come_back() {
        std::thread::spawn(|| {
            let before = capabilities(None).unwrap().permitted;
            let state = keep_network_administration(false);
            assert_eq!(state, LayerState::On("CAP_NET_ADMIN".to_owned()));
            let after = capabilities(None).unwrap();
            assert_eq!(after.permitted, before & CapabilitySet::NET_ADMIN);
            assert_eq!(after.effective, after.permitted);
            let more = of(after.permitted | CapabilitySet::SYS_ADMIN);
            assert!(set_capabilities(None, more).is_err());
            assert_eq!(no_new_privileges(), LayerState::On(String::new()));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn they_are_named_as_in_the_manual() {
        let both = CapabilitySet::NET_ADMIN | CapabilitySet::NET_BIND_SERVICE;
        assert_eq!(names(both), "CAP_NET_BIND_SERVICE, CAP_NET_ADMIN");
    }
}
