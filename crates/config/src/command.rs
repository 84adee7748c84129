//! The words of `wg set`: `listen-port 51820 peer … allowed-ips …`.

use std::fmt;
use std::net::SocketAddr;

use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::key::{BASE64_LEN, KeyError, PublicKey};
use crate::key_file::{self, KeyFileError, is_blank};
use crate::port;
use crate::raw;
use crate::setting::{self, BadValue, SettingError};
use crate::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};

/// What a command line refers to, and where warnings about it go. Called in the order of the
/// words, so that whoever answers from the outside does so before later words are looked at.
pub trait Surroundings {
    /// Why there is no answer.
    type Error;

    /// The content of a key file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn key_file(&mut self, path: &str) -> Result<Zeroizing<Vec<u8>>, Self::Error>;

    /// Called for each endpoint before its text is looked at: wg(8) reads
    /// [`RETRIES_VARIABLE`](crate::resolve::RETRIES_VARIABLE) there.
    ///
    /// # Errors
    ///
    /// When no endpoint could be looked up.
    fn before_endpoint(&mut self) -> Result<(), Self::Error>;

    /// The address of an endpoint.
    ///
    /// # Errors
    ///
    /// When the host has none.
    fn address(&mut self, endpoint: &Endpoint) -> Result<SocketAddr, Self::Error>;

    /// A prefix has bits beyond its length. `written` is its text, letter by letter.
    fn host_bits(&mut self, written: &str);
}

/// Why a command line changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandError<E> {
    /// The word that it is about, from 0.
    pub word: usize,
    /// What is wrong.
    pub reason: Reason<E>,
}

/// What is wrong with a word.
#[derive(Debug, PartialEq, Eq)]
pub enum Reason<E> {
    /// It means nothing here, or its value is missing.
    Argument(String),
    /// A value that is not of its option's form.
    Value(BadValue),
    /// A key file that holds no key.
    KeyFile(KeyFileError),
    /// What [`Surroundings`] say.
    Outside(E),
}

impl<E: fmt::Display> CommandError<E> {
    /// The message of wg(8), which quotes what was written, keys included.
    #[must_use]
    pub fn standard_message(&self) -> Zeroizing<String> {
        match &self.reason {
            Reason::Argument(word) => Zeroizing::new(format!("Invalid argument: {word}")),
            Reason::Value(bad) => bad.standard_message(),
            Reason::KeyFile(error) => Zeroizing::new(error.to_string()),
            Reason::Outside(error) => Zeroizing::new(error.to_string()),
        }
    }

    /// What to do about it, where the message does not say so.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match &self.reason {
            Reason::Argument(word) => Some(argument_hint(word)),
            Reason::Value(bad) => Some(bad.hint()),
            Reason::KeyFile(_) => {
                Some("a key file holds one key of 44 characters, or nothing to remove the key")
            }
            Reason::Outside(_) => None,
        }
    }
}

fn argument_hint(word: &str) -> &'static str {
    match word {
        "listen-port" | "fwmark" | "private-key" => {
            "it wants a value, and stands before the first `peer`"
        }
        "peer" => "it wants the public key of the peer",
        "remove" => "it stands after `peer KEY`",
        "preshared-key" | "endpoint" | "persistent-keepalive" | "allowed-ips" => {
            "it wants a value, and stands after `peer KEY`"
        }
        _ => {
            "the options are listen-port, fwmark, private-key and peer, then remove, \
              preshared-key, endpoint, persistent-keepalive and allowed-ips"
        }
    }
}

/// Reads the words after the interface's name, as wg(8) does: options of the device first, then
/// for every `peer KEY` its own. Of an option written twice the last counts, but allowed IPs add
/// up, and a peer named twice is changed twice.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn parse<S: Surroundings>(
    words: &[impl AsRef<str>],
    surroundings: &mut S,
) -> Result<DeviceUpdate, CommandError<S::Error>> {
    let mut parser = Parser {
        surroundings,
        update: DeviceUpdate::default(),
        peer: None,
    };
    let mut next = 0;
    while let Some(word) = words.get(next) {
        let value = words.get(next + 1).map(AsRef::as_ref);
        let taken = parser
            .option(word.as_ref(), value)
            .map_err(|reason| CommandError {
                word: match reason {
                    Reason::Argument(_) => next,
                    _ => next + 1,
                },
                reason,
            })?;
        next += taken;
    }
    parser.finish_peer();
    Ok(parser.update)
}

struct Parser<'s, S> {
    surroundings: &'s mut S,
    update: DeviceUpdate,
    peer: Option<Draft>,
}

/// The peer that is being described.
struct Draft {
    public_key: PublicKey,
    remove: bool,
    settings: PeerSettings,
}

