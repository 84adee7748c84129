use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};

use crate::address::family_of;
use crate::{Netlink, Prefix, Result};

/// The routing table that is used when none is named (`main`).
pub const MAIN_TABLE: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// A unicast route. Made with [`Route::to`] and refined: `Route::to(prefix).via(gateway).table(51820)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to. Host bits are ignored.
    pub destination: Prefix,
    /// The next hop, when it is not on the link itself.
    pub gateway: Option<IpAddr>,
    /// Index of the interface it goes out of.
    pub device: Option<u32>,
    /// Number of the routing table.
    pub table: u32,
    /// Among routes to the same destination the lowest wins. None: the kernel's default.
    pub metric: Option<u32>,
    /// The path's MTU in bytes, when it is lower than the interface's.
    pub mtu: Option<u32>,
    /// The source address that packets get when they have none yet.
    pub source: Option<IpAddr>,
}

/// The way that a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Index of the interface it leaves by.
    pub device: u32,
    /// The path's MTU in bytes, when it is known to be another than the interface's.
    pub mtu: Option<u32>,
}

/// Which routes to list; what is left out matches everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteFilter {
    /// Only this table.
    pub table: Option<u32>,
    /// Only routes out of the interface with this index.
    pub device: Option<u32>,
}

impl Route {
    /// A route to a destination in the main table. It needs a device, a gateway, or both.
    #[must_use]
    pub fn to(destination: Prefix) -> Self {
        Self {
            destination: destination.network(),
            gateway: None,
            device: None,
            table: MAIN_TABLE,
            metric: None,
            mtu: None,
            source: None,
        }
    }

    /// Through this next hop.
    #[must_use]
    pub fn via(self, gateway: IpAddr) -> Self {
        Self {
            gateway: Some(gateway),
            ..self
        }
    }

    /// Out of the interface with this index.
    #[must_use]
    pub fn on(self, device: u32) -> Self {
        Self {
            device: Some(device),
            ..self
        }
    }

    /// In the routing table with this number.
    #[must_use]
    pub fn table(self, table: u32) -> Self {
        Self { table, ..self }
    }

    /// With this metric.
    #[must_use]
    pub fn metric(self, metric: u32) -> Self {
        Self {
            metric: Some(metric),
            ..self
        }
    }

    /// With this path MTU in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u32) -> Self {
        Self {
            mtu: Some(mtu),
            ..self
        }
    }

    /// With this preferred source address.
    #[must_use]
    pub fn source(self, source: IpAddr) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = family_of(self.destination.address());
        header.destination_prefix_length = self.destination.length();
        header.protocol = RouteProtocol::Boot;
        header.kind = RouteType::Unicast;
        header.scope = match self.gateway {
            None if self.destination.is_ipv4() => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        // Numbers past a byte only fit in the attribute, which wins over the header where it is given.
        header.table = u8::try_from(self.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);

        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Table(self.table));
        if self.destination.length() > 0 {
            let network = RouteAddress::from(self.destination.network().address());
            attributes.push(RouteAttribute::Destination(network));
        }
        attributes.extend(self.gateway.map(|ip| RouteAttribute::Gateway(ip.into())));
        attributes.extend(self.device.map(RouteAttribute::Oif));
        attributes.extend(self.metric.map(RouteAttribute::Priority));
        attributes.extend(self.source.map(|ip| RouteAttribute::PrefSource(ip.into())));
        attributes.extend(
            self.mtu
                .map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])),
        );
        message
    }
}

impl Netlink {
    /// Adds a route.
    ///
    /// # Errors
    /// When there is such a route already (see [`crate::Error::is_already_there`]), the gateway cannot be reached,
    /// or the interface is down.
    pub fn add_route(&mut self, route: &Route) -> Result<()> {
        let described = self.describe(route);
        let message = RouteNetlinkMessage::NewRoute(route.message());
        self.request(message, NLM_F_CREATE | NLM_F_EXCL, || {
            format!("add route {described}")
        })
    }

    /// Adds a route in the place of one to the same destination with the same metric, if there is one.
    ///
    /// # Errors
    /// As for [`Netlink::add_route`], but for an existing route.
    pub fn replace_route(&mut self, route: &Route) -> Result<()> {
        let described = self.describe(route);
        let message = RouteNetlinkMessage::NewRoute(route.message());
        self.request(message, NLM_F_CREATE | NLM_F_REPLACE, || {
            format!("replace route {described}")
        })
    }

