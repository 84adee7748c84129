//! What `wg show` and `wg showconf` print, byte for byte, and our JSON.
//!
//! All of it goes to a writer, key by key, and nothing is kept: what is printed holds secrets,
//! so the writer must be one that zeroes its buffer.

mod conf;
mod json;
mod pretty;
mod selector;
mod units;

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::device::Device;
use crate::endpoint::{InterfaceNames, Named};
use crate::key::PublicKey;

pub use json::{Document, Secrets};
pub use pretty::Style;
pub use selector::Selector;
pub use units::{bytes, time};

/// A device and what is needed to show it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The interface's name.
    pub name: &'a [u8],
    /// Its state.
    pub device: &'a Device,
    /// The public key that belongs to its private key.
    pub public_key: Option<&'a PublicKey>,
    /// The names of interfaces, for the scopes of link-local endpoints.
    pub names: InterfaceNames<'a>,
}

/// The standard tool keeps this much of an interface's name.
const NAME_LIMIT: usize = 15;

impl View<'_> {
    fn shown_name(&self) -> &[u8] {
        self.name.get(..NAME_LIMIT).unwrap_or(self.name)
    }

    const fn endpoint(&self, address: SocketAddr) -> Named<'_> {
        Named(address, self.names)
    }
}

/// Writes the items with a separator between them.
fn separated<W: Write, T>(
    writer: &mut W,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            writer.write_all(separator.as_bytes())?;
        }
        write(writer, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod testing;
