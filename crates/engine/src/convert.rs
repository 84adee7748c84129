//! Between the types of the protocol and those of the sockets, which do not know each other.

use hushwire_io::udp;
use hushwire_proto::ecn::Ecn;
use hushwire_proto::path::{Local, Path};

pub(crate) fn local_to_io(local: Local) -> udp::Local {
    udp::Local {
        ip: local.ip,
        ifindex: local.interface,
    }
}

pub(crate) fn path_from_io(message: &udp::Received<'_>) -> Path {
    Path {
        remote: message.from,
        local: message.local.map(|local| Local {
            ip: local.ip,
            interface: local.ifindex,
        }),
    }
}

pub(crate) fn ecn_from_io(ecn: udp::Ecn) -> Ecn {
    Ecn::from_tos(ecn.to_tos())
}
