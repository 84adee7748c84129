//! Sockets that talk to each other, and namespaces to do it in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{panic, thread};

use hushwire_io::udp::{
    DatagramReceiver, DatagramSocket, Ecn, Family, Local, Receiver, SendScratch, Sockets, Transmit,
    Trouble, UdpOptions,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{UnshareFlags, unshare_unsafe};

pub(crate) const BOTH: [Family; 2] = [Family::V4, Family::V6];

/// One end of a conversation.
pub(crate) struct End {
    pub(crate) sockets: Sockets,
    pub(crate) receiver: Receiver,
    scratch: SendScratch,
}

/// A received message, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) from: SocketAddr,
    pub(crate) local: Option<Local>,
    pub(crate) ecn: Ecn,
    pub(crate) stride: usize,
    pub(crate) contents: Vec<u8>,
}

impl Message {
    pub(crate) fn datagrams(&self) -> Vec<Vec<u8>> {
        if self.contents.is_empty() {
            return vec![Vec::new()];
        }
        chunks(&self.contents, self.stride)
    }
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) sent: usize,
    pub(crate) dropped: usize,
    pub(crate) troubles: Vec<Trouble>,
}

impl Outcome {
    pub(crate) fn sent(sent: usize) -> Self {
        Self {
            sent,
            dropped: 0,
            troubles: Vec::new(),
        }
    }
}

impl End {
    pub(crate) fn new() -> Self {
        Self::with(&UdpOptions::default())
    }

    pub(crate) fn with(options: &UdpOptions) -> Self {
        Self {
            sockets: Sockets::bind(options).expect("sockets on a free port"),
            receiver: Receiver::new(8),
            scratch: SendScratch::default(),
        }
    }

    /// The loopback address of this end.
    pub(crate) fn address(&self, family: Family) -> SocketAddr {
        (loopback(family), self.sockets.port()).into()
    }

    pub(crate) fn send(&mut self, batch: &[Transmit<'_>]) -> Outcome {
        let report = self.sockets.send(batch, &mut self.scratch);
        Outcome {
            sent: report.sent,
            dropped: report.dropped,
            troubles: report.troubles.to_vec(),
        }
    }

    /// What is there now.
    pub(crate) fn receive_now(&mut self, family: Family) -> std::io::Result<Vec<Message>> {
        let count = self.sockets.receive(family, &mut self.receiver)?;
        let messages: Vec<_> = (0..count)
            .filter_map(|index| {
                let m = self.receiver.message(index)?;
                Some(Message {
                    from: m.from,
                    local: m.local,
                    ecn: m.ecn,
                    stride: m.stride,
                    contents: m.contents.to_vec(),
                })
            })
            .collect();
        assert_eq!(messages.len(), count);
        assert!(self.receiver.message(count).is_none());
        Ok(messages)
    }

    /// Messages until there are `count` datagrams.
    pub(crate) fn receive(&mut self, family: Family, count: usize) -> Vec<Message> {
        let mut messages: Vec<Message> = Vec::new();
        let mut datagrams = 0;
        while datagrams < count {
            self.wait_readable(family);
            let more = self.receive_now(family).expect("a message");
            datagrams += more.iter().map(|m| m.datagrams().len()).sum::<usize>();
            messages.extend(more);
        }
        assert_eq!(datagrams, count, "more datagrams than were sent");
        messages
    }

    fn wait_readable(&self, family: Family) {
        let fd = self.sockets.fd(family).expect("a socket of the family");
        let timeout = Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout));
        assert_eq!(ready, Ok(1), "nothing arrives");
    }

    pub(crate) fn assert_nothing_waits(&mut self, family: Family) {
        let error = self.receive_now(family).expect_err("no message");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

pub(crate) fn loopback(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    }
}

pub(crate) fn single(to: SocketAddr, contents: &[u8]) -> Transmit<'_> {
    Transmit {
        to,
        from: None,
        tos: 0,
        contents,
        segment_size: None,
    }
}

pub(crate) fn run(to: SocketAddr, contents: &[u8], size: u16) -> Transmit<'_> {
    Transmit {
        segment_size: NonZeroU16::new(size),
        ..single(to, contents)
    }
}

pub(crate) fn local(ip: &str, ifindex: u32) -> Local {
    let ip = ip.parse().expect("an address");
    Local { ip, ifindex }
}

/// Bytes of which no two neighbouring stretches are alike.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

pub(crate) fn chunks(contents: &[u8], size: usize) -> Vec<Vec<u8>> {
    contents.chunks(size).map(<[u8]>::to_vec).collect()
}

pub(crate) fn datagrams(messages: &[Message]) -> Vec<Vec<u8>> {
    messages.iter().flat_map(Message::datagrams).collect()
}

/// Runs a test in a network namespace of its own, which ends with it. Loopback is up.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        // SAFETY: a new network namespace leaves memory and descriptors of the process as
        // they are.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
            .expect("a private network namespace, which takes root: run the tests with sudo");
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        panic::resume_unwind(panic);
    }
}

/// Runs the `ip` command in the namespace of the calling thread; returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("the `ip` command: install iproute2");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Adds an IPv6 address, and waits until the kernel delivers to it: it installs the route for
/// that in the background.
pub(crate) fn add_ipv6(address: &str, interface: &str) {
    ip(&format!("addr add {address} dev {interface} nodad"));
    let (address, _) = address.split_once('/').expect("an address with a prefix");
    eventually("a local route", || {
        !ip(&format!(
            "-6 route show table local dev {interface} {address}"
        ))
        .is_empty()
    });
}

/// Waits for what happens soon, at a time of the system's choosing.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within ten seconds");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The index of an interface of the calling thread's namespace.
pub(crate) fn ifindex(name: &str) -> u32 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    rustix::net::netdevice::name_to_index(&socket, name).expect("an interface")
}
