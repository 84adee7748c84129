//! `wg show INTERFACE SELECTOR`: lines for programs.

use std::io::{self, Write};

use crate::device::Peer;
use crate::key::{BASE64_LEN, KeyText};
use crate::show::{View, separated};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `public-key`.
    PublicKey,
    /// `private-key`.
    PrivateKey,
    /// `listen-port`.
    ListenPort,
    /// `fwmark`.
    Fwmark,
    /// `peers`.
    Peers,
    /// `preshared-keys`.
    PresharedKeys,
    /// `endpoints`.
    Endpoints,
    /// `allowed-ips`.
    AllowedIps,
    /// `latest-handshakes`.
    LatestHandshakes,
    /// `transfer`.
    Transfer,
    /// `persistent-keepalive`.
    PersistentKeepalive,
    /// `dump`.
    Dump,
}

impl Selector {
    /// All of them, in the order of the usage text.
    pub const ALL: [Self; 12] = [
        Self::PublicKey,
        Self::PrivateKey,
        Self::ListenPort,
        Self::Fwmark,
        Self::Peers,
        Self::PresharedKeys,
        Self::Endpoints,
        Self::AllowedIps,
        Self::LatestHandshakes,
        Self::Transfer,
        Self::PersistentKeepalive,
        Self::Dump,
    ];

    /// The word on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicKey => "public-key",
            Self::PrivateKey => "private-key",
            Self::ListenPort => "listen-port",
            Self::Fwmark => "fwmark",
            Self::Peers => "peers",
            Self::PresharedKeys => "preshared-keys",
            Self::Endpoints => "endpoints",
            Self::AllowedIps => "allowed-ips",
            Self::LatestHandshakes => "latest-handshakes",
            Self::Transfer => "transfer",
            Self::PersistentKeepalive => "persistent-keepalive",
            Self::Dump => "dump",
        }
    }

    /// The selector of this name, in this very spelling.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl View<'_> {
    /// Writes the lines of a selector, each with the interface's name in front if there are
    /// several interfaces.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn select(
        &self,
        writer: &mut impl Write,
        selector: Selector,
        with_name: bool,
    ) -> io::Result<()> {
        let line = Line {
            view: self,
            with_name,
        };
        match selector {
            Selector::PublicKey => line.of_device(writer, |writer| self.write_public_key(writer)),
            Selector::PrivateKey => line.of_device(writer, |writer| self.write_private_key(writer)),
            Selector::ListenPort => line.of_device(writer, |writer| {
                write!(writer, "{}", self.device.listen_port)
            }),
            Selector::Fwmark => line.of_device(writer, |writer| self.write_fwmark(writer)),
            Selector::Peers => line.of_peers(writer, |_, _| Ok(())),
            Selector::PresharedKeys => line.of_peers(writer, |writer, peer| {
                tab(writer)?;
                write_preshared_key(writer, peer)
            }),
            Selector::Endpoints => line.of_peers(writer, |writer, peer| {
                tab(writer)?;
                self.write_endpoint(writer, peer)
            }),
            Selector::AllowedIps => line.of_peers(writer, |writer, peer| {
                tab(writer)?;
                write_allowed_ips(writer, peer, " ")
            }),
            Selector::LatestHandshakes => line.of_peers(writer, |writer, peer| {
                write!(writer, "\t{}", handshake_seconds(peer))
            }),
            Selector::Transfer => line.of_peers(writer, |writer, peer| {
                write!(writer, "\t{}\t{}", peer.rx_bytes, peer.tx_bytes)
            }),
            Selector::PersistentKeepalive => line.of_peers(writer, |writer, peer| {
                tab(writer)?;
                write_keepalive(writer, peer)
            }),
            Selector::Dump => {
                line.of_device(writer, |writer| self.dump_device(writer))?;
                line.of_peers(writer, |writer, peer| self.dump_peer(writer, peer))
            }
        }
    }

    fn dump_device(&self, writer: &mut impl Write) -> io::Result<()> {
        self.write_private_key(writer)?;
        tab(writer)?;
        self.write_public_key(writer)?;
        write!(writer, "\t{}\t", self.device.listen_port)?;
        self.write_fwmark(writer)
    }

    fn dump_peer(&self, writer: &mut impl Write, peer: &Peer) -> io::Result<()> {
        tab(writer)?;
        write_preshared_key(writer, peer)?;
        tab(writer)?;
        self.write_endpoint(writer, peer)?;
        tab(writer)?;
        write_allowed_ips(writer, peer, ",")?;
        let handshake = handshake_seconds(peer);
        write!(
            writer,
            "\t{handshake}\t{}\t{}\t",
            peer.rx_bytes, peer.tx_bytes
        )?;
        write_keepalive(writer, peer)
    }

    fn write_public_key(&self, writer: &mut impl Write) -> io::Result<()> {
        write_key(writer, self.public_key.map(|key| key.to_base64()))
    }

    fn write_private_key(&self, writer: &mut impl Write) -> io::Result<()> {
        let key = self.device.private_key.as_ref();
        write_key(writer, key.map(|key| key.to_base64()))
    }

    fn write_fwmark(&self, writer: &mut impl Write) -> io::Result<()> {
        match self.device.fwmark {
            0 => writer.write_all(b"off"),
            mark => write!(writer, "{mark:#x}"),
        }
    }

    fn write_endpoint(&self, writer: &mut impl Write, peer: &Peer) -> io::Result<()> {
        match peer.endpoint {
            Some(endpoint) => write!(writer, "{}", self.endpoint(endpoint)),
            None => none(writer),
        }
    }
}

