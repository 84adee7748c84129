//! A kernel that answers what it is told to.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::constants::{CMD_GET_DEVICE, VERSION};
use super::write::Messages;
use super::{Client, Device, Update};
use crate::Result;
use crate::genetlink::{Command, GenericNetlink, Wire};

/// The number of the family, which is the type of its messages.
const FAMILY: u16 = 0x1f;
/// `NLMSG_DONE`.
const DONE: u16 = 3;

struct Script(VecDeque<Vec<u8>>);

impl Wire for Script {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        let datagram = self.0.pop_front().ok_or(io::ErrorKind::TimedOut)?;
        let len = datagram.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram[..len]);
        Ok(datagram.len())
    }
}

pub(crate) fn device(datagrams: Vec<Vec<u8>>) -> Result<Device> {
    let mut client = Client {
        netlink: GenericNetlink::over(Script(datagrams.into())),
        family: FAMILY,
    };
    client.device(b"wg0")
}

pub(crate) fn told(update: &Update, limit: usize) -> Result<Device> {
    let command = Command {
        family: FAMILY,
        command: CMD_GET_DEVICE,
        version: VERSION,
    };
    let messages = Messages::new(command, b"wg0", update, limit);
    let mut datagrams: Vec<Vec<u8>> = messages
        .map(|message| message.finish().to_vec())
        .map(numbered)
        .collect();
    let mut done = vec![0; 20];
    done[0] = 20;
    done[4..6].copy_from_slice(&DONE.to_ne_bytes());
    datagrams.push(numbered(done));
    device(datagrams)
}

/// As an answer to the first request.
fn numbered(mut message: Vec<u8>) -> Vec<u8> {
    message[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    message
}
