//! The keys and peers: only the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hushwire_config::conf::Config;
use hushwire_config::device::{Device, Peer};
use hushwire_config::key::{KEY_LEN, PresharedKey, PrivateKey, PublicKey};
use hushwire_config::prefix::AllowedIp;
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};

use super::network::Marks;
use crate::Failure;
use crate::operation::{Change, Operation};
use crate::transaction::Transaction;

/// For this long after a handshake a session may be in use (the paper, section 6.1:
/// REJECT-AFTER-TIME).
const SESSION: Duration = Duration::from_secs(180);

/// Changes the device where it is not what the file says.
pub(super) fn change(
    config: &Config,
    wanted: &DeviceUpdate,
    runtime: &Device,
    marks: &Marks,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let difference = difference(config, wanted, runtime, marks.wanted(), now());
    if difference.update == DeviceUpdate::default() {
        return Ok(());
    }
    let change = Change {
        undo: Some(undo(&difference.update, runtime)),
        update: difference.update,
    };
    transaction.run(&Operation::Change(Rc::new(change)))?;
    for line in &difference.told {
        transaction.say(line);
    }
    Ok(())
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[derive(Default)]
struct Difference {
    update: DeviceUpdate,
    told: Vec<String>,
}

fn difference(
    config: &Config,
    wanted: &DeviceUpdate,
    runtime: &Device,
    mark: u32,
    now: Duration,
) -> Difference {
    let mut difference = Difference::default();
    difference.interface(config, wanted, runtime, mark);
    let peers = merged(wanted);
    let wanted: BTreeSet<PublicKey> = peers.iter().map(|(key, _)| *key).collect();
    let known: BTreeMap<PublicKey, &Peer> = runtime
        .peers
        .iter()
        .map(|peer| (peer.public_key, peer))
        .collect();
    for peer in &runtime.peers {
        if !wanted.contains(&peer.public_key) {
            difference.remove(peer.public_key);
        }
    }
    // A rehearsal reads no keys, and takes those that stand elsewhere for what they were.
    let unread: BTreeSet<&PublicKey> = config.wanted_keys().filter_map(|key| key.peer).collect();
    for (key, mut settings) in peers {
        if let Some(peer) = known.get(&key).filter(|_| unread.contains(&key)) {
            settings.preshared_key = peer.preshared_key.clone();
        }
        match known.get(&key) {
            None => difference.add(key, settings),
            Some(peer) => difference.peer(peer, &settings, now),
        }
    }
    difference
}

/// Sections of the same peer add up.
fn merged(wanted: &DeviceUpdate) -> Vec<(PublicKey, PeerSettings)> {
    let mut peers: Vec<(PublicKey, PeerSettings)> = Vec::new();
    let mut places: BTreeMap<PublicKey, usize> = BTreeMap::new();
    for peer in &wanted.peers {
        let PeerAction::Set(settings) = &peer.action else {
            continue;
        };
        let place = places.get(&peer.public_key);
        let Some((_, known)) = place.and_then(|place| peers.get_mut(*place)) else {
            places.insert(peer.public_key, peers.len());
            peers.push((peer.public_key, settings.clone()));
            continue;
        };
        let settings = settings.clone();
        known.preshared_key = settings
            .preshared_key
            .or_else(|| known.preshared_key.take());
        known.endpoint = settings.endpoint.or(known.endpoint);
        known.persistent_keepalive = settings.persistent_keepalive.or(known.persistent_keepalive);
        if settings.replace_allowed_ips {
            known.allowed_ips.clear();
        }
        known.allowed_ips.extend(settings.allowed_ips);
    }
    peers
}

impl Difference {
    fn interface(&mut self, config: &Config, wanted: &DeviceUpdate, runtime: &Device, mark: u32) {
        // A file without a key leaves it to a command that is not run now.
        if config.interface.private_key.is_some() && wanted.private_key != runtime.private_key {
            self.update.private_key = wanted.private_key.clone();
            self.told.push("  ~ private key".to_owned());
        }
        // Without a port any will do, and the one that it has does.
        let port = config.interface.listen_port.map(|port| port.value);
        if port.is_some_and(|port| port != 0 && port != runtime.listen_port) {
            self.update.listen_port = port;
            self.told
                .extend(port.map(|port| format!("  ~ listening port: {port}")));
        }
        if mark != runtime.fwmark {
            self.update.fwmark = Some(mark);
            self.told.push(format!("  ~ fwmark: {mark:#x}"));
        }
    }

    fn remove(&mut self, public_key: PublicKey) {
        self.told.push(format!("  - peer {public_key}"));
        self.update.peers.push(PeerUpdate {
            public_key,
            action: PeerAction::Remove,
        });
    }

    fn add(&mut self, public_key: PublicKey, settings: PeerSettings) {
        self.told.push(format!("  + peer {public_key}"));
        self.update.peers.push(PeerUpdate {
            public_key,
            action: PeerAction::Set(settings),
        });
    }

    fn peer(&mut self, peer: &Peer, wanted: &PeerSettings, now: Duration) {
        let mut settings = PeerSettings {
            update_only: true,
            ..PeerSettings::default()
        };
        let mut what = Vec::new();
        let preshared_key = wanted.preshared_key.clone().filter(|key| !key.is_zero());
        if preshared_key != peer.preshared_key {
            settings.preshared_key = Some(preshared_key.unwrap_or_else(no_preshared_key));
            what.push("pre-shared key");
        }
        let keepalive = wanted.persistent_keepalive.unwrap_or(0);
        if keepalive != peer.persistent_keepalive {
            settings.persistent_keepalive = Some(keepalive);
            what.push("keepalive");
        }
        if allowed_ips(wanted) != peer.allowed_ips.iter().map(|one| one.masked()).collect() {
            settings.replace_allowed_ips = true;
            settings.allowed_ips.clone_from(&wanted.allowed_ips);
            what.push("allowed IPs");
        }
        if wanted.endpoint.is_some() && wanted.endpoint != peer.endpoint {
            if has_session(peer, now) {
                self.told.push(format!(
                    "  = peer {}: its endpoint stays, the session is in use",
                    peer.public_key
                ));
            } else {
                settings.endpoint = wanted.endpoint;
                what.push("endpoint");
            }
        }
        if what.is_empty() {
            return;
        }
        self.told
            .push(format!("  ~ peer {}: {}", peer.public_key, what.join(", ")));
        self.update.peers.push(PeerUpdate {
            public_key: peer.public_key,
            action: PeerAction::Set(settings),
        });
    }
}

fn no_preshared_key() -> PresharedKey {
    PresharedKey::new([0; KEY_LEN])
}

fn allowed_ips(settings: &PeerSettings) -> BTreeSet<AllowedIp> {
    let mut prefixes = BTreeSet::new();
    for entry in &settings.allowed_ips {
        if entry.remove {
            prefixes.remove(&entry.prefix.masked());
        } else {
            prefixes.insert(entry.prefix.masked());
        }
    }
    prefixes
}

fn has_session(peer: &Peer, now: Duration) -> bool {
    peer.last_handshake
        .is_some_and(|handshake| now.saturating_sub(handshake) < SESSION)
}

/// What brings the device back to what it was before an update.
fn undo(update: &DeviceUpdate, runtime: &Device) -> DeviceUpdate {
    let no_key = || PrivateKey::new([0; KEY_LEN]);
    let private_key = || runtime.private_key.clone().unwrap_or_else(no_key);
    let touched = update.peers.iter().map(|touched| PeerUpdate {
        public_key: touched.public_key,
        action: runtime
            .peers
            .iter()
            .find(|peer| peer.public_key == touched.public_key)
            .map_or(PeerAction::Remove, |peer| {
                PeerAction::Set(as_settings(peer))
            }),
    });
    DeviceUpdate {
        private_key: update.private_key.as_ref().map(|_| private_key()),
        listen_port: update.listen_port.map(|_| runtime.listen_port),
        fwmark: update.fwmark.map(|_| runtime.fwmark),
        replace_peers: false,
        peers: touched.collect(),
    }
}

fn as_settings(peer: &Peer) -> PeerSettings {
    PeerSettings {
        update_only: false,
        preshared_key: Some(peer.preshared_key.clone().unwrap_or_else(no_preshared_key)),
        endpoint: peer.endpoint,
        persistent_keepalive: Some(peer.persistent_keepalive),
        replace_allowed_ips: true,
        allowed_ips: peer.allowed_ips.iter().copied().map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use hushwire_config::conf::{Dialect, Mode, parse};
    use hushwire_config::endpoint::Endpoint;

    use super::*;

    const ONE: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    const TWO: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
    const NOW: Duration = Duration::from_secs(1_000_000);

    fn key(text: &str) -> PublicKey {
        PublicKey::from_base64(text.as_bytes()).unwrap()
    }

    fn peer(text: &str, prefixes: &[&str]) -> Peer {
        let mut peer = Peer::new(key(text));
        peer.allowed_ips = prefixes.iter().map(|one| one.parse().unwrap()).collect();
        peer
    }

    fn told(text: &str, runtime: &Device) -> Vec<String> {
        let config = parse(text.as_bytes(), Dialect::Wg).unwrap().config;
        let update = config.to_update(Mode::Replace, |endpoint| match &endpoint.value {
            Endpoint::Numeric(address) => Ok(*address),
            Endpoint::Name(_) => Err(()),
        });
        difference(&config, &update.unwrap(), runtime, runtime.fwmark, NOW).told
    }

    #[test]
    fn what_is_the_same_is_not_touched() {
        let mut runtime = Device {
            listen_port: 1234,
            fwmark: 7,
            peers: vec![peer(ONE, &["10.0.0.0/8", "fd00::/64"])],
            ..Device::default()
        };
        let text = format!("[Peer]\nPublicKey = {ONE}\nAllowedIPs = fd00::1/64, 10.1.0.0/8\n");
        assert!(told(&text, &runtime).is_empty());
        runtime.peers[0].endpoint = Some(([192, 0, 2, 1], 5).into());
        assert!(told(&text, &runtime).is_empty(), "no endpoint is no wish");
    }

    #[test]
    fn peers_come_go_and_change() {
        let runtime = Device {
            peers: vec![peer(ONE, &["10.0.0.0/8"])],
            ..Device::default()
        };
        let text = format!("[Peer]\nPublicKey = {TWO}\n");
        assert_eq!(
            told(&text, &runtime),
            [format!("  - peer {ONE}"), format!("  + peer {TWO}")]
        );
        let text = format!("[Peer]\nPublicKey = {ONE}\nPersistentKeepalive = 5\n");
        assert_eq!(
            told(&text, &runtime),
            [format!("  ~ peer {ONE}: keepalive, allowed IPs")]
        );
    }

    #[test]
    fn an_endpoint_stays_while_its_session_is_in_use() {
        let mut runtime = Device {
            peers: vec![peer(ONE, &[])],
            ..Device::default()
        };
        let text = format!("[Peer]\nPublicKey = {ONE}\nEndpoint = 192.0.2.1:5\n");
        assert_eq!(told(&text, &runtime), [format!("  ~ peer {ONE}: endpoint")]);
        runtime.peers[0].endpoint = Some(([198, 51, 100, 1], 5).into());
        runtime.peers[0].last_handshake = NOW.checked_sub(SESSION);
        assert_eq!(told(&text, &runtime), [format!("  ~ peer {ONE}: endpoint")]);
        runtime.peers[0].last_handshake = Some(NOW);
        assert!(told(&text, &runtime)[0].starts_with("  = peer"));
    }

    #[test]
    fn the_way_back_is_what_was() {
        let mut was = peer(ONE, &["10.0.0.0/8"]);
        was.persistent_keepalive = 25;
        let runtime = Device {
            peers: vec![was],
            fwmark: 9,
            ..Device::default()
        };
        let change = |text: &str, action| PeerUpdate {
            public_key: key(text),
            action,
        };
        let update = DeviceUpdate {
            fwmark: Some(1),
            peers: vec![
                change(ONE, PeerAction::Remove),
                change(TWO, PeerAction::Set(PeerSettings::default())),
            ],
            ..DeviceUpdate::default()
        };
        let back = undo(&update, &runtime);
        assert_eq!((back.fwmark, back.listen_port), (Some(9), None));
        assert_eq!(back.peers[1].action, PeerAction::Remove);
        let PeerAction::Set(settings) = &back.peers[0].action else {
            panic!("it comes back");
        };
        assert_eq!(settings.persistent_keepalive, Some(25));
        assert_eq!(settings.allowed_ips.len(), 1);
    }
}
