use std::io::IoSlice;

use hushwire_io::{
    offload::Outgoing,
    tun::{Event, Monitor, Tun, is_gone},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};

use crate::lab::{Namespace, PATIENCE, create, ip, isolated, queue};

/// The next event, waited for.
fn next(monitor: &mut Monitor) -> Event {
    loop {
        if let Some(event) = monitor.next_event().unwrap() {
            return event;
        }
        let mut fds = [PollFd::new(monitor, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&PATIENCE)).unwrap();
        assert_ne!(ready, 0, "no event came");
    }
}

fn expect(monitor: &mut Monitor, events: &[Event]) {
    for event in events {
        assert_eq!(next(monitor), *event);
    }
}

/// A monitor that has told the initial state of a device that is down.
fn monitor(tun: &Tun) -> Monitor {
    let mut monitor = Monitor::open(tun).unwrap();
    expect(&mut monitor, &[Event::Mtu(1420), Event::Down]);
    assert_eq!(monitor.next_event().unwrap(), None);
    monitor
}

#[test]
fn a_monitor_tells_of_changes_in_their_order() {
    isolated(|| {
        let tun = create("seen");
        let mut monitor = monitor(&tun);
        ip("link set seen up");
        ip("link set seen mtu 1300");
        ip("link set seen down");
        ip("link set seen name unseen");
        ip("link set unseen mtu 1500 up");
        let events = [
            Event::Up,
            Event::Mtu(1300),
            Event::Down,
            Event::Renamed("unseen".into()),
            Event::Mtu(1500),
            Event::Up,
        ];
        expect(&mut monitor, &events);
        assert_eq!(monitor.next_event().unwrap(), None);
        assert_eq!(tun.mtu(), 1500);
        assert_eq!(tun.name().unwrap(), "unseen");
    });
}

#[test]
fn a_monitor_ignores_other_interfaces() {
    isolated(|| {
        let tun = create("mine");
        let mut monitor = monitor(&tun);
        let other = create("other");
        ip("link set other up mtu 1234");
        drop(other);
        ip("link set mine mtu 1235");
        expect(&mut monitor, &[Event::Mtu(1235)]);
    });
}

#[test]
fn a_deleted_device_is_gone_for_all() {
    isolated(|| {
        let tun = create("doomed");
        let mut monitor = monitor(&tun);
        ip("link del doomed");
        expect(&mut monitor, &[Event::Deleted]);
        assert_eq!(monitor.next_event().unwrap(), None);
        assert!(is_gone(&tun.name().unwrap_err()));
        assert!(is_gone(&queue(&tun).read(&mut [0; 100]).unwrap_err()));
        let parts = [IoSlice::new(&[0x45; 20])];
        let error = queue(&tun).write(&Outgoing::PLAIN, &parts).unwrap_err();
        assert!(is_gone(&error));
        assert_eq!(tun.mtu(), 1420);
        let mut fds = [PollFd::from_borrowed_fd(queue(&tun).as_fd(), PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&PATIENCE)).unwrap(), 1);
        assert!(fds[0].revents().contains(PollFlags::ERR));
        // The name is free at once.
        create("doomed");
        // A monitor that comes too late.
        assert_eq!(next(&mut Monitor::open(&tun).unwrap()), Event::Deleted);
    });
}

#[test]
fn a_device_is_followed_from_namespace_to_namespace() {
    isolated(|| {
        let (home, second, third) = (Namespace::current(), Namespace::new(), Namespace::new());
        let tun = create("nomad");
        let mut monitor = monitor(&tun);
        ip("link set nomad up");
        expect(&mut monitor, &[Event::Up]);

        ip(&format!("link set nomad netns {}", second.path()));
        // A move sets an interface down.
        expect(&mut monitor, &[Event::Down, Event::Moved]);
        second.ip("link set nomad mtu 1280 up");
        expect(&mut monitor, &[Event::Mtu(1280), Event::Up]);
        assert_eq!(tun.mtu(), 1280);

        // From one foreign namespace to another, under another name.
        second.ip(&format!("link set nomad netns {} name stray", third.path()));
        let events = [Event::Down, Event::Moved, Event::Renamed("stray".into())];
        expect(&mut monitor, &events);
        third.ip("link set stray mtu 1281");
        expect(&mut monitor, &[Event::Mtu(1281)]);
        assert_eq!(tun.mtu(), 1281);
        assert_eq!(tun.name().unwrap(), "stray");

        // An interface at home that now has the name of the one that left.
        let namesake = create("nomad");
        ip("link set nomad mtu 999 up");
        third.ip("link set stray name nomad");
        expect(&mut monitor, &[Event::Renamed("nomad".into())]);
        assert_eq!(tun.mtu(), 1281);
        drop(namesake);

        third.ip(&format!("link set nomad netns {}", home.path()));
        expect(&mut monitor, &[Event::Moved]);
        ip("link set nomad up");
        expect(&mut monitor, &[Event::Up]);
        assert_eq!(monitor.next_event().unwrap(), None);
    });
}