/// The lines about a device.
struct Line<'a> {
    view: &'a View<'a>,
    with_name: bool,
}

impl Line<'_> {
    fn of_device<W: Write>(
        &self,
        writer: &mut W,
        rest: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        self.start(writer)?;
        rest(writer)?;
        writer.write_all(b"\n")
    }

    fn of_peers<W: Write>(
        &self,
        writer: &mut W,
        rest: impl Fn(&mut W, &Peer) -> io::Result<()>,
    ) -> io::Result<()> {
        self.view.device.peers.iter().try_for_each(|peer| {
            self.start(writer)?;
            writer.write_all(peer.public_key.to_base64().as_bytes())?;
            rest(writer, peer)?;
            writer.write_all(b"\n")
        })
    }

    fn start(&self, writer: &mut impl Write) -> io::Result<()> {
        if self.with_name {
            writer.write_all(self.view.shown_name())?;
            tab(writer)?;
        }
        Ok(())
    }
}

fn write_preshared_key(writer: &mut impl Write, peer: &Peer) -> io::Result<()> {
    let key = peer.preshared_key.as_ref();
    write_key(writer, key.map(|key| key.to_base64()))
}

fn write_key(writer: &mut impl Write, key: Option<KeyText<BASE64_LEN>>) -> io::Result<()> {
    match key {
        Some(key) => writer.write_all(key.as_bytes()),
        None => none(writer),
    }
}

fn write_allowed_ips(writer: &mut impl Write, peer: &Peer, separator: &str) -> io::Result<()> {
    if peer.allowed_ips.is_empty() {
        return none(writer);
    }
    separated(writer, separator, &peer.allowed_ips, |writer, prefix| {
        write!(writer, "{prefix}")
    })
}

fn write_keepalive(writer: &mut impl Write, peer: &Peer) -> io::Result<()> {
    match peer.persistent_keepalive {
        0 => writer.write_all(b"off"),
        seconds => write!(writer, "{seconds}"),
    }
}

fn handshake_seconds(peer: &Peer) -> u64 {
    peer.last_handshake.unwrap_or_default().as_secs()
}

fn tab(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(b"\t")
}

fn none(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(b"(none)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::testing::{self, P1, P2, PRIVATE, PSK, PUBLIC};

    fn shown(selector: Selector, with_name: bool) -> String {
        testing::full(|view, out| view.select(out, selector, with_name))
    }

    #[test]
    fn every_selector_is_found_by_its_name() {
        for selector in Selector::ALL {
            assert_eq!(Selector::parse(selector.name()), Some(selector));
        }
        assert_eq!(Selector::parse("Dump"), None);
        assert_eq!(Selector::parse(""), None);
    }

    #[test]
    fn lines_of_the_device() {
        assert_eq!(shown(Selector::PublicKey, false), format!("{PUBLIC}\n"));
        assert_eq!(
            shown(Selector::PrivateKey, true),
            format!("wg0\t{PRIVATE}\n")
        );
        assert_eq!(shown(Selector::ListenPort, false), "51820\n");
        assert_eq!(shown(Selector::Fwmark, true), "wg0\t0xca6c\n");
    }

    #[test]
    fn lines_of_peers() {
        for (selector, first, second) in [
            (Selector::Peers, "", ""),
            (Selector::PresharedKeys, &*format!("\t{PSK}"), "\t(none)"),
            (Selector::Endpoints, "\t192.0.2.1:5", "\t(none)"),
            (
                Selector::AllowedIps,
                "\t10.0.0.0/8 ::ffff:1.2.3.4/128",
                "\t(none)",
            ),
            (Selector::LatestHandshakes, "\t1700000000", "\t0"),
            (Selector::Transfer, "\t5678901\t1234", "\t0\t0"),
            (Selector::PersistentKeepalive, "\t25", "\toff"),
        ] {
            let lines = format!("{P1}{first}\n{P2}{second}\n");
            assert_eq!(shown(selector, false), lines, "{selector:?}");
            let lines = format!("wg0\t{P1}{first}\nwg0\t{P2}{second}\n");
            assert_eq!(shown(selector, true), lines, "{selector:?}");
        }
    }

    #[test]
    fn a_dump_is_all_of_it() {
        assert_eq!(
            shown(Selector::Dump, false),
            format!(
                "{PRIVATE}\t{PUBLIC}\t51820\t0xca6c\n\
                 {P1}\t{PSK}\t192.0.2.1:5\t10.0.0.0/8,::ffff:1.2.3.4/128\t1700000000\t5678901\t1234\t25\n\
                 {P2}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n"
            )
        );
    }

    #[test]
    fn what_there_is_not_has_a_word() {
        let shown = |selector| testing::empty(|view, out| view.select(out, selector, false));
        assert_eq!(shown(Selector::Dump), "(none)\t(none)\t0\toff\n");
        assert_eq!(shown(Selector::Endpoints), "");
    }

    #[test]
    fn a_long_name_is_cut_as_the_standard_tool_cuts_it() {
        let shown = testing::named(b"abcdefghijklmnopq", |view, out| {
            view.select(out, Selector::ListenPort, true)
        });
        assert_eq!(shown, "abcdefghijklmno\t0\n");
    }
}
