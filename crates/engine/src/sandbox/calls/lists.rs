//! The system calls of each class of threads, found by reading, by strace(1), and by running all
//! scenarios of the laboratory under [`Mode::Strict`](crate::sandbox::Mode::Strict).

use std::ffi::c_long;

use super::rule::{Rule, call};
use crate::sandbox::ThreadClass;

/// What a thread of this class does.
pub(super) fn of(class: ThreadClass) -> Vec<Rule> {
    // Which have their answer from a filter below.
    let mut list = done_without();
    list.extend(match class {
        ThreadClass::Egress => [runtime(), send_packets()].concat(),
        ThreadClass::Ingress => [runtime(), send_packets(), receive_packets()].concat(),
        ThreadClass::Helper => compute(),
        ThreadClass::Control => [runtime(), send_packets(), bind(), look_at_links()].concat(),
        ThreadClass::Client => [runtime(), converse(), bind()].concat(),
        ThreadClass::Uapi => [runtime(), converse(), bind(), accept_clients()].concat(),
        ThreadClass::Process => [
            runtime(),
            converse(),
            bind(),
            accept_clients(),
            send_packets(),
            receive_packets(),
            look_at_links(),
        ]
        .concat(),
    });
    list
}

fn calls(numbers: &[c_long]) -> Vec<Rule> {
    numbers.iter().copied().map(call).collect()
}

/// What any thread of any program does.
fn runtime() -> Vec<Rule> {
    let mut list = compute();
    list.extend(calls(&[
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_ppoll,
        // Wake-ups.
        libc::SYS_read,
    ]));
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[libc::SYS_poll]));
    list.extend([
        // A class's own filter, over those that were inherited.
        call(libc::SYS_prctl).with(0, libc::PR_SET_NO_NEW_PRIVS),
        call(libc::SYS_seccomp)
            .with(0, libc::SECCOMP_SET_MODE_FILTER.cast_signed())
            .with(1, 0),
    ]);
    list
}

/// Memory, locks, clocks, randomness, last words, and the end: what a thread does that only
/// computes.
fn compute() -> Vec<Rule> {
    let mut list = calls(&[
        libc::SYS_brk,
        libc::SYS_clock_getres,
        libc::SYS_clock_gettime,
        // The last one to hold something closes it.
        libc::SYS_close,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getcpu,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_gettimeofday,
        libc::SYS_madvise,
        libc::SYS_membarrier,
        // Memory that is locked is given back unlocked.
        libc::SYS_mlockall,
        libc::SYS_mremap,
        libc::SYS_munlockall,
        libc::SYS_munmap,
        // Wake-ups, and log lines on standard output.
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_restart_syscall,
        libc::SYS_rseq,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        // A signal's handler passes it on, in whatever thread the signal finds.
        libc::SYS_sendto,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_set_robust_list,
        libc::SYS_sigaltstack,
    ]);
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[libc::SYS_time]));
    list.extend([
        // What the standard library checks before it closes a descriptor, when debugging.
        call(libc::SYS_fcntl).with(1, libc::F_GETFD),
        // Memory that can be executed would be an intruder's.
        call(libc::SYS_mmap).without_flags(2, libc::PROT_EXEC),
        call(libc::SYS_mprotect).without_flags(2, libc::PROT_EXEC),
        // abort(3) signals itself.
        call(libc::SYS_tgkill).with(0, own_process()),
    ]);
    list
}

fn own_process() -> i32 {
    std::process::id().cast_signed()
}

fn wait_for_many() -> Vec<Rule> {
    let mut list = calls(&[
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_pwait2,
    ]);
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[libc::SYS_epoll_wait]));
    list
}

/// From the TUN device to the sockets.
fn send_packets() -> Vec<Rule> {
    let mut list = wait_for_many();
    list.extend(calls(&[libc::SYS_readv, libc::SYS_sendmmsg]));
    // How much a path takes is asked with a socket that is connected to it.
    list.extend(calls(&[libc::SYS_connect, libc::SYS_getsockopt]));
    list.extend(internet_socket());
    list.extend([socket_option(libc::SOL_SOCKET, libc::SO_MARK)]);
    list
}

/// From the sockets to the TUN device.
fn receive_packets() -> Vec<Rule> {
    calls(&[libc::SYS_recvmmsg])
}

