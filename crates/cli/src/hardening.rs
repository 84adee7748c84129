//! Keeping the keys of a process from everybody who may not have them.

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Keeps the memory of a device's process out of swap too, where that is allowed.
pub(crate) fn keep_device_private() {
    keep_memory_private();
    hushwire_io::memory::keep_out_of_swap();
}

/// Makes sure that no core dump of this process is written and that no process without
/// CAP_SYS_PTRACE reads its memory.
pub(crate) fn keep_memory_private() {
    // Neither is refused on a kernel that works, and a tunnel is of use without them.
    let none = Rlimit {
        current: Some(0),
        ..rustix::process::getrlimit(Resource::Core)
    };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
