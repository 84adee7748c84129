//! A Linux TUN device.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open},
    io::{Errno, fcntl_dupfd_cloexec},
};

use super::{
    Queue, TunError, TunQueue,
    ioctl::{self, Name},
    link::{Link, LinkState, Unknown},
    netlink::Shape,
};
use crate::offload::{Offload, OffloadSet, Offloads, State, VirtioHeader};

/// Packets that may wait for the process: as many as with an Ethernet device. With half of that a
/// flood of small packets overflows while the process waits for its turn on a processor.
const TRANSMIT_QUEUE: u32 = 1000;

/// The most segments of a super-packet: so many packets of [`TunOptions::DEFAULT_MTU`], each 32
/// bytes longer once it is sealed, leave in one segmented send. With the kernel's own limit there
/// would be two segments over, which go all the way to the peer's socket by themselves and draw an
/// acknowledgement each.
const SEGMENTS: u32 = 45;

/// What a TUN device is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunOptions {
    /// How many queues, from 1 to 256. With several, packets of one flow stay on one queue.
    pub queues: usize,
    /// The MTU that a new device gets, in bytes.
    pub mtu: u32,
    /// The offloads to try for. With none of them, packets come without a virtio header.
    pub offloads: OffloadSet,
}

impl TunOptions {
    /// 1500 bytes of Ethernet less 80 for the outer IPv6, UDP and WireGuard headers: what
    /// every implementation of WireGuard starts with.
    pub const DEFAULT_MTU: u32 = 1420;
}

impl Default for TunOptions {
    fn default() -> Self {
        Self {
            queues: 1,
            mtu: Self::DEFAULT_MTU,
            offloads: OffloadSet::ALL,
        }
    }
}

/// A Linux TUN device: a network interface whose packets this process reads and writes.
///
/// The device goes when the last descriptor of its queues is closed, unless someone made it
/// persistent.
#[derive(Debug)]
pub struct Tun {
    first: Arc<Queue>,
    more: Vec<Arc<Queue>>,
    link: Arc<Link>,
    offloads: Arc<Offloads>,
    /// Shown while the present one is hidden.
    last_mtu: AtomicU32,
}

/// The kernel's limit (`MAX_TAP_QUEUES`).
const MAX_QUEUES: usize = 256;

impl Tun {
    /// Makes the interface `name`, in which `%d` stands for the first free number, in the
    /// calling thread's network namespace. It is down and has no address.
    ///
    /// # Errors
    ///
    /// [`TunError`]; nothing is left behind. An interface of that name is never attached to,
    /// persistent TUN devices included: two processes on one device would steal each other's
    /// packets.
    pub fn create(name: &str, options: &TunOptions) -> Result<Self, TunError> {
        let requested = parse_name(name)?;
        if options.queues == 0 || options.queues > MAX_QUEUES {
            return Err(TunError::Queues {
                wanted: options.queues,
            });
        }
        let virtio = options.offloads != OffloadSet::NONE;
        let mut flags = libc::IFF_TUN | libc::IFF_NO_PI;
        if virtio {
            flags |= libc::IFF_VNET_HDR;
        }
        if options.queues > 1 {
            flags |= libc::IFF_MULTI_QUEUE;
        }
        let (first, name) = attach(requested, flags | libc::IFF_TUN_EXCL)?;
        let more = (1..options.queues)
            .map(|_| attach(name, flags).map(|(fd, _)| fd))
            .collect::<Result<Vec<OwnedFd>, TunError>>()?;
        let tun = Self::assemble(first, more, virtio, &options.offloads)?;
        tun.shape(name, options.mtu)?;
        Ok(tun)
    }

    /// Takes over a device that another process opened and attached (`WG_TUN_FD`), which must
    /// be in the calling thread's network namespace or in one that the process may look into.
    /// It must have been opened with `IFF_NO_PI`, which nobody can find out: `TUNGETIFF`
    /// returns a flag of the same value that means something else.
    ///
    /// The descriptor becomes non-blocking. A device with a virtio header gets the offloads of
    /// `options`; one without has none. The MTU and number of queues stay what they are.
    ///
    /// # Errors
    ///
    /// [`TunError::NotTun`] if it is no TUN device, or one that is not attached to an
    /// interface.
    pub fn from_fd(fd: OwnedFd, options: &TunOptions) -> Result<Self, TunError> {
        Self::from_fds(fd, Vec::new(), options)
    }

