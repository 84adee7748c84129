//! Hosts that lack an address family.

use std::net::SocketAddr;
use std::{fs, mem, panic, thread};

use hushwire_io::udp::{Action, DatagramSocket, Errno, Family, Sockets, UdpOptions};

use crate::support::{End, Outcome, datagrams, in_namespace, single};

#[test]
fn a_host_without_ipv6_works_with_ipv4() {
    without(&[libc::AF_INET6], || only(Family::V4, Family::V6));
}

#[test]
fn a_host_without_ipv4_works_with_ipv6() {
    without(&[libc::AF_INET], || only(Family::V6, Family::V4));
}

#[test]
fn a_host_without_either_is_told_so() {
    without(&[libc::AF_INET, libc::AF_INET6], || {
        let error = Sockets::bind(&UdpOptions::default()).expect_err("sockets without a family");
        assert_eq!(error.action(), Action::Open);
        assert_eq!(error.errno(), Errno::AFNOSUPPORT);
    });
}

#[test]
fn a_host_with_ipv6_disabled_works_with_ipv4() {
    in_namespace(|| {
        fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("/proc");
        let (mut a, mut b) = (End::new(), End::new());
        let to = b.address(Family::V4);
        let outcome = a.send(&[single(b.address(Family::V6), b"lost"), single(to, b"x")]);
        assert_eq!((outcome.sent, outcome.dropped), (1, 1));
        assert_eq!(datagrams(&b.receive(Family::V4, 1)), [b"x"]);
    });
}

fn only(present: Family, absent: Family) {
    let (mut a, mut b) = (End::new(), End::new());
    assert!(a.sockets.fd(present).is_some());
    assert!(a.sockets.fd(absent).is_none());
    let elsewhere: SocketAddr = a.address(absent);
    let outcome = a.send(&[single(elsewhere, b"lost"), single(b.address(present), b"x")]);
    assert_eq!((outcome.sent, outcome.dropped), (1, 1));
    assert_eq!(outcome.troubles[0].error, Some(Errno::AFNOSUPPORT));
    assert_eq!(datagrams(&b.receive(present, 1)), [b"x"]);
    assert!(b.receive_now(absent).is_err());
    let outcome = b.send(&[single(a.address(present), b"y")]);
    assert_eq!(outcome, Outcome::sent(1));
    assert_eq!(datagrams(&a.receive(present, 1)), [b"y"]);
}

/// Runs a test in a thread for which the kernel has no sockets of `families`: a system call
/// filter answers as a kernel built without them does.
fn without(families: &'static [i32], test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        forbid(families);
        test();
    });
    if let Err(panic) = thread.join() {
        panic::resume_unwind(panic);
    }
}

fn forbid(families: &[i32]) {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT.cast_unsigned();
    let number = mem::offset_of!(libc::seccomp_data, nr) as u32;
    // The low half of the first argument.
    let domain = mem::offset_of!(libc::seccomp_data, args) as u32
        + if cfg!(target_endian = "big") { 4 } else { 0 };
    let instruction = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut program = vec![
        instruction(load, number, 0, 0),
        instruction(jump_if_equal, libc::SYS_socket as u32, 1, 0),
        instruction(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
        instruction(load, domain, 0, 0),
    ];
    for family in families {
        program.push(instruction(jump_if_equal, family.cast_unsigned(), 0, 1));
        program.push(instruction(answer, refuse, 0, 0));
    }
    program.push(instruction(answer, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter points to a live program of the stated length; both calls concern the
    // calling thread only.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const filter,
            )
    };
    assert_eq!(result, 0, "the kernel takes no system call filter");
}
