//! The commands, in the order in which they are listed, and what several of them share.

mod device;
mod keys;
mod own;
mod quick;

use super::{Command, Opt, Term};

/// The commands of `hushwire`.
pub(crate) const COMMANDS: &[Command] = &[
    own::DEMO,
    own::RUN,
    quick::UP,
    quick::DOWN,
    quick::RELOAD,
    quick::SAVE,
    quick::STRIP,
    device::SHOW,
    own::STATUS,
    device::SHOWCONF,
    device::SET,
    device::SETCONF,
    device::ADDCONF,
    device::SYNCCONF,
    keys::GENKEY,
    keys::GENPSK,
    keys::PUBKEY,
    own::COMPLETION,
    own::MANUAL,
];

pub(super) const NOTHING: Command = Command {
    name: "",
    summary: "",
    options: &[],
    synopsis: "",
    description: &[],
    terms: &[],
    environment: &[],
    examples: &[],
    standard: None,
};

const TIMEOUT: Opt = Opt {
    name: "--timeout",
    value: Some("SECONDS"),
    summary: "how long the device may take to answer, 30 seconds if not said; under the name `wg` there is no limit",
};

pub(super) const RETRIES: Term = Term {
    word: "WG_ENDPOINT_RESOLUTION_RETRIES",
    meaning: "how often to ask again for the address of an endpoint: a number, 15 if not set, or `infinity`",
};

const DRY_RUN: Opt = Opt {
    name: "--dry-run",
    value: None,
    summary: "show what would be done, and do nothing; also *-n*",
};

const BACKEND: Opt = Opt {
    name: "--backend",
    value: Some("WHO"),
    summary: "who runs the device: `kernel`, `userspace`, or `auto`, the kernel if it can",
};

pub(super) const DISABLE: Opt = Opt {
    name: "--disable",
    value: Some("OFFLOAD[,OFFLOAD]..."),
    summary: "do without these offloads: tun-checksum, tun-tso4, tun-tso6, tun-uso, tun-tcp-merge4, tun-tcp-merge6, \
              tun-udp-merge, udp-gso, udp-gro, all",
};

pub(super) const DISABLE_VARIABLE: Term = Term {
    word: "HUSHWIRE_DISABLE",
    meaning: "as *--disable*",
};

pub(super) const QUEUES: Opt = Opt {
    name: "--queues",
    value: Some("NUMBER"),
    summary: "queues of the device, each with two threads: 1 to 64, or `auto`, one for each two processors and at most \
              eight",
};

/// A paragraph.
pub(super) const KEYS_ELSEWHERE: &str = "Keys may stand elsewhere: *PrivateKeyFile*, in the place of *PrivateKey*, \
    names a file, relative to the folder of the configuration; *PrivateKeyCredential* a credential of systemd.exec(5); \
    *PrivateKeyCommand* a command for sh(1) that prints the key within 60 seconds, %i in it being the interface. So do \
    *PresharedKeyFile* and the like for peers. They are read before anything is touched.";

pub(super) const QUEUES_VARIABLE: Term = Term {
    word: "HUSHWIRE_QUEUES",
    meaning: "as *--queues*",
};

pub(super) const HELPERS: Opt = Opt {
    name: "--helpers",
    value: Some("NUMBER"),
    summary: "threads that seal and open packets when the two of a queue have too much to do: 0 to 64, or `auto`, none \
              with fewer than four processors, else one for each two and at most four",
};

pub(super) const HELPERS_VARIABLE: Term = Term {
    word: "HUSHWIRE_HELPERS",
    meaning: "as *--helpers*",
};

pub(super) const MEMORY_LIMIT: Opt = Opt {
    name: "--memory-limit",
    value: Some("SIZE"),
    summary: "the most memory that the device may take, in bytes or with K, M or G: peers, allowed IPs and answers that \
              would not fit are refused, so that packets and handshakes always find memory",
};

pub(super) const MEMORY_LIMIT_VARIABLE: Term = Term {
    word: "HUSHWIRE_MEMORY_LIMIT",
    meaning: "as *--memory-limit*",
};

pub(super) const SANDBOX: Opt = Opt {
    name: "--sandbox",
    value: Some("MODE"),
    summary: "what is given up once everything is open: `on`, all that the system lets go of, if not said; `strict`, \
              where a layer that is missing is an error, and any system call that is not on the list the end; `off`, \
              nothing, for debugging",
};

pub(super) const SANDBOX_VARIABLE: Term = Term {
    word: "HUSHWIRE_SANDBOX",
    meaning: "as *--sandbox*",
};
