//! Switching off offloads that do not work, by flag and by environment.

use std::fmt;

use hushwire_io::offload::{Offload, OffloadSet};
use hushwire_io::udp::UdpOptions;

/// The environment variable with the names of the offloads not to use.
pub(crate) const VARIABLE: &str = "HUSHWIRE_DISABLE";

const UDP_GSO: &str = "udp-gso";
const UDP_GRO: &str = "udp-gro";
const ALL: &str = "all";

/// The offloads that are to be tried for. All of them, unless something was switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offloads {
    pub(crate) tun: OffloadSet,
    udp_gso: bool,
    udp_gro: bool,
}

/// There is no offload of this name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownOffload(String);

impl fmt::Display for UnknownOffload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = names().collect();
        write!(
            f,
            "there is no offload `{}` to disable: choose from {}",
            self.0,
            names.join(", ")
        )
    }
}

impl Default for Offloads {
    fn default() -> Self {
        Self {
            tun: OffloadSet::ALL,
            udp_gso: true,
            udp_gro: true,
        }
    }
}

impl Offloads {
    /// Switches off what a list such as `tun-uso,udp-gso` names. Empty elements are nothing.
    pub(crate) fn disable(&mut self, list: &str) -> Result<(), UnknownOffload> {
        let names = list.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            self.disable_one(name)?;
        }
        Ok(())
    }

    fn disable_one(&mut self, name: &str) -> Result<(), UnknownOffload> {
        match name {
            ALL => {
                *self = Self {
                    tun: OffloadSet::NONE,
                    udp_gso: false,
                    udp_gro: false,
                }
            }
            UDP_GSO => self.udp_gso = false,
            UDP_GRO => self.udp_gro = false,
            _ => {
                let of_tun = Offload::ALL.into_iter().find(|known| known.name() == name);
                let offload = of_tun.ok_or_else(|| UnknownOffload(name.to_owned()))?;
                *switch(&mut self.tun, offload) = false;
            }
        }
        Ok(())
    }

    /// Options for UDP sockets with these offloads and otherwise the usual values.
    pub(crate) fn udp(&self) -> UdpOptions {
        UdpOptions {
            gso: self.udp_gso,
            gro: self.udp_gro,
            ..UdpOptions::default()
        }
    }
}

/// What may stand in a list, in the order of the help text.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let tun = Offload::ALL.into_iter().map(Offload::name);
    tun.chain([UDP_GSO, UDP_GRO, ALL])
}

fn switch(set: &mut OffloadSet, offload: Offload) -> &mut bool {
    match offload {
        Offload::Checksum => &mut set.checksum,
        Offload::Tso4 => &mut set.tso4,
        Offload::Tso6 => &mut set.tso6,
        Offload::Uso => &mut set.uso,
        Offload::TcpMerge4 => &mut set.tcp_merge4,
        Offload::TcpMerge6 => &mut set.tcp_merge6,
        Offload::UdpMerge => &mut set.udp_merge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(list: &str) -> Offloads {
        let mut offloads = Offloads::default();
        offloads.disable(list).unwrap();
        offloads
    }

    #[test]
    fn every_name_switches_off_one_thing_alone() {
        let on = |offloads: Offloads| {
            let tun = Offload::ALL.into_iter();
            let udp = [offloads.udp().gso, offloads.udp().gro];
            tun.map(|offload| *switch(&mut offloads.tun.clone(), offload))
                .chain(udp)
                .filter(|on| *on)
                .count()
        };
        let all = on(Offloads::default());
        for name in names().filter(|name| *name != ALL) {
            assert_eq!(on(without(name)), all - 1, "{name}");
        }
        assert_eq!(on(without(ALL)), 0);
    }

    #[test]
    fn the_manual_names_them_all() {
        let options = crate::manual::DAEMON.options.iter();
        let disable = options.clone().find(|option| option.name == "--disable");
        let names = names().collect::<Vec<_>>().join(", ");
        assert!(disable.unwrap().summary.ends_with(&names), "{names}");
    }

    #[test]
    fn lists_add_up() {
        let some = without(" tun-uso, ,udp-gro");
        assert!(!some.tun.uso && some.tun.tso4);
        assert!(some.udp().gso && !some.udp().gro);
        assert_eq!(without(""), Offloads::default());
    }

    #[test]
    fn a_wrong_name_is_told_with_the_right_ones() {
        let error = Offloads::default()
            .clone()
            .disable("udp-gso,gso")
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`gso`") && text.contains("tun-tso4, "),
            "{text}"
        );
    }
}
