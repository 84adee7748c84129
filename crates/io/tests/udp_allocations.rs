//! Sending and receiving allocate nothing, once running.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use hushwire_io::udp::{
    DatagramReceiver, DatagramSocket, Family, Local, Receiver, SendScratch, Sockets, Transmit,
    UdpOptions,
};

/// The system's allocator, counting what the calling thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_once_running() {
    let options = UdpOptions::default();
    let a = Sockets::bind(&options).expect("sockets");
    let b = Sockets::bind(&options).expect("sockets");
    let mut scratch = SendScratch::default();
    let mut receiver = Receiver::new(8);
    let contents = vec![7; 30_000];
    let mut round = || {
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let good = Transmit {
                to: SocketAddr::new(ip, b.port()),
                from: Some(Local { ip, ifindex: 1 }),
                tos: 0x88,
                contents: &contents,
                segment_size: NonZeroU16::new(1452),
            };
            let elsewhere: IpAddr = match ip {
                IpAddr::V4(_) => Ipv4Addr::new(203, 0, 113, 9).into(),
                IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).into(),
            };
            let stale = Transmit {
                from: Some(Local {
                    ip: elsewhere,
                    ifindex: 1,
                }),
                ..good
            };
            let report = a.send(&[good, stale, good], &mut scratch);
            assert_eq!((report.sent, report.troubles.len()), (63, 1));
            let family = Family::of(good.to);
            let mut datagrams = 0;
            // Loopback delivers within the call that sends.
            while let Ok(count) = b.receive(family, &mut receiver) {
                for index in 0..count {
                    let message = receiver.message(index).expect("a message");
                    datagrams += message.contents.len().div_ceil(message.stride);
                }
            }
            assert_eq!(datagrams, 63);
        }
    };
    round();
    let before = ALLOCATIONS.get();
    for _ in 0..50 {
        round();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
