//! The kernel refuses system calls of a running daemon (strace(1) has them fail): it does not burn a core meanwhile, and
//! afterwards the tunnel works again within one REKEY_TIMEOUT, or the daemon has ended with a reason.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hushwire_lab::{Process, require_tools};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Pair, SOON, bytes_arrive_unchanged, eventually, one_at_a_time};

/// How long a system call fails.
const FAULT: Duration = Duration::from_millis(700);
/// More calls in a second than this are a loop around the error. Traffic makes some dozens, waiting some hundreds.
const CALLS_A_SECOND: f64 = 1500.0;

impl Pair {
    /// Has a system call of the left daemon fail, as `how` says, from now on.
    fn refuse(&self, call: &str, how: &str) -> Fault {
        Fault::new(self.tunnel.left.daemon.process().pid(), call, how)
    }

    /// Packets both ways, whether they arrive or not.
    fn traffic(&self) -> Process {
        let words = ["ping", "-n", "-q", "-i", "0.02", &self.tunnel.right.ipv4];
        self.left.spawn(self.left.command(&words)).unwrap()
    }

    /// One REKEY_TIMEOUT with its jitter is 5.333 s: of the pings of that time one is answered, and then all are.
    #[track_caller]
    fn works_within_a_rekey_timeout(&self, what: &str) {
        let address = &self.tunnel.right.ipv4;
        let words = ["ping", "-n", "-c", "27", "-i", "0.2", address];
        let mut pings = self.left.spawn(self.left.command(&words)).unwrap();
        let answered = |pings: &Process| pings.output().stdout.contains("bytes from");
        eventually("a ping to be answered", || {
            answered(&pings) || !pings.is_running()
        });
        assert!(answered(&pings), "{what}: {:?}", pings.output());
        pings.kill();
        let words = ["ping", "-n", "-c", "3", "-i", "0.01", "-W", "5", address];
        let output = self.left.output(&words);
        assert!(output.is_ok(), "{what}: {output:?}");
    }

    /// A fault under traffic, and what comes after it.
    #[track_caller]
    fn survives(&mut self, call: &str, error: &str) {
        let what = format!("{call} says {error}");
        let mut traffic = self.traffic();
        let fault = self.refuse(call, &format!("error={error}"));
        std::thread::sleep(FAULT);
        let calls = fault.calls();
        drop(fault);
        traffic.kill();
        assert!(calls.refused > 0, "{what}: it was never called");
        assert!(calls.a_second < CALLS_A_SECOND, "{what}: {calls:?}");
        self.works_within_a_rekey_timeout(&what);
        assert!(self.tunnel.left.daemon.is_running(), "{what}");
    }
}

/// A system call that fails until this is dropped.
struct Fault {
    /// Runs beside the laboratory, because it must know the daemon by the id that we know it by.
    strace: Child,
    said: Arc<Mutex<String>>,
    since: Instant,
}

#[derive(Debug)]
struct Calls {
    refused: usize,
    a_second: f64,
}

impl Fault {
    fn new(pid: u32, call: &str, how: &str) -> Self {
        require_tools(&["strace"]).unwrap();
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
        let mut strace = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-e", &trace, "-e", &inject])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (BufReader::new(strace.stderr.take().unwrap()), said.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                heard.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let fault = Self {
            strace,
            said,
            since: Instant::now(),
        };
        eventually("strace to attach", || {
            fault.said.lock().unwrap().contains("attached")
        });
        fault
    }

    fn calls(&self) -> Calls {
        let refused = self.said.lock().unwrap().matches("(INJECTED)").count();
        Calls {
            refused,
            a_second: refused as f64 / self.since.elapsed().as_secs_f64(),
        }
    }
}

impl Drop for Fault {
    /// strace lets go of the daemon when it is told to end.
    fn drop(&mut self) {
        let pid = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.strace.wait();
    }
}

#[test]
fn the_network_takes_no_datagram() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    for error in [
        "EIO",
        "EINVAL",
        "ENOBUFS",
        "ENOMEM",
        "ENETDOWN",
        "EAGAIN",
        "EPERM",
        "ENETUNREACH",
    ] {
        rig.survives("sendmmsg", error);
    }
}