/// Another port, or the same one when the device comes up again.
fn bind() -> Vec<Rule> {
    let mut list = internet_socket();
    list.extend(calls(&[
        libc::SYS_bind,
        libc::SYS_getsockname,
        libc::SYS_getsockopt,
    ]));
    list.extend(
        [
            (libc::SOL_SOCKET, libc::SO_MARK),
            (libc::SOL_SOCKET, libc::SO_RCVBUF),
            (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE),
            (libc::SOL_SOCKET, libc::SO_REUSEPORT),
            (libc::SOL_SOCKET, libc::SO_SNDBUF),
            (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE),
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
            (libc::IPPROTO_IP, libc::IP_PKTINFO),
            (libc::IPPROTO_IP, libc::IP_RECVTOS),
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
            (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
            (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
            (libc::SOL_UDP, libc::UDP_GRO),
        ]
        .map(|(level, option)| socket_option(level, option)),
    );
    list
}

/// UDP, and nothing else that speaks IP.
fn internet_socket() -> Vec<Rule> {
    [libc::AF_INET, libc::AF_INET6]
        .map(|family| socket(family, libc::SOCK_DGRAM))
        .to_vec()
}

fn socket(family: i32, kind: i32) -> Rule {
    // Above the kind are flags.
    let kind = kind.cast_unsigned();
    call(libc::SYS_socket).with(0, family).masked(1, 0xf, kind)
}

/// With CAP_NET_ADMIN some options lead far into the kernel, such as the firewall's tables.
fn socket_option(level: i32, option: i32) -> Rule {
    call(libc::SYS_setsockopt).with(1, level).with(2, option)
}

/// What happens to the device, wherever it is, and to the routes.
fn look_at_links() -> Vec<Rule> {
    let mut list = wait_for_many();
    list.extend(calls(&[
        libc::SYS_bind,
        libc::SYS_fstat,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_sendto,
        libc::SYS_timerfd_settime,
    ]));
    list.extend([
        // Only the protocol of links and routes: others are the firewall's, the audit's, …
        socket(libc::AF_NETLINK, libc::SOCK_RAW).with(2, libc::NETLINK_ROUTE),
        socket_option(libc::SOL_NETLINK, libc::NETLINK_LISTEN_ALL_NSID),
        socket_option(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP),
        socket_option(libc::SOL_NETLINK, libc::NETLINK_DROP_MEMBERSHIP),
    ]);
    let questions = [
        libc::TUNGETIFF as u32,
        libc::TUNGETDEVNETNS as u32,
        libc::SIOCGSKNS as u32,
    ];
    list.extend(questions.map(|question| ioctl(question.cast_signed())));
    list
}

fn ioctl(request: i32) -> Rule {
    call(libc::SYS_ioctl).with(1, request)
}

/// With a control client.
fn converse() -> Vec<Rule> {
    let mut list = calls(&[libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_shutdown]);
    // How much memory the process takes, in a file that was opened at the start.
    list.extend(calls(&[libc::SYS_pread64]));
    list.extend([ioctl(libc::FIONBIO as i32)]);
    list
}

/// And a thread for each; and the end of the control socket.
fn accept_clients() -> Vec<Rule> {
    let mut list = calls(&[
        libc::SYS_accept4,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_unlinkat,
    ]);
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[libc::SYS_lstat, libc::SYS_unlink]));
    list.extend([
        call(libc::SYS_clone).with_flags(0, libc::CLONE_THREAD | libc::CLONE_VM),
        call(libc::SYS_prctl).with(0, libc::PR_SET_NAME),
    ]);
    list
}

/// Calls that C libraries make and do without. New ones of the years since 2019, which have an
/// older form: of clone3 a filter cannot see the flags, which are in memory; of clone it can. And
/// opening a file: the allocator of glibc would like to know what /proc says of overcommitment.
pub(super) fn done_without() -> Vec<Rule> {
    let mut list = calls(&[
        libc::SYS_clone3,
        libc::SYS_close_range,
        libc::SYS_faccessat2,
        libc::SYS_openat,
        libc::SYS_openat2,
    ]);
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[libc::SYS_open]));
    list
}

/// Programs, other processes' memory, mounts, namespaces, modules, users: nobody in this process
/// has a use for them, and whoever asks is in it against our will.
pub(super) fn hostile() -> Vec<Rule> {
    let mut list = calls(&[
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_capset,
        libc::SYS_chroot,
        libc::SYS_delete_module,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_finit_module,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_init_module,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_kexec_load,
        libc::SYS_kill,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_move_mount,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_perf_event_open,
        libc::SYS_personality,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pivot_root,
        libc::SYS_process_madvise,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_ptrace,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_setfsgid,
        libc::SYS_setfsuid,
        libc::SYS_setgid,
        libc::SYS_setgroups,
        libc::SYS_setns,
        libc::SYS_setregid,
        libc::SYS_setresgid,
        libc::SYS_setresuid,
        libc::SYS_setreuid,
        libc::SYS_setuid,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_tkill,
        libc::SYS_umount2,
        libc::SYS_unshare,
        libc::SYS_userfaultfd,
    ]);
    #[cfg(target_arch = "x86_64")]
    list.extend(calls(&[
        libc::SYS_fork,
        libc::SYS_ioperm,
        libc::SYS_iopl,
        libc::SYS_kexec_file_load,
        libc::SYS_modify_ldt,
        libc::SYS_vfork,
    ]));
    list.extend([
        // A process, not a thread.
        call(libc::SYS_clone).without_flags(0, libc::CLONE_THREAD),
        call(libc::SYS_mmap).with_flags(2, libc::PROT_EXEC),
        call(libc::SYS_mprotect).with_flags(2, libc::PROT_EXEC),
        call(libc::SYS_pkey_mprotect).with_flags(2, libc::PROT_EXEC),
    ]);
    list
}