#[test]
fn a_device_that_is_deleted_elsewhere_is_gone() {
    isolated(|| {
        let away = Namespace::new();
        let tun = create("nomad");
        let mut monitor = monitor(&tun);
        ip(&format!("link set nomad netns {}", away.path()));
        expect(&mut monitor, &[Event::Moved]);
        away.ip("link del nomad");
        expect(&mut monitor, &[Event::Deleted]);
        assert!(is_gone(&tun.name().unwrap_err()));
    });
}

#[test]
fn a_device_goes_with_the_namespace_it_is_in() {
    isolated(|| {
        let away = Namespace::new();
        let tun = create("nomad");
        let mut monitor = monitor(&tun);
        ip(&format!("link set nomad netns {}", away.path()));
        expect(&mut monitor, &[Event::Moved]);
        assert_eq!(tun.mtu(), 1420);
        // Nothing that we did may keep the namespace alive.
        drop(away);
        expect(&mut monitor, &[Event::Deleted]);
    });
}

#[test]
fn changes_faster_than_anyone_reads_end_in_the_right_state() {
    isolated(|| {
        let tun = create("busy");
        let mut monitor = monitor(&tun);
        let changes: String = (0..4000)
            .map(|at| format!("link set busy mtu {}\n", 1300 + at % 700))
            .collect();
        let path = std::env::temp_dir().join(format!("hushwire-io-{}", std::process::id()));
        std::fs::write(&path, changes).unwrap();
        ip(&format!("-batch {}", path.display()));
        std::fs::remove_file(&path).unwrap();
        ip("link set busy up");
        let mut last = None;
        loop {
            match next(&mut monitor) {
                Event::Mtu(mtu) => last = Some(mtu),
                Event::Up => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(last, Some(1300 + 3999 % 700));
        assert_eq!(monitor.next_event().unwrap(), None);
    });
}

#[test]
fn without_privilege_a_device_is_followed_as_far_as_it_can_be_seen() {
    isolated(|| {
        let away = Namespace::new();
        let tun = create("humble");
        let mut monitor = monitor(&tun);
        ip("link set humble mtu 1300 up");
        unprivileged(|| {
            expect(&mut monitor, &[Event::Mtu(1300), Event::Up]);
            assert_eq!(tun.mtu(), 1300);
        });
        ip(&format!("link set humble netns {}", away.path()));
        // It may be up again any time, unseen.
        let events = [Event::Down, Event::Moved, Event::Up];
        unprivileged(|| expect(&mut monitor, &events));
        away.ip("link set humble mtu 1301");
        // Another interface of that name is not taken for it.
        let _namesake = create("humble");
        ip("link set humble mtu 999");
        unprivileged(|| assert_eq!(tun.mtu(), 1300));
        away.ip("link del humble");
        unprivileged(|| expect(&mut monitor, &[Event::Deleted]));
    });
}

#[test]
fn a_device_without_privilege_is_found_again_at_home() {
    isolated(|| {
        let (home, away) = (Namespace::current(), Namespace::new());
        let tun = create("humble");
        let mut monitor = monitor(&tun);
        ip(&format!("link set humble netns {}", away.path()));
        unprivileged(|| expect(&mut monitor, &[Event::Moved, Event::Up]));
        away.ip(&format!("link set humble netns {}", home.path()));
        ip("link set humble mtu 1301");
        let events = [Event::Moved, Event::Mtu(1301), Event::Down];
        unprivileged(|| expect(&mut monitor, &events));
    });
}

/// Runs `act` without any capability.
fn unprivileged<T>(act: impl FnOnce() -> T) -> T {
    let all = capabilities(None).unwrap();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        ..all
    };
    set_capabilities(None, none).unwrap();
    let value = act();
    set_capabilities(None, all).unwrap();
    value
}