#[test]
fn the_network_hands_out_no_datagram() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    for error in ["EIO", "EINVAL", "ENOBUFS", "ENOMEM", "ENETDOWN"] {
        rig.survives("recvmmsg", error);
    }
}

#[test]
fn the_device_hands_out_no_packet() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    for error in ["EIO", "EINVAL", "ENOBUFS", "ENOMEM", "ENETDOWN"] {
        rig.survives("readv", error);
    }
}

#[test]
fn the_device_takes_no_packet() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    for error in ["EIO", "EINVAL", "ENOBUFS", "ENOMEM", "ENETDOWN", "EAGAIN"] {
        rig.survives("writev", error);
    }
}

/// The first handshake is refused: it is made as soon as that is over.
#[test]
fn a_handshake_that_cannot_be_sent_is_made_afterwards() {
    let rig = Pair::on_a_cable();
    let fault = rig.refuse("sendmmsg", "error=EPERM");
    let mut traffic = rig.traffic();
    eventually("an initiation to be refused", || fault.calls().refused > 0);
    drop(fault);
    rig.works_within_a_rekey_timeout("an initiation");
    traffic.kill();
}

/// Now and then a segmented send or a super-packet is refused in the middle of a transfer. What was refused goes another
/// way, and the stream has every byte.
#[test]
fn an_offload_that_is_refused_half_way_costs_nothing() {
    let _alone = one_at_a_time();
    for (call, how) in [
        ("sendmmsg", "error=EIO:when=20"),
        ("sendmmsg", "error=EINVAL:when=20"),
        ("sendmmsg", "error=EMSGSIZE:when=20+40"),
        ("writev", "error=EINVAL:when=20+40"),
        ("writev", "error=EIO:when=20+40"),
    ] {
        let rig = Pair::on_a_cable();
        rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
        let fault = rig.refuse(call, how);
        let (left, right) = (&rig.left, &rig.right);
        let address = rig.tunnel.right.ipv4.parse().unwrap();
        bytes_arrive_unchanged(left, right, address, 4 << 20);
        let address = rig.tunnel.left.ipv4.parse().unwrap();
        bytes_arrive_unchanged(right, left, address, 4 << 20);
        assert!(fault.calls().refused > 0, "{call}:{how} came to nothing");
        drop(fault);
        rig.works_within_a_rekey_timeout(call);
    }
}

/// What cannot pass ends the daemon, and it says why.
#[test]
fn a_socket_that_is_none_ends_the_daemon_with_a_reason() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    let mut traffic = rig.traffic();
    let _fault = rig.refuse("recvmmsg", "error=ENOTSOCK");
    let daemon = &mut rig.tunnel.left.daemon;
    eventually("the daemon to end", || !daemon.is_running());
    traffic.kill();
    // Whoever looks after it starts it anew.
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(1));
    let said = daemon.process().output();
    let said = said.stdout + &said.stderr;
    assert!(said.contains("receiving: "), "{said}");
}

/// The device is gone, says the kernel: so is the daemon.
#[test]
fn a_device_that_is_gone_ends_the_daemon() {
    let mut rig = Pair::on_a_cable();
    rig.left.ping(&rig.tunnel.right.ipv4).unwrap();
    let mut traffic = rig.traffic();
    let _fault = rig.refuse("readv", "error=EBADFD");
    let daemon = &mut rig.tunnel.left.daemon;
    eventually("the daemon to end", || !daemon.is_running());
    traffic.kill();
    // As when somebody deletes it: that is no failure.
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(0));
}

/// Descriptors have run out when a control client comes. It waits; afterwards it is served.
#[test]
fn a_control_client_that_cannot_be_let_in_waits() {
    let rig = Pair::on_a_cable();
    let fault = rig.refuse("accept4", "error=EMFILE");
    let interface = rig.tunnel.left.interface.as_str();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| rig.left.uapi(interface, "get=1\n\n").unwrap());
        eventually("the client to be refused", || fault.calls().refused > 0);
        std::thread::sleep(FAULT);
        let calls = fault.calls();
        assert!(calls.a_second < CALLS_A_SECOND, "{calls:?}");
        drop(fault);
        assert!(client.join().unwrap().contains("listen_port="));
    });
}
