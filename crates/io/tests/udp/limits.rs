//! Sizes at and past the limits, and offloads that the kernel refuses.

use std::num::NonZeroU16;
use std::os::fd::AsRawFd;

use hushwire_io::udp::{
    DatagramSocket, Errno, Family, OffReason, OffloadState, Receiver, UdpOptions, max_segments,
};

use crate::support::{BOTH, End, Outcome, bytes, chunks, datagrams, run, single};

#[test]
fn datagrams_of_every_kind_of_length_arrive_whole() {
    let (mut a, mut b) = (End::new(), End::new());
    let all = bytes(65_527);
    for (family, most) in [(Family::V4, 65_507), (Family::V6, 65_527)] {
        for len in [0, 1, 31, 32, 1472, 1473, 4096, 4097, 32_768, most - 1, most] {
            let outcome = a.send(&[single(b.address(family), &all[..len])]);
            assert_eq!(outcome, Outcome::sent(1));
            let message = b.receive(family, 1).remove(0);
            assert_eq!(message.contents, all[..len]);
            assert_eq!(message.stride, len.max(1));
        }
    }
}

#[test]
fn a_datagram_too_large_for_udp_is_dropped_and_counted() {
    let (mut a, mut b) = (End::new(), End::new());
    let all = bytes(70_000);
    for (family, len) in [
        (Family::V4, 65_508),
        (Family::V6, 65_528),
        (Family::V6, 70_000),
    ] {
        let to = b.address(family);
        let outcome = a.send(&[single(to, &all[..len]), single(to, b"small")]);
        assert_eq!((outcome.sent, outcome.dropped), (1, 1));
        assert_eq!(outcome.troubles[0].error, Some(Errno::MSGSIZE));
        assert_eq!(outcome.troubles[0].dropped_bytes, len);
        assert_eq!(datagrams(&b.receive(family, 1)), [b"small"]);
    }
    let status = a.sockets.status();
    assert_eq!(status.v4.expect("IPv4").counters.send_too_large, 1);
    assert_eq!(status.v6.expect("IPv6").counters.send_too_large, 2);
}

/// The helper's limit is one that the kernel takes in one message and does not cut up on the
/// way, for every size.
#[test]
fn the_most_segments_are_taken_in_one_message() {
    for family in BOTH {
        let (mut a, mut b) = (End::new(), End::new());
        for size in [
            1, 2, 100, 1023, 1024, 1452, 8952, 9352, 9353, 9355, 9356, 21_000, 32_734,
        ] {
            let segment = NonZeroU16::new(size).expect("a size");
            let count = max_segments(family, segment);
            let contents = bytes(count * usize::from(size));
            let outcome = a.send(&[run(b.address(family), &contents, size)]);
            assert_eq!(outcome, Outcome::sent(count), "segments of {size}");
            let messages = b.receive(family, count);
            assert_eq!(messages.len(), 1, "segments of {size}");
            assert_eq!(messages[0].contents, contents);
        }
        let status = a.sockets.status();
        for status in [status.v4, status.v6].into_iter().flatten() {
            assert_eq!(status.counters.gso_fallbacks, 0);
            assert!(status.gso.is_on());
        }
    }
}

#[test]
fn a_run_longer_than_a_message_arrives_in_order() {
    for family in BOTH {
        let (mut a, mut b) = (End::new(), End::new());
        let contents = bytes(300_000);
        let outcome = a.send(&[run(b.address(family), &contents, 1400)]);
        assert_eq!(outcome, Outcome::sent(215));
        assert_eq!(datagrams(&b.receive(family, 215)), chunks(&contents, 1400));
    }
}

#[test]
fn a_tail_shorter_than_a_segment_is_no_trouble() {
    let (mut a, mut b) = (End::new(), End::new());
    for family in BOTH {
        for tail in [1, 2, 15, 16, 999, 1000] {
            let contents = bytes(3000 + tail);
            let outcome = a.send(&[run(b.address(family), &contents, 1000)]);
            assert_eq!(outcome, Outcome::sent(4));
            assert_eq!(datagrams(&b.receive(family, 4)), chunks(&contents, 1000));
        }
    }
}

#[test]
fn what_does_not_fit_the_buffer_is_dropped_and_counted() {
    for family in BOTH {
        let (mut a, mut b) = (End::new(), End::new());
        b.receiver = Receiver::with_buffers(4, 1000);
        let large = bytes(1001);
        let long_run = bytes(1001);
        let to = b.address(family);
        a.send(&[
            single(to, &large),
            single(to, &large[..1000]),
            run(to, &long_run, 100),
            single(to, b"x"),
        ]);
        let expected = [large[..1000].to_vec(), b"x".to_vec()];
        assert_eq!(datagrams(&b.receive(family, 2)), expected);
        let status = b.sockets.status();
        let status = match family {
            Family::V4 => status.v4,
            Family::V6 => status.v6,
        };
        assert_eq!(status.expect("a socket").counters.receive_truncated, 2);
    }
}

#[test]
fn a_kernel_that_refuses_segmentation_is_served_single_datagrams() {
    let (mut a, mut b) = (End::new(), End::new());
    refuse_segmentation(&a);
    let contents = bytes(100_000);
    for round in 0..2 {
        let outcome = a.send(&[
            run(b.address(Family::V4), &contents, 1400),
            run(b.address(Family::V4), b"abcde", 2),
        ]);
        assert_eq!(outcome, Outcome::sent(72 + 3));
        let expected = [chunks(&contents, 1400), chunks(b"abcde", 2)].concat();
        assert_eq!(datagrams(&b.receive(Family::V4, 75)), expected);
        let status = a.sockets.status();
        let (v4, v6) = (status.v4.expect("IPv4"), status.v6.expect("IPv6"));
        let refused = OffloadState::Off(OffReason::Refused(Errno::INVAL));
        assert_eq!(v4.gso, refused, "round {round}");
        assert_eq!(v4.counters.gso_fallbacks, 1);
        assert!(v6.gso.is_on());
    }
    let size = NonZeroU16::new(1400).expect("a size");
    assert_eq!(a.sockets.max_segments(Family::V4, size), 1);
    assert_eq!(a.sockets.max_segments(Family::V6, size), 46);
}

/// Switches UDP checksums off behind the socket's back: Linux then takes no segmented sends.
fn refuse_segmentation(end: &End) {
    let fd = end.sockets.fd(Family::V4).expect("IPv4").as_raw_fd();
    let on = 1i32;
    // SAFETY: the value is a live `int` of the length given.
    let result = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const on).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

#[test]
fn what_the_kernel_drops_for_want_of_room_is_counted() {
    let small = UdpOptions {
        buffer_bytes: 4096,
        ..UdpOptions::default()
    };
    let (mut a, b) = (End::new(), End::with(&small));
    let contents = bytes(1000);
    for family in BOTH {
        let outcome = a.send(&[single(b.address(family), &contents); 64]);
        assert_eq!(outcome, Outcome::sent(64));
    }
    let status = b.sockets.status();
    for status in [status.v4, status.v6] {
        let dropped = status.expect("a socket").counters.receive_full;
        assert!((1..64).contains(&dropped), "{dropped} of 64");
    }
}
