//! `genkey`, `genpsk` and `pubkey`: the key commands of wg(8), byte for byte.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use hushwire_config::key::{BASE64_LEN, KEY_LEN, PresharedKey, PrivateKey, PublicKey};
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;
use zeroize::{Zeroize, Zeroizing};

/// Permission bits that let other users at a file.
const WORLD: u32 = 0o007;

/// Runs the command that the first word names, if it is one of the three. The name of the
/// program stands before its messages and in its usage as it was called.
pub(crate) fn command(program: &OsStr, words: &[OsString]) -> Option<ExitCode> {
    let (verb, operands) = words.split_first()?;
    let work = match verb.to_str()? {
        "genkey" => generate_private_key,
        "genpsk" => generate_preshared_key,
        "pubkey" => derive_public_key,
        _ => return None,
    };
    let program = program.to_string_lossy();
    let mut stderr = io::stderr();
    if !operands.is_empty() {
        let _ = writeln!(stderr, "Usage: {program} {}", verb.to_string_lossy());
        return Some(ExitCode::FAILURE);
    }
    Some(match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Input(what)) => {
            let _ = writeln!(stderr, "{program}: {what}");
            ExitCode::FAILURE
        }
        Err(Error::Entropy(error)) => {
            let _ = writeln!(stderr, "getrandom: {error}");
            ExitCode::FAILURE
        }
    })
}

enum Error {
    /// Standard input is not a key.
    Input(&'static str),
    /// The system has no random numbers.
    Entropy(getrandom::Error),
}

const NOT_A_KEY: Error = Error::Input("Key is not the correct length or format");
const TRAILING: Error = Error::Input("Trailing characters found after key");

fn generate_private_key() -> Result<(), Error> {
    warn_if_world_accessible();
    let key = PrivateKey::generate(*random()?);
    print(key.to_base64().as_str());
    Ok(())
}

fn generate_preshared_key() -> Result<(), Error> {
    warn_if_world_accessible();
    let key = PresharedKey::generate(*random()?);
    print(key.to_base64().as_str());
    Ok(())
}

fn derive_public_key() -> Result<(), Error> {
    let mut stdin = io::stdin().lock();
    let mut text = Zeroizing::new([0; BASE64_LEN]);
    stdin.read_exact(&mut *text).map_err(|_| NOT_A_KEY)?;
    let mut rest = [0; 256];
    loop {
        match stdin.read(&mut rest) {
            Ok(0) => break,
            Ok(length) if rest.iter().take(length).all(is_blank) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                rest.zeroize();
                return Err(TRAILING);
            }
        }
    }
    let key = PrivateKey::from_base64(*text).map_err(|_| NOT_A_KEY)?;
    let public = PublicKey::new(DefaultCrypto::public_key(key.clamped().as_bytes()));
    print(public.to_base64().as_str());
    Ok(())
}

/// What may follow a key: what isspace(3) calls white space, and NUL.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}

fn random() -> Result<Zeroizing<[u8; KEY_LEN]>, Error> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(&mut *bytes).map_err(Error::Entropy)?;
    Ok(bytes)
}

fn warn_if_world_accessible() {
    let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() else {
        return;
    };
    let Ok(metadata) = File::from(stdout).metadata() else {
        return;
    };
    if metadata.is_file() && metadata.mode() & WORLD != 0 {
        let _ = io::stderr().write_all(
            b"Warning: writing to world accessible file.\n\
              Consider setting the umask to 077 and trying again.\n",
        );
    }
}

/// wg(8) takes no notice of errors on standard output.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.write_all(b"\n");
}