    /// Deletes the first route that matches in all that is given.
    ///
    /// # Errors
    /// When there is none (see [`crate::Error::is_missing`]).
    pub fn delete_route(&mut self, route: &Route) -> Result<()> {
        let described = self.describe(route);
        let mut message = route.message();
        message.header.protocol = RouteProtocol::Unspec;
        message.header.scope = RouteScope::NoWhere;
        let message = RouteNetlinkMessage::DelRoute(message);
        self.request(message, 0, || format!("delete route {described}"))
    }

    /// The unicast routes of both families that match a filter, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel refuses the request.
    pub fn routes(&mut self, filter: RouteFilter) -> Result<Vec<Route>> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.dump(&request, || "list the routes".to_owned())?;
        let routes = answers.into_iter().filter_map(parse_route);
        Ok(routes.filter(|route| filter.matches(route)).collect())
    }

    /// The way that a packet of this host without a mark takes now; none when there is no route.
    ///
    /// # Errors
    /// When the kernel refuses to tell, for another reason than that there is none.
    pub fn path_to(&mut self, destination: IpAddr) -> Result<Option<Path>> {
        let prefix = Prefix::host(destination);
        let mut message = RouteMessage::default();
        message.header.address_family = family_of(destination);
        message.header.destination_prefix_length = prefix.length();
        let attribute = RouteAttribute::Destination(destination.into());
        message.attributes.push(attribute);
        let message = RouteNetlinkMessage::GetRoute(message);
        match self.query(message, || format!("look up the route to {destination}")) {
            Ok(answers) => Ok(answers.iter().find_map(parse_path)),
            Err(error) if is_unreachable(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The numbers of the tables with a route in them, of whatever kind, in either family.
    ///
    /// # Errors
    /// When the kernel refuses the request.
    pub fn used_tables(&mut self) -> Result<BTreeSet<u32>> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.dump(&request, || "list the routes".to_owned())?;
        Ok(answers.iter().filter_map(table_of).collect())
    }

    fn describe(&self, route: &Route) -> Description {
        Description {
            route: *route,
            device: route.device.map(|index| self.name_or_index(index)),
        }
    }
}

impl RouteFilter {
    fn matches(&self, route: &Route) -> bool {
        self.table.is_none_or(|table| table == route.table)
            && self
                .device
                .is_none_or(|device| Some(device) == route.device)
    }
}

/// A route in words, for errors.
struct Description {
    route: Route,
    device: Option<String>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.route.destination.network())?;
        if let Some(gateway) = self.route.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(device) = &self.device {
            write!(f, " dev {device}")?;
        }
        if self.route.table != MAIN_TABLE {
            write!(f, " table {}", self.route.table)?;
        }
        if let Some(metric) = self.route.metric {
            write!(f, " metric {metric}")?;
        }
        Ok(())
    }
}

pub(crate) fn parse_route(message: RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    if message.header.kind != RouteType::Unicast {
        return None;
    }
    let any = match message.header.address_family {
        netlink_packet_route::AddressFamily::Inet => Prefix::ALL_V4,
        netlink_packet_route::AddressFamily::Inet6 => Prefix::ALL_V6,
        _ => return None,
    };
    let mut route = Route::to(any).table(u32::from(message.header.table));
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                route.destination =
                    Prefix::new(ip(&address)?, message.header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Gateway(address) => route.gateway = ip(&address),
            RouteAttribute::PrefSource(address) => route.source = ip(&address),
            RouteAttribute::Oif(index) => route.device = Some(index),
            RouteAttribute::Priority(metric) => route.metric = Some(metric),
            RouteAttribute::Table(table) => route.table = table,
            RouteAttribute::Metrics(metrics) => route.mtu = mtu_of(&metrics),
            _ => {}
        }
    }
    Some(route)
}

pub(crate) fn table_of(message: &RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    let attributes = message.attributes.iter();
    let mut table = attributes.filter_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    Some(
        table
            .next_back()
            .unwrap_or_else(|| message.header.table.into()),
    )
}

pub(crate) fn parse_path(message: &RouteNetlinkMessage) -> Option<Path> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    let mut path = Path {
        device: 0,
        mtu: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => path.device = *index,
            RouteAttribute::Metrics(metrics) => path.mtu = mtu_of(metrics),
            _ => {}
        }
    }
    (path.device != 0).then_some(path)
}

fn mtu_of(metrics: &[RouteMetric]) -> Option<u32> {
    metrics.iter().find_map(|metric| match metric {
        RouteMetric::Mtu(mtu) => Some(*mtu),
        _ => None,
    })
}

/// What the kernel says where there is no route, or one that refuses.
fn is_unreachable(error: &crate::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL)
    )
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}
