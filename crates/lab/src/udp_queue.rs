use std::fs;

/// What waits at the UDP sockets of a port, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpQueue {
    /// Bytes of kernel memory with datagrams that the program has not taken yet.
    pub waiting: u64,
    /// Datagrams that found no room since the sockets were opened.
    pub dropped: u64,
    /// Sockets of the port, of both families.
    pub sockets: u32,
}

impl UdpQueue {
    /// Reads the queues of the network namespace that the calling thread is in (proc_pid_net(5), /proc/PID/net/udp).
    #[must_use]
    pub fn of_port(port: u16) -> Self {
        ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| {
                let rows = table.lines().skip(1).filter_map(|line| row(line, port));
                rows.collect::<Vec<_>>()
            })
            .fold(Self::default(), |sum, (waiting, dropped)| Self {
                waiting: sum.waiting + waiting,
                dropped: sum.dropped + dropped,
                sockets: sum.sockets + 1,
            })
    }
}

/// The bytes that wait and the datagrams dropped, of a line about this port. The second field is `ADDRESS:PORT` in
/// hexadecimal, the fifth `SENDING:RECEIVED`, the last counts drops.
fn row(line: &str, port: u16) -> Option<(u64, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, own) = fields.get(1)?.rsplit_once(':')?;
    if u16::from_str_radix(own, 16).ok()? != port {
        return None;
    }
    let (_, received) = fields.get(4)?.split_once(':')?;
    let waiting = u64::from_str_radix(received, 16).ok()?;
    Some((waiting, fields.last()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_port_is_read() {
        let line = "  123: 00000000:CA6C 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0        0 1 2 ffff 17";
        assert_eq!(row(line, 51820), Some((0xa00, 17)));
        assert_eq!(row(line, 51821), None);
        assert_eq!(row("", 51820), None);
    }

    #[test]
    fn a_socket_of_ours_is_there_and_holds_what_nobody_takes() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = socket.local_addr().unwrap();
        assert_eq!(UdpQueue::of_port(place.port()).waiting, 0);
        socket.send_to(b"x", place).unwrap();
        let queue = UdpQueue::of_port(place.port());
        assert!(queue.waiting > 0 && queue.sockets == 1, "{queue:?}");
    }
}