impl<S: Surroundings> Parser<'_, S> {
    /// Takes an option, and tells how many words it had.
    fn option(&mut self, name: &str, value: Option<&str>) -> Result<usize, Reason<S::Error>> {
        match (name, value, &mut self.peer) {
            ("remove", _, Some(peer)) => {
                peer.remove = true;
                return Ok(1);
            }
            ("peer", Some(value), _) => self.peer(value)?,
            ("listen-port" | "fwmark" | "private-key", Some(value), None) => {
                self.device_option(name, value)?;
            }
            (
                "preshared-key" | "endpoint" | "persistent-keepalive" | "allowed-ips",
                Some(value),
                Some(peer),
            ) => peer_option(self.surroundings, &mut peer.settings, name, value)?,
            _ => return Err(Reason::Argument(name.to_owned())),
        }
        Ok(2)
    }

    fn peer(&mut self, value: &str) -> Result<(), Reason<S::Error>> {
        self.finish_peer();
        let public_key = PublicKey::from_base64(value).map_err(|error| bad_key(error, value))?;
        self.peer = Some(Draft {
            public_key,
            remove: false,
            settings: PeerSettings::default(),
        });
        Ok(())
    }

    fn finish_peer(&mut self) {
        if let Some(peer) = self.peer.take() {
            self.update.peers.push(PeerUpdate {
                public_key: peer.public_key,
                action: if peer.remove {
                    PeerAction::Remove
                } else {
                    PeerAction::Set(peer.settings)
                },
            });
        }
    }

    fn device_option(&mut self, name: &str, value: &str) -> Result<(), Reason<S::Error>> {
        match name {
            "listen-port" => {
                let port = port::parse(value).map_err(|error| {
                    Reason::Value(BadValue::new(SettingError::Port(error), value))
                })?;
                self.update.listen_port = Some(port);
            }
            "fwmark" => {
                self.update.fwmark = Some(setting::fwmark(value).map_err(Reason::Value)?);
            }
            _ => {
                let key = read_key(self.surroundings, value, key_file::private_key)?;
                self.update.private_key = Some(key);
            }
        }
        Ok(())
    }
}

fn peer_option<S: Surroundings>(
    surroundings: &mut S,
    settings: &mut PeerSettings,
    name: &str,
    value: &str,
) -> Result<(), Reason<S::Error>> {
    match name {
        "preshared-key" => {
            let key = read_key(surroundings, value, key_file::preshared_key)?;
            settings.preshared_key = Some(key);
        }
        "endpoint" => {
            surroundings.before_endpoint().map_err(Reason::Outside)?;
            let endpoint = Endpoint::parse(value).map_err(|error| {
                Reason::Value(BadValue::new(SettingError::Endpoint(error), value))
            })?;
            let address = surroundings.address(&endpoint).map_err(Reason::Outside)?;
            settings.endpoint = Some(address);
        }
        "persistent-keepalive" => {
            let seconds = setting::persistent_keepalive(value).map_err(Reason::Value)?;
            settings.persistent_keepalive = Some(seconds);
        }
        _ => allowed_ips(surroundings, settings, value)?,
    }
    Ok(())
}

fn allowed_ips<S: Surroundings>(
    surroundings: &mut S,
    settings: &mut PeerSettings,
    value: &str,
) -> Result<(), Reason<S::Error>> {
    // Every list starts over; what earlier ones have named stays named.
    settings.replace_allowed_ips = true;
    let is_blank = |char: char| u8::try_from(char).is_ok_and(is_blank);
    let list = value.replace(is_blank, "");
    if list.is_empty() {
        return Ok(());
    }
    for listed in setting::allowed_ips(&list) {
        let listed = listed.map_err(|(_, bad)| Reason::Value(bad))?;
        settings.replace_allowed_ips &= !listed.signed;
        settings.allowed_ips.push(listed.entry);
        if listed.entry.prefix.has_host_bits() {
            surroundings.host_bits(listed.written);
        }
    }
    Ok(())
}

fn read_key<S: Surroundings, K>(
    surroundings: &mut S,
    path: &str,
    parse: impl FnOnce(&[u8]) -> Result<K, KeyFileError>,
) -> Result<K, Reason<S::Error>> {
    let content = surroundings.key_file(path).map_err(Reason::Outside)?;
    parse(&content).map_err(|error| match error {
        KeyFileError::Key(error) => {
            let text = content.get(..BASE64_LEN).unwrap_or(&content);
            // wg(8) quotes it as C has texts.
            let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
            bad_key(error, &raw::decode(text))
        }
        error => Reason::KeyFile(error),
    })
}

fn bad_key<E>(error: KeyError, text: &str) -> Reason<E> {
    Reason::Value(BadValue::new(SettingError::Key(error), text))
}
