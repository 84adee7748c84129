//! A configuration that is up.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use hushwire_config::conf::Config;
use hushwire_config::device::Device;
use hushwire_config::uapi::DeviceControl;
use hushwire_config::update::{DeviceUpdate, PeerAction};
use hushwire_engine::uapi::ControlSocket;
use hushwire_engine::{Engine, Level, Logger, Options};
use hushwire_io::tun::{Tun, TunOptions};
use hushwire_io::udp::UdpOptions;
use hushwire_netlink::Netlink;

use super::configuration::{Configuration, warn};
use super::default_route::DefaultRoutes;
use super::engine::{RunningEngine, apply};
use super::error::Error;
use super::ipv6::Ipv6;
use super::routes::{self, Routing};
use super::{hooks, interface, mtu};
use crate::offloads::Offloads;

/// A tunnel that is up. Dropping it takes it down, without the file's commands; the fields go in
/// their order.
pub(super) struct Tunnel<'a> {
    config: &'a Config,
    interface: String,
    port: u16,
    _default_routes: Option<DefaultRoutes>,
    _engine: RunningEngine,
    // With it go the interface, its addresses and its routes.
    _tun: Tun,
}

impl<'a> Tunnel<'a> {
    /// Brings a configuration up, in the order of wg-quick(8). Sends a word when the device ends.
    pub(super) fn up(
        configuration: &'a Configuration,
        update: DeviceUpdate,
        offloads: &Offloads,
        end: Sender<()>,
    ) -> Result<Self, Error> {
        let config = &configuration.config;
        let options = TunOptions {
            offloads: offloads.tun,
            ..TunOptions::default()
        };
        let tun = Tun::create(&configuration.interface, &options).map_err(Error::Tun)?;
        let name = tun.name().map_err(Error::TunName)?;
        let socket = ControlSocket::bind(&name).map_err(Error::Socket)?;
        hooks::run("PreUp", &name, &config.interface.pre_up)?;

        let mut netlink = Netlink::open()?;
        let index = netlink.index_of(&name)?;
        let ipv6 = Ipv6::of(&name, config)?;
        if ipv6 == Ipv6::Off {
            warn(&"IPv6 is off on this host: IPv6 addresses and routes are left out");
        }
        let routing = Routing::plan(config, &mut netlink, ipv6)?;
        let own_mark = update.fwmark.filter(|mark| *mark != 0);
        let fwmark = own_mark.or_else(|| routing.mark()).unwrap_or(0);
        let mtu = match config.interface.mtu {
            Some(mtu) => *mtu,
            None => mtu::choose(&endpoints(&update), fwmark, &mut netlink),
        };
        let options = Options {
            log: Logger::new(log_level(), &name),
            udp: UdpOptions {
                port: update.listen_port.unwrap_or(0),
                fwmark,
                ..offloads.udp()
            },
            control_socket: Some(socket),
        };
        let (engine, port) = start(&tun, options, update, end)?;
        interface::set_up(&mut netlink, index, config, ipv6, mtu)?;
        let mut default_routes = routes::add(routing, config, ipv6, &mut netlink, index)?;
        if let Some(routes) = &mut default_routes {
            routes.guard(&name, index)?;
        }
        let tunnel = Self {
            config,
            interface: name,
            port,
            _default_routes: default_routes,
            _engine: engine,
            _tun: tun,
        };
        hooks::run("PostUp", &tunnel.interface, &config.interface.post_up)?;
        Ok(tunnel)
    }

    /// What is up, in one line.
    pub(super) fn summary(&self) -> String {
        let addresses = &self.config.interface.addresses;
        let addresses = match addresses.len() {
            0 => "no address".to_owned(),
            _ => addresses
                .iter()
                .map(|address| address.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        };
        let peers = match self.config.peers.len() {
            1 => "1 peer".to_owned(),
            many => format!("{many} peers"),
        };
        let (interface, port) = (&self.interface, self.port);
        format!("{interface} is up: {addresses}, listening on {port}, {peers}")
    }

    /// Takes everything down, with the file's commands. All of it is done; the first failure is
    /// returned.
    pub(super) fn down(self) -> Result<(), Error> {
        let commands = &self.config.interface;
        let interface = self.interface.clone();
        let before = hooks::run("PreDown", &interface, &commands.pre_down);
        drop(self);
        let after = hooks::run("PostDown", &interface, &commands.post_down);
        before.and(after)
    }
}

/// Starts the engine and gives it its keys and peers. Returns the port that it listens on too.
fn start(
    tun: &Tun,
    options: Options,
    update: DeviceUpdate,
    end: Sender<()>,
) -> Result<(RunningEngine, u16), Error> {
    let engine = Engine::start(tun, options).map_err(Error::Start)?;
    let mut control = engine.control();
    let engine = RunningEngine::new(engine, end);
    // The engine has them from its start, which says in full what is wrong with them.
    let update = DeviceUpdate {
        listen_port: None,
        fwmark: None,
        ..update
    };
    apply(&mut control, &update).map_err(Error::Configure)?;
    let mut device = Device::default();
    control.snapshot(&mut device);
    Ok((engine, device.listen_port))
}

fn endpoints(update: &DeviceUpdate) -> Vec<SocketAddr> {
    let peers = update.peers.iter();
    peers
        .filter_map(|peer| match &peer.action {
            PeerAction::Set(settings) => settings.endpoint,
            PeerAction::Remove => None,
        })
        .collect()
}

fn log_level() -> Level {
    let value = std::env::var_os("LOG_LEVEL").unwrap_or_default();
    Level::from_env(&value.to_string_lossy())
}
