//! What happens to a TUN device's interface.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::epoll,
    io::{Errno, fcntl_dupfd_cloexec},
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};

use super::{
    Tun,
    link::{Link, LinkState, NamespaceId, Unknown},
    netlink::{LinkInfo, Message, Socket},
};

/// A change to a TUN device's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The MTU is now this, in bytes.
    Mtu(u32),
    /// The interface was set up (`ip link set … up`).
    Up,
    /// The interface was set down.
    Down,
    /// The interface has this name now.
    Renamed(String),
    /// The interface went to another network namespace. If it was up, this comes after
    /// [`Down`](Self::Down): a move sets an interface down.
    Moved,
    /// The interface was deleted. Nothing follows. If the network namespace that it had moved
    /// to was deleted with it, this may come a second late; the device's queues say it at once
    /// ([`is_gone`](super::is_gone)).
    Deleted,
}

/// How often an interface is looked at that sends no events.
const POLL_SECONDS: i64 = 1;

/// Follows a TUN device's interface through changes, renames, moves to other network
/// namespaces, and its end.
///
/// Events come from rtnetlink, from the namespace in which the monitor was opened and, once
/// the interface has moved, from the one where it is then. The latter needs CAP_NET_ADMIN there
/// and, when the monitor is opened, CAP_NET_BROADCAST. A process that lacks them looks at what it
/// can see once a second: with CAP_NET_ADMIN everything, without just whether the interface still
/// exists. Out of sight, it counts as being up.
///
/// Nothing is lost in between: whenever the interface is found in a new place, or events were
/// dropped for want of memory, its state is read anew and the differences are reported. But
/// changes that cancel out meanwhile are not.
#[derive(Debug)]
pub struct Monitor {
    /// Keeps the device alive as its queues do.
    tun: OwnedFd,
    link: Link,
    socket: Socket,
    /// Hears of other namespaces while the interface is in one, if the process may.
    everywhere: Option<Socket>,
    buffer: Vec<u8>,
    listening: Listening,
    timer: OwnedFd,
    /// Readable when a socket or `timer` is.
    epoll: OwnedFd,
    place: Place,
    known: Option<LinkInfo>,
    pending: VecDeque<Event>,
}

/// Where the interface was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unseen,
    /// In the namespace in which the monitor was opened, which may have a number for itself.
    Home {
        number: Option<i32>,
    },
    Away {
        namespace: Option<NamespaceId>,
        number: Option<i32>,
    },
    Hidden,
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    AtHome,
    Everywhere,
}

impl Monitor {
    /// Starts to follow the interface of `tun`. The first events tell its MTU and whether it
    /// is up.
    ///
    /// Opened in the calling thread's network namespace, usually the one in which the device
    /// was made.
    ///
    /// # Errors
    ///
    /// If the process has too many open files, or no access to rtnetlink.
    pub fn open(tun: &Tun) -> io::Result<Self> {
        let socket = Socket::for_link_events()?;
        let everywhere = Socket::for_link_events_everywhere().ok();
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let unused = epoll::EventData::new_u64(0);
        epoll::add(&epoll, &socket, unused, epoll::EventFlags::IN)?;
        if let Some(everywhere) = &everywhere {
            epoll::add(&epoll, everywhere, unused, epoll::EventFlags::IN)?;
        }
        epoll::add(&epoll, &timer, unused, epoll::EventFlags::IN)?;
        let mut monitor = Self {
            tun: fcntl_dupfd_cloexec(tun, 3)?,
            link: Link::open()?,
            socket,
            everywhere,
            buffer: Vec::new(),
            listening: Listening::AtHome,
            timer,
            epoll,
            place: Place::Unseen,
            known: None,
            pending: VecDeque::new(),
        };
        monitor.look()?;
        Ok(monitor)
    }

