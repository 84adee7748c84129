//! The data of a get's reply, written.

use std::io::{self, Write};

use crate::device::{DeviceState, PeerState, SnapshotSink};
use crate::endpoint::Numeric;
use crate::prefix::AllowedIp;
use crate::uapi::set::write_key;

/// What a client sends.
pub const REQUEST: &[u8] = b"get=1\n\n";

/// Writes a device's state in the keys and the order of the protocol, as it is told of it:
/// nothing is kept, so a device of any size costs only what the writer keeps.
#[derive(Debug)]
pub struct Printer<W> {
    writer: W,
    result: io::Result<()>,
}

impl<W: Write> Printer<W> {
    /// A printer that writes here. The text holds the device's keys: give it a buffer that is
    /// zeroed.
    pub const fn new(writer: W) -> Self {
        Self {
            writer,
            result: Ok(()),
        }
    }

    /// Ends the reply with `errno=0` and the empty line.
    ///
    /// # Errors
    ///
    /// The first one of the writer since the beginning.
    pub fn finish(mut self) -> io::Result<W> {
        self.run(|writer| writer.write_all(b"errno=0\n\n"));
        self.result.map(|()| self.writer)
    }

    fn run(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.result.is_ok() {
            self.result = write(&mut self.writer);
        }
    }
}

impl<W: Write> SnapshotSink for Printer<W> {
    fn device(&mut self, device: &DeviceState<'_>) {
        self.run(|writer| {
            if let Some(key) = device.private_key {
                write_key(writer, "private_key", key.to_hex().as_bytes())?;
            }
            if device.listen_port != 0 {
                writeln!(writer, "listen_port={}", device.listen_port)?;
            }
            if device.fwmark != 0 {
                writeln!(writer, "fwmark={}", device.fwmark)?;
            }
            Ok(())
        });
    }

    fn peer(&mut self, peer: &PeerState<'_>) {
        self.run(|writer| {
            write_key(writer, "public_key", peer.public_key.to_hex().as_bytes())?;
            match peer.preshared_key {
                Some(key) => write_key(writer, "preshared_key", key.to_hex().as_bytes())?,
                None => write_key(writer, "preshared_key", &[b'0'; 64])?,
            }
            writer.write_all(b"protocol_version=1\n")?;
            if let Some(endpoint) = peer.endpoint {
                writeln!(writer, "endpoint={}", Numeric(endpoint))?;
            }
            let handshake = peer.last_handshake.unwrap_or_default();
            writeln!(writer, "last_handshake_time_sec={}", handshake.as_secs())?;
            writeln!(
                writer,
                "last_handshake_time_nsec={}",
                handshake.subsec_nanos()
            )?;
            writeln!(writer, "tx_bytes={}", peer.tx_bytes)?;
            writeln!(writer, "rx_bytes={}", peer.rx_bytes)?;
            writeln!(
                writer,
                "persistent_keepalive_interval={}",
                peer.persistent_keepalive
            )
        });
    }

    fn allowed_ip(&mut self, prefix: AllowedIp) {
        self.run(|writer| writeln!(writer, "allowed_ip={prefix}"));
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::device::{Device, Peer};
    use crate::key::{PrivateKey, PublicKey};

    const HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";

    fn printed(device: &Device) -> String {
        let mut printer = Printer::new(Vec::new());
        device.describe(&mut printer);
        String::from_utf8(printer.finish().unwrap()).unwrap()
    }

    #[test]
    fn an_empty_device_has_nothing_to_tell() {
        assert_eq!(printed(&Device::default()), "errno=0\n\n");
    }

    #[test]
    fn keys_in_the_order_of_the_protocol() {
        let mut peer = Peer::new(PublicKey::from_hex(HEX).unwrap());
        peer.endpoint = Some(SocketAddr::from(([1, 2, 3, 4], 5)));
        peer.last_handshake = Some(Duration::new(7, 8));
        peer.tx_bytes = 9;
        peer.rx_bytes = u64::MAX;
        peer.persistent_keepalive = 25;
        peer.allowed_ips = vec![
            "10.0.0.0/8".parse().unwrap(),
            "::ffff:1.2.3.4/128".parse().unwrap(),
        ];
        let device = Device {
            private_key: Some(PrivateKey::from_hex(HEX).unwrap()),
            listen_port: 51820,
            fwmark: 51820,
            peers: vec![peer, Peer::new(PublicKey::new([1; 32]))],
        };
        let expected = format!(
            "private_key={HEX}\nlisten_port=51820\nfwmark=51820\n\
             public_key={HEX}\npreshared_key={zero}\nprotocol_version=1\nendpoint=1.2.3.4:5\n\
             last_handshake_time_sec=7\nlast_handshake_time_nsec=8\ntx_bytes=9\n\
             rx_bytes=18446744073709551615\npersistent_keepalive_interval=25\n\
             allowed_ip=10.0.0.0/8\nallowed_ip=::ffff:1.2.3.4/128\n\
             public_key={one}\npreshared_key={zero}\nprotocol_version=1\n\
             last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n\
             persistent_keepalive_interval=0\nerrno=0\n\n",
            zero = "0".repeat(64),
            one = "01".repeat(32),
        );
        assert_eq!(printed(&device), expected);
    }

    #[test]
    fn the_first_error_of_the_writer_is_told_at_the_end() {
        let mut room = [0_u8; 20];
        let mut printer = Printer::new(&mut room[..]);
        Device {
            listen_port: 51820,
            fwmark: 51820,
            ..Device::default()
        }
        .describe(&mut printer);
        assert_eq!(
            printer.finish().unwrap_err().kind(),
            io::ErrorKind::WriteZero
        );
    }
}
