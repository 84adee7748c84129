//! Where the kernel's limits cut a run of datagrams into messages.

#![forbid(unsafe_code)]

use std::num::NonZeroU16;

use super::Family;

/// The most segments that every kernel with `UDP_SEGMENT` takes in one message
/// (`UDP_MAX_SEGMENTS`; later kernels take 128).
pub const MAX_SEGMENTS: usize = 64;

/// The largest payload of a segmented message.
///
/// UDP would allow 65,507 bytes over IPv4 and 65,527 over IPv6. But a device takes no packet
/// unsegmented that is 64 KiB or larger with its link header (`gso_max_size`), and cutting such
/// a one up in software on the way to it costs far more than a second message. Room is left for
/// the IP and UDP headers, an Ethernet header and a VLAN tag.
const fn max_payload(family: Family) -> usize {
    let ip = match family {
        Family::V4 => 20,
        Family::V6 => 40,
    };
    65_535 - (14 + 4) - ip - 8
}

/// How many segments of `segment_size` bytes fit into one segmented message: 1 to
/// [`MAX_SEGMENTS`].
pub fn max_segments(family: Family, segment_size: NonZeroU16) -> usize {
    (max_payload(family) / usize::from(segment_size.get())).clamp(1, MAX_SEGMENTS)
}

/// The head of a run that goes into one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes to take.
    pub(super) len: usize,
    /// The size to pass as `UDP_SEGMENT`: set for two datagrams or more, so always less than
    /// `len`.
    pub(super) segment: Option<NonZeroU16>,
}

/// Cuts the first message off `remaining` bytes of a run.
pub(super) fn cut(
    remaining: usize,
    segment_size: Option<NonZeroU16>,
    family: Family,
    gso: bool,
) -> Cut {
    let Some(size) = segment_size else {
        return Cut {
            len: remaining,
            segment: None,
        };
    };
    let segments = if gso { max_segments(family, size) } else { 1 };
    let len = remaining.min(segments * usize::from(size.get()));
    let segment = (len > usize::from(size.get())).then_some(size);
    Cut { len, segment }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(n: u16) -> NonZeroU16 {
        NonZeroU16::new(n).expect("a size in a test is not 0")
    }

    fn gso(remaining: usize, segment: u16) -> (usize, Option<u16>) {
        let cut = cut(remaining, Some(size(segment)), Family::V4, true);
        (cut.len, cut.segment.map(NonZeroU16::get))
    }

    #[test]
    fn a_segment_size_is_set_for_two_datagrams_or_more_only() {
        assert_eq!(gso(0, 100), (0, None));
        assert_eq!(gso(99, 100), (99, None));
        assert_eq!(gso(100, 100), (100, None));
        assert_eq!(gso(101, 100), (101, Some(100)));
    }

    #[test]
    fn sixty_four_segments_are_the_most() {
        assert_eq!(gso(64 * 10, 10), (640, Some(10)));
        assert_eq!(gso(64 * 10 + 1, 10), (640, Some(10)));
    }

    #[test]
    fn the_payload_limit_is_that_of_the_family() {
        // 65489 = 7 * 9355 + 4, 65469 = 7 * 9352 + 5.
        assert_eq!(max_segments(Family::V4, size(9355)), 7);
        assert_eq!(max_segments(Family::V4, size(9356)), 6);
        assert_eq!(max_segments(Family::V6, size(9352)), 7);
        assert_eq!(max_segments(Family::V6, size(9353)), 6);
    }

    #[test]
    fn a_segment_too_large_to_double_goes_alone() {
        assert_eq!(gso(100_000, 40_000), (40_000, None));
        assert_eq!(max_segments(Family::V4, size(u16::MAX)), 1);
    }

    #[test]
    fn without_segmentation_the_datagrams_go_one_by_one() {
        let one = cut(1000, Some(size(300)), Family::V6, false);
        assert_eq!((one.len, one.segment), (300, None));
    }

    #[test]
    fn without_a_segment_size_all_is_one_datagram() {
        let one = cut(70_000, None, Family::V6, true);
        assert_eq!((one.len, one.segment), (70_000, None));
    }

    proptest! {
        #[test]
        fn cuts_fall_on_segment_boundaries_and_stay_within_the_limits(
            total in 1usize..300_000,
            segment in 1u16..,
            gso: bool,
            v6: bool,
        ) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let segment = usize::from(segment);
            let mut left = total;
            while left > 0 {
                let cut = cut(left, NonZeroU16::new(segment as u16), family, gso);
                prop_assert!(cut.len > 0 && cut.len <= left);
                prop_assert!(cut.len.is_multiple_of(segment) || cut.len == left);
                match cut.segment {
                    Some(size) => {
                        prop_assert!(gso);
                        prop_assert_eq!(usize::from(size.get()), segment);
                        prop_assert!(cut.len > segment);
                        prop_assert!(cut.len.div_ceil(segment) <= 64);
                        let most = if v6 { 65_469 } else { 65_489 };
                        prop_assert!(cut.len <= most);
                    }
                    None => prop_assert!(cut.len <= segment),
                }
                left -= cut.len;
            }
        }
    }
}