    /// The next event, oldest first; `None` if there is none at present. To be called until
    /// then whenever [`as_fd`](AsFd::as_fd) is readable, and once at the start.
    ///
    /// # Errors
    ///
    /// Only if a system call fails that has no reason to.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(Some(event));
            }
            if self.place == Place::Nowhere || !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Takes note of one datagram, or of the timer. Whether there was either.
    fn advance(&mut self) -> io::Result<bool> {
        match self.receive() {
            Ok(Some((messages, number))) => {
                for message in messages {
                    self.note(message, number)?;
                }
                Ok(true)
            }
            Ok(None) => {
                let expired = self.take_expiry()?;
                if expired {
                    self.look()?;
                }
                Ok(expired)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                // What is still queued is older than what was dropped.
                self.discard_events()?;
                self.look()?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// What the socket that counts has heard. The other one hears a part of the same, and told
    /// later it would be news of yesterday.
    fn receive(&mut self) -> io::Result<Option<(Vec<Message>, Option<i32>)>> {
        let (counts, other) = match (&self.everywhere, self.listening) {
            (Some(everywhere), Listening::Everywhere) => (everywhere, Some(&self.socket)),
            (everywhere, _) => (&self.socket, everywhere.as_ref()),
        };
        if let Some(other) = other {
            discard(other, &mut self.buffer)?;
        }
        let received = counts.receive(&mut self.buffer)?;
        Ok(received.map(|(messages, number)| (messages.collect(), number)))
    }

    fn discard_events(&mut self) -> io::Result<()> {
        for socket in std::iter::once(&self.socket).chain(&self.everywhere) {
            discard(socket, &mut self.buffer)?;
        }
        Ok(())
    }

    fn note(&mut self, message: Message, number: Option<i32>) -> io::Result<()> {
        let index = match &message {
            Message::Link(info) => info.index,
            Message::LinkGone { index } => *index,
            Message::NamespaceGone(number) => return self.note_namespace_gone(*number),
            Message::Namespace(_) | Message::Answer(_) => return Ok(()),
        };
        let is_here = match self.place {
            Place::Home { number: own } => number.is_none() || number == own,
            Place::Away { number: there, .. } => number.is_some() && number == there,
            Place::Unseen | Place::Hidden | Place::Nowhere => false,
        };
        let is_ours = self.known.as_ref().is_some_and(|it| it.index == index);
        if !(is_here && is_ours) {
            return Ok(());
        }
        match message {
            Message::Link(info) => self.report(info),
            // Deleted, or gone elsewhere.
            _ => self.look()?,
        }
        Ok(())
    }

    /// A namespace loses its number, and so its voice here, before its interfaces are deleted.
    fn note_namespace_gone(&mut self, gone: i32) -> io::Result<()> {
        match self.place {
            Place::Away { number, .. } if number == Some(gone) => {
                self.place = Place::Hidden;
                self.poll(true)
            }
            _ => Ok(()),
        }
    }

    /// Finds the interface and reports how it differs from what was known.
    fn look(&mut self) -> io::Result<()> {
        let mut state = self.link.state(&self.tun);
        if let Ok(seen) = &state
            && !seen.place.is_home
            && self.listening == Listening::AtHome
            && self.listen(Listening::Everywhere)
        {
            // What changed before anyone listened there has sent no event.
            state = self.link.state(&self.tun);
        }
        match state {
            Ok(state) => self.found(state),
            Err(Unknown::Hidden(_)) => self.lost_sight(),
            Err(Unknown::Gone) => {
                self.settle(Place::Nowhere);
                self.pending.push_back(Event::Deleted);
                epoll::delete(&self.epoll, &self.socket)?;
                if let Some(everywhere) = &self.everywhere {
                    epoll::delete(&self.epoll, everywhere)?;
                }
                self.poll(false)
            }
        }
    }

    fn found(&mut self, state: LinkState) -> io::Result<()> {
        let number = state.place.number;
        if state.place.is_home {
            self.settle(Place::Home { number });
            if self.listening == Listening::Everywhere {
                // Going away again is an event at home; the rest would be other interfaces'.
                self.listen(Listening::AtHome);
            }
        } else {
            let namespace = state.namespace;
            self.settle(Place::Away { namespace, number });
        }
        self.report(state.info);
        let heard = state.place.is_home || self.listening == Listening::Everywhere;
        self.poll(!heard)
    }

    fn lost_sight(&mut self) -> io::Result<()> {
        if self.place != Place::Hidden {
            self.settle(Place::Hidden);
            // The move has set it down, and nobody will tell when it is set up again.
            if let Some(known) = self.known.as_mut().filter(|known| !known.up) {
                known.up = true;
                self.pending.push_back(Event::Up);
            }
        }
        self.poll(true)
    }

    /// Whether the kernel permits it.
    fn listen(&mut self, listening: Listening) -> bool {
        let begin = listening == Listening::Everywhere;
        let socket = self.everywhere.as_ref();
        let permitted = socket.is_some_and(|socket| socket.subscribe(begin).is_ok());
        if permitted {
            self.listening = listening;
        }
        permitted
    }

    fn settle(&mut self, place: Place) {
        if self.place.is_left_for(place) {
            self.pending.push_back(Event::Moved);
        }
        self.place = place;
    }

    fn report(&mut self, info: LinkInfo) {
        let before = self.known.as_ref();
        if before.is_some_and(|before| before.name != info.name) {
            self.pending
                .push_back(Event::Renamed(info.name.to_string()));
        }
        if before.is_none_or(|before| before.mtu != info.mtu) {
            self.pending.push_back(Event::Mtu(info.mtu));
        }
        if before.is_none_or(|before| before.up != info.up) {
            let event = if info.up { Event::Up } else { Event::Down };
            self.pending.push_back(event);
        }
        self.known = Some(info);
    }

    /// Starts or stops the timer.
    fn poll(&self, regularly: bool) -> io::Result<()> {
        let interval = Timespec {
            tv_sec: if regularly { POLL_SECONDS } else { 0 },
            tv_nsec: 0,
        };
        let times = Itimerspec {
            it_interval: interval,
            it_value: interval,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &times)?;
        Ok(())
    }

    /// Whether the timer has expired since this was last asked.
    fn take_expiry(&self) -> io::Result<bool> {
        match rustix::io::read(&self.timer, &mut [0; 8]) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Becomes readable when there may be an event.
/// Takes off a socket whatever there is.
fn discard(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<()> {
    loop {
        match socket.receive(buffer).map(|received| received.is_some()) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Place {
    fn is_left_for(self, next: Self) -> bool {
        match (self, next) {
            (Self::Unseen, _) | (_, Self::Nowhere | Self::Unseen) => false,
            (Self::Home { .. }, Self::Home { .. }) => false,
            (
                Self::Away { namespace, .. },
                Self::Away {
                    namespace: next, ..
                },
            ) => namespace != next,
            _ => self != next,
        }
    }
}
