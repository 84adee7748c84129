//! Datagrams into a device with live sessions. The fuzzer is on the path and holds the private keys
//! of all peers and the keys of all sessions, so that it gets past every authenticator; it has the
//! time, the addresses and the load of the device in its hands as well. [`world`] says what must
//! hold after each step, and in the end, left alone for a minute or two, every tunnel carries packets.

mod attacker;
pub(crate) mod harness;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use harness::host::Style;

use crate::input::Input;
use attacker::Attacker;
use world::{HOSTS, Network, VICTIM, World};

const STEPS_MAX: usize = 60;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let setup = input.byte();
    let style = if setup & 1 == 0 {
        Style::Embedder
    } else {
        Style::DataPath
    };
    let mut world = World::new(style);
    let mut attacker = Attacker::new(&world);
    for peer in 1..HOSTS {
        // Who has initiated is not the same on both sides of a rekey.
        match setup >> peer & 1 {
            0 => world.ping(VICTIM, peer),
            _ => world.ping(peer, VICTIM),
        }
    }
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut world, &mut attacker, &mut input);
        attacker.watch(&mut world);
    }
    world.recover();
}

fn step(world: &mut World, attacker: &mut Attacker, input: &mut Input<'_>) {
    let peer = 1 + input.below(HOSTS - 1);
    let from = address(world, input);
    match input.below(16) {
        0 => world.attack(from, input.byte(), input.piece(250)),
        1 => {
            let bytes = attacker.addressed(world, input);
            world.attack(from, 0, &bytes);
        }
        2 => {
            let bytes = attacker.replayed(world, input);
            world.attack(from, input.byte(), &bytes);
        }
        3 | 4 => {
            let bytes = attacker.initiation(world, peer, input);
            world.attack(from, 0, &bytes);
        }
        5 => {
            if let Some(bytes) = attacker.response(world, peer, input) {
                world.attack(from, 0, &bytes);
            }
        }
        6..=8 => {
            if let Some(bytes) = attacker.data(world, peer, input) {
                world.attack(from, input.byte(), &bytes);
            }
        }
        9 => {
            if let Some(bytes) = attacker.cookie_reply(world, peer, input) {
                world.attack(from, 0, &bytes);
            }
        }
        10 => {
            let (sender, receiver) = match input.bool() {
                true => (VICTIM, peer),
                false => (peer, VICTIM),
            };
            for _ in 0..input.pick(&[1, 1, 1, 3, 140]) {
                world.send(sender, receiver, input.below(1400));
            }
        }
        11 => world.plaintext(input.piece(250)),
        12 => wait(world, input),
        13 => world.load(),
        14 => world.network = input.pick(&[Network::Up, Network::Down, Network::Held]),
        _ => configure(world, peer, input),
    }
}

/// An address of the attacker's, or one that is not.
fn address(world: &World, input: &mut Input<'_>) -> SocketAddr {
    match input.below(8) {
        host @ 0..HOSTS => world.hosts[host].address,
        6 => SocketAddr::from(([0x2001_u16, 0xdb8, 0, 0, 0, 0, 0, 9], 7)),
        other => SocketAddr::from(([203, 0, 113, other as u8], 51820)),
    }
}

fn wait(world: &mut World, input: &mut Input<'_>) {
    let time = match input.below(4) {
        0 => Duration::from_millis(input.byte().into()),
        1 => Duration::from_millis(100 * u64::from(input.byte())),
        2 => Duration::from_secs(input.byte().into()),
        _ => return world.suspend(Duration::from_secs(u64::from(input.byte()) * 30)),
    };
    world.advance(time);
}

fn configure(world: &mut World, peer: usize, input: &mut Input<'_>) {
    match input.below(5) {
        0 => world.set_up(false),
        1 => world.set_up(true),
        2 => world.set_keepalive(peer, input.byte() % 40),
        3 => world.set_endpoint(peer),
        _ => world.move_host(peer, input.byte()),
    }
}