    /// Takes over a device with several queues, given one descriptor for each. Otherwise as
    /// [`from_fd`](Self::from_fd).
    ///
    /// # Errors
    ///
    /// As [`from_fd`](Self::from_fd), and if the descriptors are not of one device.
    pub fn from_fds(
        first: OwnedFd,
        more: Vec<OwnedFd>,
        options: &TunOptions,
    ) -> Result<Self, TunError> {
        let (name, virtio) = inspect(&first)?;
        for fd in &more {
            if inspect(fd)? != (name, virtio) {
                let reason = "its queues belong to different devices";
                return Err(TunError::NotTun { reason });
            }
        }
        let fds = core::iter::once(&first).chain(&more);
        for fd in fds {
            let flags = fcntl_getfl(fd).map_err(TunError::system(NON_BLOCKING))?;
            fcntl_setfl(fd, flags | OFlags::NONBLOCK).map_err(TunError::system(NON_BLOCKING))?;
        }
        let tun = Self::assemble(first, more, virtio, &options.offloads)?;
        tun.mtu();
        Ok(tun)
    }

    fn assemble(
        first: OwnedFd,
        more: Vec<OwnedFd>,
        virtio: bool,
        wanted: &OffloadSet,
    ) -> Result<Self, TunError> {
        if virtio {
            // Both are properties of the device, not of the queue.
            ioctl::set_header_len(&first, VirtioHeader::LEN as i32)
                .map_err(TunError::system("set the size of the virtio header"))?;
            ioctl::set_little_endian(&first)
                .map_err(TunError::system("set the byte order of the virtio header"))?;
        }
        let offloads = Offloads::new(wanted);
        if virtio {
            probe(&first, &offloads);
        } else {
            give_up(&offloads, &Offload::ALL, State::Unsupported(None));
        }
        let link = Link::open().map_err(TunError::system("open an rtnetlink socket"))?;
        let queue = |fd| Arc::new(Queue::new(fd, virtio));
        Ok(Self {
            first: queue(first),
            more: more.into_iter().map(queue).collect(),
            link: Arc::new(link),
            offloads: Arc::new(offloads),
            last_mtu: AtomicU32::new(TunOptions::DEFAULT_MTU),
        })
    }

    fn shape(&self, name: Name, mtu: u32) -> Result<(), TunError> {
        let state = self.state().map_err(|unknown| TunError::System {
            doing: "look up the new interface",
            source: match unknown {
                Unknown::Gone => Errno::NODEV.into(),
                Unknown::Hidden(source) => source,
            },
        })?;
        let shape = Shape {
            mtu,
            transmit_queue: TRANSMIT_QUEUE,
            segments: SEGMENTS,
        };
        self.link
            .shape(state.info.index, shape)
            .map_err(|source| TunError::Mtu {
                name: name.to_string(),
                mtu,
                source,
            })?;
        self.last_mtu.store(mtu, Relaxed);
        Ok(())
    }

    /// The queues; at least one.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        core::iter::once(&self.first).chain(&self.more)
    }

    /// Which offloads are in use. Shared with the [`Coalescer`](crate::offload::Coalescer)s of
    /// this device.
    #[must_use]
    pub fn offloads(&self) -> &Arc<Offloads> {
        &self.offloads
    }

    /// The interface's present name. It can be renamed at any time.
    ///
    /// # Errors
    ///
    /// One for which [`is_gone`](super::is_gone) holds if there is no interface any more.
    pub fn name(&self) -> io::Result<String> {
        let (name, _) = ioctl::interface(self)?;
        Ok(name.to_string())
    }

    /// The interface's present MTU, in bytes, in whatever network namespace it is; the last
    /// one known if it is where the process may not look (without CAP_NET_ADMIN there), or is
    /// gone.
    pub fn mtu(&self) -> u32 {
        match self.state() {
            Ok(state) => state.info.mtu,
            Err(_) => self.last_mtu.load(Relaxed),
        }
    }

    pub(super) fn state(&self) -> Result<LinkState, Unknown> {
        let state = self.link.state(self)?;
        self.last_mtu.store(state.info.mtu, Relaxed);
        Ok(state)
    }

    /// Another descriptor for each queue, to hand the device to another process. They are
    /// closed on exec as long as nobody changes that.
    ///
    /// # Errors
    ///
    /// If the process has too many open files.
    pub fn dup(&self) -> io::Result<Vec<OwnedFd>> {
        self.queues()
            .map(|queue| Ok(fcntl_dupfd_cloexec(TunQueue::as_fd(&**queue), 3)?))
            .collect()
    }
}

