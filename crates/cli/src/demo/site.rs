//! The two hosts, a daemon on each, and the tunnel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use hushwire_config::device::{Device, Peer};
use hushwire_config::key::{KEY_LEN, PresharedKey, PrivateKey, PublicKey};
use hushwire_config::prefix::{AllowedIpEntry, Prefix};
use hushwire_config::uapi::{get, reply, set};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};
use hushwire_lab::{Daemon, Host, Implementation, Lab, wait_until};
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;
use zeroize::Zeroizing;

use super::error::Error;
use crate::daemon::OFFLOADS;

/// The interface of the cable between the hosts.
const CABLE: &str = "eth0";
/// The prefix lengths of the networks inside the tunnel.
const INNER_LENGTHS: [u8; 2] = [24, 64];
const PORT: u16 = 51820;
/// How long a daemon may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// One end.
pub(super) struct Site {
    pub(super) name: &'static str,
    // Before the host, whose end would only kill it.
    daemon: Daemon,
    pub(super) host: Host,
    number: u8,
}

/// What came of it, as seen by the first host.
pub(super) struct Report {
    pub(super) peer: Peer,
    /// The line of the log that tells which offloads are in use.
    pub(super) offloads: String,
}

/// Both ends, and the world that they are in.
pub(super) struct Tunnel {
    pub(super) alice: Site,
    pub(super) bob: Site,
    _lab: Lab,
}

impl Tunnel {
    pub(super) fn start() -> Result<Self, Error> {
        let lab = Lab::new()?;
        let (alice, bob) = (lab.host("alice")?, lab.host("bob")?);
        lab.link(&alice, CABLE, &bob, CABLE)?;
        let alice = Site::start("alice", alice, 1)?;
        let bob = Site::start("bob", bob, 2)?;
        let psk = PresharedKey::generate(*random()?);
        let (alice_key, bob_key) = (private_key()?, private_key()?);
        // The one that waits before the one that speaks first.
        bob.configure(&bob_key, &alice_key, &psk, None)?;
        alice.configure(&alice_key, &bob_key, &psk, Some(bob.outer()))?;
        Ok(Self {
            alice,
            bob,
            _lab: lab,
        })
    }

    /// Ends both daemons and says what they did.
    pub(super) fn finish(self) -> Result<Report, Error> {
        let device = self.alice.device()?;
        let peer = device.peers.into_iter().next();
        let peer = peer.unwrap_or_else(|| Peer::new(PublicKey::new([0; KEY_LEN])));
        let process = self.alice.daemon.process();
        process.signal(rustix::process::Signal::TERM)?;
        // Twice: what was in use at the start, and at the end.
        let lines = || {
            let output = process.output().stdout;
            let lines = output.lines().filter_map(|line| line.split_once(OFFLOADS));
            lines.map(|(_, line)| line.to_owned()).collect::<Vec<_>>()
        };
        wait_until(END_LIMIT, "the end of a daemon", || lines().len() > 1)?;
        let offloads = lines().pop().unwrap_or_default();
        self.alice.daemon.stop()?;
        self.bob.daemon.stop()?;
        Ok(Report { peer, offloads })
    }
}

impl Site {
    fn start(name: &'static str, host: Host, number: u8) -> Result<Self, Error> {
        let site = format!("{}/24", Self::outer_ip(number));
        host.address(CABLE, &site)?;
        let interface = format!("wg{number}");
        // This same program, which is the daemon under that name.
        let mut command: Command = host.command(&["/proc/self/exe"]);
        command
            .arg0("hushwired")
            .args(["--foreground", &interface])
            .env("LOG_LEVEL", "verbose");
        let daemon = Implementation::Hushwired.start_command(&host, &interface, command)?;
        let site = Self {
            name,
            daemon,
            host,
            number,
        };
        for (address, length) in site.inner().into_iter().zip(INNER_LENGTHS) {
            site.host
                .address(&interface, &format!("{address}/{length}"))?;
        }
        site.host.up(&interface)?;
        Ok(site)
    }

    fn outer_ip(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, number)
    }

    fn outer(&self) -> SocketAddr {
        (Self::outer_ip(self.number), PORT).into()
    }

    pub(super) fn inner_v4(&self) -> IpAddr {
        Ipv4Addr::new(10, 77, 0, self.number).into()
    }

    /// The addresses inside the tunnel.
    pub(super) fn inner(&self) -> [IpAddr; 2] {
        let v6 = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.number.into());
        [self.inner_v4(), v6.into()]
    }

    fn configure(
        &self,
        own: &PrivateKey,
        other: &PrivateKey,
        psk: &PresharedKey,
        endpoint: Option<SocketAddr>,
    ) -> Result<(), Error> {
        let settings = PeerSettings {
            preshared_key: Some(psk.clone()),
            endpoint,
            allowed_ips: self
                .inner()
                .into_iter()
                .zip(INNER_LENGTHS)
                .filter_map(|(ip, length)| Prefix::new(ip, length))
                .map(|prefix| AllowedIpEntry {
                    remove: false,
                    prefix,
                })
                .collect(),
            ..PeerSettings::default()
        };
        let update = DeviceUpdate {
            private_key: Some(own.clone()),
            listen_port: Some(PORT),
            peers: vec![PeerUpdate {
                public_key: PublicKey::new(DefaultCrypto::public_key(other.as_bytes())),
                action: PeerAction::Set(settings),
            }],
            ..DeviceUpdate::default()
        };
        let mut request = Zeroizing::new(Vec::new());
        set::write(&mut *request, &update)
            .map_err(|error| Error::System("write a configuration", error))?;
        let request = std::str::from_utf8(&request).unwrap_or_default();
        let answer = self.host.uapi(self.daemon.interface(), request)?;
        Ok(reply::set(&mut answer.as_bytes())?)
    }

    fn device(&self) -> Result<Device, Error> {
        let request = String::from_utf8_lossy(get::REQUEST);
        let answer = Zeroizing::new(self.host.uapi(self.daemon.interface(), &request)?);
        Ok(reply::get(&mut answer.as_bytes())?)
    }
}

/// Its addresses, outside and inside the tunnel.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [v4, v6] = self.inner();
        write!(f, "{}, inside the tunnel {v4} and {v6}", self.outer())
    }
}

fn private_key() -> Result<PrivateKey, Error> {
    Ok(PrivateKey::generate(*random()?))
}

fn random() -> Result<Zeroizing<[u8; KEY_LEN]>, Error> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(&mut *bytes).map_err(Error::Random)?;
    Ok(bytes)
}
