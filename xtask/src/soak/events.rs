//! What befalls the tunnels.

use std::fmt::Write as _;
use std::time::Duration;

use hushwire_lab::{Faults, Nat};

use super::report::Report;
use super::scene::{Place, Scene, set};
use crate::error::Result;

/// Peers that come at once.
const CROWD: u64 = 50;

/// Lets one thing happen at a time, in an order that the seed says.
pub(super) struct Events<'a> {
    scene: &'a Scene,
    nat: Option<Nat<'a>>,
    state: u64,
    /// Whether the roaming end is at its second address.
    away: bool,
    /// The number of the first of the crowd that is there, if it is.
    crowd: Option<u64>,
    calm: bool,
}

impl<'a> Events<'a> {
    pub(super) fn new(scene: &'a Scene, seed: u64) -> Self {
        Self {
            scene,
            nat: None,
            state: seed,
            away: false,
            crowd: None,
            calm: false,
        }
    }

    /// Marsaglia's xorshift of 64 bits over a Weyl sequence: good enough to choose.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 33;
        mixed % bound.max(1)
    }

    /// Something, or nothing: every other second is a quiet one.
    pub(super) fn next(&mut self, report: &Report) -> Result<()> {
        let choice = self.below(16);
        if choice < 8 {
            report.happened();
        }
        match choice {
            0 => self.weather(),
            1 => self.rebind()?,
            2 => self.roam()?,
            3 => self.crowd()?,
            4 => self.port()?,
            5 => self.keepalive()?,
            6 => self.mtu()?,
            7 => self.allowed_ips()?,
            _ => {}
        }
        Ok(())
    }

    /// Everything as it should be; nothing more happens.
    pub(super) fn calm_down(&mut self) -> Result<()> {
        if self.calm {
            return Ok(());
        }
        self.calm = true;
        self.scene.link.set(Faults::default());
        if self.crowd.is_some() {
            self.crowd()?;
        }
        Ok(())
    }

    fn weather(&mut self) {
        let seed = self.below(u64::MAX);
        let faults = Faults {
            loss: self.below(20) as f64 / 1000.0,
            duplicate: self.below(20) as f64 / 1000.0,
            reorder: self.below(20) as f64 / 1000.0,
            corrupt: self.below(5) as f64 / 1000.0,
            delay: Duration::from_millis(self.below(10)),
            jitter: Duration::from_millis(self.below(5)),
            seed,
            ..Faults::default()
        };
        self.scene.link.set(faults);
    }

    fn rebind(&mut self) -> Result<()> {
        let nat = match self.nat.take() {
            Some(nat) => nat,
            None => Nat::new(&self.scene.router, "out")?,
        };
        nat.rebind()?;
        self.nat = Some(nat);
        Ok(())
    }

    fn roam(&mut self) -> Result<()> {
        let addresses = ["10.3.0.1/24", "10.3.0.77/24"];
        let (from, to) = (usize::from(self.away), usize::from(!self.away));
        let host = &self.scene.roaming.left;
        host.delete_address("eth0", addresses[from])?;
        host.address("eth0", addresses[to])?;
        self.away = !self.away;
        Ok(())
    }

    /// Peers come, each with addresses of its own and a place where nobody is; or those that are there go.
    fn crowd(&mut self) -> Result<()> {
        let (first, goes) = match self.crowd.take() {
            Some(first) => (first, true),
            None => (1 + self.below(1 << 40), false),
        };
        let mut lines = String::new();
        for number in first..first + CROWD {
            let _ = writeln!(lines, "public_key={:016x}{}", number, "5a".repeat(24));
            if goes {
                lines.push_str("remove=true\n");
            } else {
                let [.., b, c, d] = number.to_be_bytes();
                let _ = write!(
                    lines,
                    "endpoint=10.3.0.200:9\npersistent_keepalive_interval=1\nallowed_ip=10.{b}.{c}.{d}/32\n"
                );
            }
        }
        for (host, end) in self.scene.roaming.ends() {
            set(host, &end.interface, &lines)?;
        }
        self.crowd = (!goes).then_some(first);
        Ok(())
    }

    fn any_place(&mut self) -> &'a Place {
        let [one, two, three] = self.scene.places();
        match self.below(3) {
            0 => one,
            1 => two,
            _ => three,
        }
    }

    /// The left end gets another port; the right one follows.
    fn port(&mut self) -> Result<()> {
        let place = self.any_place();
        let port = 40_000 + self.below(10_000);
        let interface = &place.tunnel.left.interface;
        set(&place.left, interface, &format!("listen_port={port}\n"))
    }

    /// Often enough that a right end whose peer was moved by a router need not wait long: until then it speaks to nobody.
    fn keepalive(&mut self) -> Result<()> {
        let place = self.any_place();
        let seconds = 1 + self.below(3);
        let peer = place.tunnel.right.keys.public_hex();
        let lines = format!("public_key={peer}\npersistent_keepalive_interval={seconds}\n");
        set(&place.left, &place.tunnel.left.interface, &lines)
    }

    fn mtu(&mut self) -> Result<()> {
        let place = self.any_place();
        let mtu = 1280 + self.below(141);
        for (host, end) in place.ends() {
            host.mtu(&end.interface, mtu as u32)?;
        }
        Ok(())
    }

    /// The same addresses anew, in one step: nothing may fall between.
    fn allowed_ips(&mut self) -> Result<()> {
        let place = self.any_place();
        for ((host, end), (_, other)) in
            place.ends().into_iter().zip(place.ends().into_iter().rev())
        {
            let lines = format!(
                "public_key={}\nreplace_allowed_ips=true\nallowed_ip={}/32\nallowed_ip={}/128\n",
                other.keys.public_hex(),
                other.ipv4,
                other.ipv6
            );
            set(host, &end.interface, &lines)?;
        }
        Ok(())
    }
}