/// The first queue's descriptor.
impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        TunQueue::as_fd(&*self.first)
    }
}

const NON_BLOCKING: &str = "make the TUN device non-blocking";

fn parse_name(name: &str) -> Result<Name, TunError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() >= libc::IFNAMSIZ {
        "it is longer than 15 bytes"
    } else if matches!(name, "." | ".." | "all" | "default") {
        // Directories below /proc/sys/net/ipv4/conf.
        "it is reserved"
    } else if name.contains(['/', ':']) {
        "it contains `/` or `:`"
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "it contains a space or a control character"
    } else if name.matches('%').count() != name.matches("%d").count()
        || name.matches('%').count() > 1
    {
        "`%` may only stand in it once, as `%d`"
    } else if let Some(name) = Name::new(name.as_bytes()) {
        return Ok(name);
    } else {
        "it contains a zero byte"
    };
    Err(TunError::InvalidName {
        name: name.to_owned(),
        reason,
    })
}

fn attach(name: Name, flags: libc::c_int) -> Result<(OwnedFd, Name), TunError> {
    let access = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = open("/dev/net/tun", access, Mode::empty())
        .map_err(|error| TunError::NoDriver(error.into()))?;
    let name = ioctl::attach(&fd, name, flags).map_err(|error| match error {
        // What IFF_TUN_EXCL makes of any interface of that name.
        Errno::BUSY | Errno::EXIST => TunError::AlreadyExists {
            name: name.to_string(),
        },
        Errno::PERM | Errno::ACCESS => TunError::NotPermitted {
            name: name.to_string(),
            source: error.into(),
        },
        Errno::INVAL if flags & libc::IFF_VNET_HDR == 0 => TunError::InvalidName {
            name: name.to_string(),
            reason: "the kernel refuses it",
        },
        _ => TunError::System {
            doing: "make the TUN interface",
            source: error.into(),
        },
    })?;
    Ok((fd, name))
}

/// The name of an attached device, and whether its packets have a virtio header.
fn inspect(fd: &OwnedFd) -> Result<(Name, bool), TunError> {
    let (name, flags) = ioctl::interface(fd).map_err(|error| TunError::NotTun {
        reason: match error {
            Errno::BADFD => "it is not attached to an interface",
            _ => "it was not opened from /dev/net/tun",
        },
    })?;
    if flags & libc::IFF_TUN == 0 {
        let reason = "it is a TAP device, which carries Ethernet frames";
        return Err(TunError::NotTun { reason });
    }
    Ok((name, flags & libc::IFF_VNET_HDR != 0))
}

/// Asks the kernel for the offloads that are wanted, one after the other, and records which it
/// grants. It takes only whole sets, so each request repeats what is granted already.
fn probe(fd: &OwnedFd, offloads: &Offloads) {
    const STEPS: [(Offload, u32); 4] = [
        (Offload::Checksum, libc::TUN_F_CSUM),
        (Offload::Tso4, libc::TUN_F_TSO4),
        (Offload::Tso6, libc::TUN_F_TSO6),
        (Offload::Uso, libc::TUN_F_USO4 | libc::TUN_F_USO6),
    ];
    let mut granted = 0;
    // A device taken over may have others set.
    let _ = ioctl::set_offload(fd, 0);
    for (offload, flags) in STEPS {
        if !offloads.is_on(offload) {
            continue;
        }
        match ioctl::set_offload(fd, granted | flags) {
            Ok(()) => granted |= flags,
            Err(error) => {
                let state = State::Unsupported(Some(error.raw_os_error()));
                offloads.set(offload, state);
            }
        }
    }
    if granted & (libc::TUN_F_TSO4 | libc::TUN_F_TSO6) != 0 {
        // Super-packets with the congestion window reduced mark, which the splitter keeps to
        // the first segment. Without this, the kernel cuts those up itself.
        let _ = ioctl::set_offload(fd, granted | libc::TUN_F_TSO_ECN);
    }
    // A kernel that does not know how to cut UDP does not know how to take it whole.
    if let State::Unsupported(Some(errno)) = offloads.state(Offload::Uso) {
        give_up(
            offloads,
            &[Offload::UdpMerge],
            State::Unsupported(Some(errno)),
        );
    }
}

/// Records a reason for those of `list` that would be on.
fn give_up(offloads: &Offloads, list: &[Offload], reason: State) {
    for offload in list {
        if offloads.is_on(*offload) {
            offloads.set(*offload, reason);
        }
    }
}
