//! The one question to rtnetlink(7) that is asked here: by which interface would this go?

#![forbid(unsafe_code)]

use std::net::IpAddr;

use rustix::io::Errno;

use super::cmsg::array;

/// A flow whose route is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteQuery {
    pub(super) to: IpAddr,
    pub(super) port: u16,
    /// Of the same family as `to`.
    pub(super) from: IpAddr,
    pub(super) mark: u32,
    /// The interface to which the lookup is restricted, 0 for none.
    pub(super) ifindex: u32,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To this host itself.
    Local,
    /// Out through the interface with this index.
    Through(u32),
    /// Out, through no interface in particular.
    Unspecified,
}

/// `RTA_IP_PROTO` and `RTA_DPORT` of linux/rtnetlink.h, for rules that tell them apart.
const RTA_IP_PROTO: u16 = 27;
const RTA_DPORT: u16 = 29;

/// Size of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Size of `struct rtmsg`.
const RTMSG: usize = 12;
/// Where `rtm_type` is in it.
const RTMSG_TYPE: usize = 7;

/// An RTM_GETROUTE request.
pub(super) fn encode(query: &RouteQuery) -> Vec<u8> {
    let (family, bits) = match query.to {
        IpAddr::V4(_) => (libc::AF_INET, 32),
        IpAddr::V6(_) => (libc::AF_INET6, 128),
    };
    let mut request = vec![0; HEADER + RTMSG];
    request[4..6].copy_from_slice(&libc::RTM_GETROUTE.to_ne_bytes());
    request[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request[HEADER] = family as u8;
    request[HEADER + 1] = bits;
    request[HEADER + 2] = bits;
    put_ip(&mut request, libc::RTA_DST, query.to);
    put_ip(&mut request, libc::RTA_SRC, query.from);
    if query.mark != 0 {
        put(&mut request, libc::RTA_MARK, &query.mark.to_ne_bytes());
    }
    if query.ifindex != 0 {
        put(&mut request, libc::RTA_OIF, &query.ifindex.to_ne_bytes());
    }
    put(&mut request, RTA_IP_PROTO, &[libc::IPPROTO_UDP as u8]);
    put(&mut request, RTA_DPORT, &query.port.to_be_bytes());
    let len = request.len() as u32;
    request[..4].copy_from_slice(&len.to_ne_bytes());
    request
}

/// The answer to an RTM_GETROUTE request.
///
/// # Errors
///
/// The kernel's own error for the lookup, or `EBADMSG` for an answer that makes no sense.
pub(super) fn decode(answer: &[u8]) -> Result<Route, Errno> {
    parse(answer).unwrap_or(Err(Errno::BADMSG))
}

fn parse(answer: &[u8]) -> Option<Result<Route, Errno>> {
    let len = u32::from_ne_bytes(array(answer, 0)?) as usize;
    let kind = u16::from_ne_bytes(array(answer, 4)?);
    let body = answer.get(HEADER..len)?;
    match i32::from(kind) {
        libc::NLMSG_ERROR => {
            let error = i32::from_ne_bytes(array(body, 0)?);
            let errno = error
                .checked_neg()
                .filter(|errno| (1..4096).contains(errno))?;
            Some(Err(Errno::from_raw_os_error(errno)))
        }
        _ if kind == libc::RTM_NEWROUTE => route(body).map(Ok),
        _ => None,
    }
}

fn route(body: &[u8]) -> Option<Route> {
    let attributes = body.get(RTMSG..)?;
    if body.get(RTMSG_TYPE) == Some(&libc::RTN_LOCAL) {
        return Some(Route::Local);
    }
    Some(output_interface(attributes).map_or(Route::Unspecified, Route::Through))
}

fn output_interface(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let len = usize::from(u16::from_ne_bytes(array(attributes, 0)?));
        let kind = u16::from_ne_bytes(array(attributes, 2)?);
        let value = attributes.get(4..len)?;
        if kind == libc::RTA_OIF {
            return array(value, 0).map(u32::from_ne_bytes);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

fn put_ip(request: &mut Vec<u8>, kind: u16, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => put(request, kind, &ip.octets()),
        IpAddr::V6(ip) => put(request, kind, &ip.octets()),
    }
}

fn put(request: &mut Vec<u8>, kind: u16, value: &[u8]) {
    request.extend(((4 + value.len()) as u16).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(value);
    request.resize(request.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut answer = Vec::from((16 + body.len() as u32).to_ne_bytes());
        answer.extend(kind.to_ne_bytes());
        answer.extend([0; 10]);
        answer.extend(body);
        answer
    }

    #[test]
    fn a_request_is_laid_out_as_rtnetlink_says() {
        let request = encode(&RouteQuery {
            to: "10.0.0.2".parse().unwrap(),
            port: 0x1234,
            from: "10.0.0.1".parse().unwrap(),
            mark: 7,
            ifindex: 0,
        });
        let mut expected = Vec::from(68u32.to_ne_bytes());
        expected.extend(26u16.to_ne_bytes());
        expected.extend(1u16.to_ne_bytes());
        expected.extend([0; 8]);
        expected.extend([2, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (kind, value) in [
            (1u16, [10, 0, 0, 2]),
            (2, [10, 0, 0, 1]),
            (16, 7u32.to_ne_bytes()),
        ] {
            expected.extend(8u16.to_ne_bytes());
            expected.extend(kind.to_ne_bytes());
            expected.extend(value);
        }
        expected.extend(5u16.to_ne_bytes());
        expected.extend(27u16.to_ne_bytes());
        expected.extend([17, 0, 0, 0]);
        expected.extend(6u16.to_ne_bytes());
        expected.extend(29u16.to_ne_bytes());
        expected.extend([0x12, 0x34, 0, 0]);
        assert_eq!(request, expected);
    }

    #[test]
    fn the_output_interface_is_found_behind_other_attributes() {
        let mut body = vec![0; RTMSG];
        put(&mut body, libc::RTA_DST, &[1, 2, 3]);
        put(&mut body, libc::RTA_OIF, &5u32.to_ne_bytes());
        let through = decode(&answer(libc::RTM_NEWROUTE, &body));
        assert_eq!(through, Ok(Route::Through(5)));
        body[7] = 2;
        let local = decode(&answer(libc::RTM_NEWROUTE, &body));
        assert_eq!(local, Ok(Route::Local));
    }

    #[test]
    fn a_route_may_have_no_interface() {
        let route = decode(&answer(libc::RTM_NEWROUTE, &[0; RTMSG]));
        assert_eq!(route, Ok(Route::Unspecified));
    }

    #[test]
    fn the_kernels_error_is_passed_on() {
        let body = (-22i32).to_ne_bytes();
        assert_eq!(decode(&answer(2, &body)), Err(Errno::INVAL));
    }

    #[test]
    fn nonsense_is_an_error() {
        for body in [0i32, 5, i32::MIN, -5000] {
            assert_eq!(decode(&answer(2, &body.to_ne_bytes())), Err(Errno::BADMSG));
        }
        assert_eq!(decode(&[]), Err(Errno::BADMSG));
        assert_eq!(decode(&answer(99, &[])), Err(Errno::BADMSG));
        assert_eq!(
            decode(&answer(libc::RTM_NEWROUTE, &[0; 5])),
            Err(Errno::BADMSG)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(bytes: Vec<u8>, attributes: Vec<u8>) {
            let _ = decode(&bytes);
            let _ = decode(&answer(libc::RTM_NEWROUTE, &attributes));
            let _ = output_interface(&attributes);
        }
    }
}
