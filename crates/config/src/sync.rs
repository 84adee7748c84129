//! `wg syncconf`: a file's update made into the difference to what a device has.

use std::collections::BTreeMap;

use crate::device::{self, Device};
use crate::key::{KEY_LEN, PresharedKey, PublicKey};
use crate::update::{DeviceUpdate, PeerAction, PeerUpdate};

/// Turns the update of `wg setconf` (see [`Mode::Replace`](crate::conf::Mode::Replace)) into the
/// one that brings `runtime` to the same peers without touching the sessions of those that stay.
///
/// Peers that are not in the update are removed first, the greatest key first. A peer that stays
/// loses its pre-shared key and its keepalive interval if the update has none; its endpoint
/// stays, and its allowed IPs are what the update says. If either side has no peers, nothing is
/// to be kept, and the update stays as it is.
#[must_use]
pub fn sync(mut update: DeviceUpdate, runtime: &Device) -> DeviceUpdate {
    if update.peers.is_empty() || runtime.peers.is_empty() {
        return update;
    }
    update.replace_peers = false;
    let mut listed: BTreeMap<PublicKey, usize> = BTreeMap::new();
    for (index, peer) in update.peers.iter().enumerate() {
        listed.entry(peer.public_key).or_insert(index);
    }
    let known: BTreeMap<PublicKey, &device::Peer> = runtime
        .peers
        .iter()
        .map(|peer| (peer.public_key, peer))
        .collect();
    let mut peers = Vec::with_capacity(update.peers.len());
    for (public_key, peer) in known.iter().rev() {
        match listed
            .get(public_key)
            .and_then(|&index| update.peers.get_mut(index))
        {
            Some(stays) => clear_what_went(stays, peer),
            None => peers.push(PeerUpdate {
                public_key: *public_key,
                action: PeerAction::Remove,
            }),
        }
    }
    peers.append(&mut update.peers);
    update.peers = peers;
    update
}

fn clear_what_went(update: &mut PeerUpdate, runtime: &device::Peer) {
    let PeerAction::Set(settings) = &mut update.action else {
        return;
    };
    if runtime.preshared_key.is_some() && settings.preshared_key.is_none() {
        settings.preshared_key = Some(PresharedKey::new([0; KEY_LEN]));
    }
    if runtime.persistent_keepalive != 0 && settings.persistent_keepalive.is_none() {
        settings.persistent_keepalive = Some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Peer;
    use crate::update::PeerSettings;

    fn key(byte: u8) -> PublicKey {
        PublicKey::new([byte; KEY_LEN])
    }

    fn device(keys: &[u8]) -> Device {
        Device {
            peers: keys.iter().map(|&byte| Peer::new(key(byte))).collect(),
            ..Device::default()
        }
    }

    fn setconf(keys: &[u8]) -> DeviceUpdate {
        let peer = |&byte: &u8| PeerUpdate {
            public_key: key(byte),
            action: PeerAction::Set(PeerSettings {
                replace_allowed_ips: true,
                ..PeerSettings::default()
            }),
        };
        DeviceUpdate {
            replace_peers: true,
            listen_port: Some(0),
            peers: keys.iter().map(peer).collect(),
            ..DeviceUpdate::default()
        }
    }

    fn removed(update: &DeviceUpdate) -> Vec<PublicKey> {
        let removals = update.peers.iter();
        removals
            .filter(|peer| peer.action == PeerAction::Remove)
            .map(|peer| peer.public_key)
            .collect()
    }

    #[test]
    fn nothing_to_keep_is_setconf() {
        assert_eq!(sync(setconf(&[]), &device(&[1])), setconf(&[]));
        assert_eq!(sync(setconf(&[1]), &device(&[])), setconf(&[1]));
    }

    #[test]
    fn what_is_not_listed_goes_first_and_from_the_top() {
        let update = sync(setconf(&[5, 3]), &device(&[2, 9, 3, 4]));
        assert!(!update.replace_peers);
        assert_eq!(update.listen_port, Some(0));
        let keys: Vec<PublicKey> = update.peers.iter().map(|peer| peer.public_key).collect();
        assert_eq!(keys, [9, 4, 2, 5, 3].map(key));
        assert_eq!(removed(&update), [9, 4, 2].map(key));
    }

    #[test]
    fn what_a_peer_has_and_the_file_has_not_is_cleared() {
        let mut runtime = device(&[1, 2]);
        runtime.peers[0].preshared_key = Some(PresharedKey::new([7; KEY_LEN]));
        runtime.peers[0].persistent_keepalive = 25;
        let update = sync(setconf(&[1, 2, 1]), &runtime);
        let settings: Vec<&PeerSettings> = update
            .peers
            .iter()
            .map(|peer| match &peer.action {
                PeerAction::Set(settings) => settings,
                PeerAction::Remove => panic!("nobody leaves"),
            })
            .collect();
        assert!(
            settings[0]
                .preshared_key
                .as_ref()
                .is_some_and(PresharedKey::is_zero)
        );
        assert_eq!(settings[0].persistent_keepalive, Some(0));
        for untouched in &settings[1..] {
            assert_eq!(untouched.preshared_key, None);
            assert_eq!(untouched.persistent_keepalive, None);
        }
    }

    #[test]
    fn what_the_file_has_stays() {
        let mut runtime = device(&[1]);
        runtime.peers[0].preshared_key = Some(PresharedKey::new([7; KEY_LEN]));
        let mut wanted = setconf(&[1]);
        let PeerAction::Set(settings) = &mut wanted.peers[0].action else {
            panic!("a setting");
        };
        settings.preshared_key = Some(PresharedKey::new([8; KEY_LEN]));
        let expected = wanted.peers.clone();
        assert_eq!(sync(wanted, &runtime).peers, expected);
    }
}
