//! Every operation of a plan made to fail in turn: nothing is left.

use std::io::Write;
use std::path::Path;

use hushwire_quick::{
    Around, Backend, Daemon, Environment, Failure, Interrupt, Live, Operation, Options, QuickFile,
    System, Transaction,
};

use crate::common::{HUSHWIRED, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

/// Does not do the operation of a number, nor hear of it again.
struct Faulty<'a> {
    live: Live<'a>,
    /// Operations until the failure.
    left: Option<usize>,
    failed: Option<String>,
}

impl Around for Faulty<'_> {
    fn inner(&mut self) -> &mut dyn System {
        &mut self.live
    }

    fn perform_around(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        match &mut self.left {
            Some(0) => {
                self.left = None;
                self.failed = operation.command("wgf");
                return Err(Failure::with_status(42, "injected"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.live.perform(operation)
    }
}

/// Brings the file up, or reloads it, with a failure; tells which operation has failed.
pub(crate) fn fail_at(world: &World, file: &Path, verb: &str, number: usize) -> Option<String> {
    let text = std::fs::read(file).unwrap();
    let file_read = QuickFile::parse(&text).unwrap();
    let environment = Environment {
        program: "test".to_owned(),
        path: world.search_path().into(),
        config_file: file.to_owned(),
    };
    world.host.run(|| {
        let interrupt = Interrupt::never().unwrap();
        let mut system = Faulty {
            live: Live::new("wgf", environment, &interrupt).unwrap(),
            left: Some(number),
            failed: None,
        };
        let mut said: Vec<u8> = Vec::new();
        let output: &mut dyn Write = &mut said;
        let mut transaction = Transaction::new("wgf", &mut system, output);
        let done = match verb {
            "up" => {
                let daemon = Daemon {
                    shown: "hushwired".into(),
                    program: HUSHWIRED.into(),
                    started_as: None,
                    low_ports: false,
                };
                let options = Options::new(Backend::Userspace, Some(daemon));
                hushwire_quick::up(&file_read, &options, &mut transaction)
            }
            _ => hushwire_quick::reload(&file_read, &interrupt, &mut transaction).map(drop),
        };
        drop(transaction);
        let said = String::from_utf8_lossy(&said);
        assert_eq!(done.is_err(), system.failed.is_some(), "{said}");
        if let Err(failure) = done {
            assert_eq!(failure.status, 42, "{said}");
        }
        system.failed
    })
}

fn everything(world: &World) -> String {
    let other = other_public_key();
    format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24, fd07::1/64\n\
         DNS = 10.7.0.9, corp.example\nPreUp = true\nPostUp = true\n\
         [Peer]\nPublicKey = {other}\nEndpoint = 192.0.2.2:5\n\
         AllowedIPs = 0.0.0.0/0, ::/0, 192.168.7.0/24\n# {}\n",
        world.directory.path().display()
    )
}

#[test]
fn a_failure_of_any_operation_of_up_leaves_nothing() {
    let world = World::new();
    let file = world.write("wgf.conf", &everything(&world));
    let before = world.state();
    let mut failed = Vec::new();
    while let Some(operation) = fail_at(&world, &file, "up", failed.len()) {
        assert_eq!(
            difference(&before, &world.state()),
            "",
            "after the failure of {operation}"
        );
        failed.push(operation);
        assert!(failed.len() < 100, "{failed:?}");
    }
    // The last one went well.
    assert!(failed.len() > 15, "{failed:?}");
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
    let marked = before.replace("src_valid_mark\n0", "src_valid_mark\n1");
    assert_eq!(
        world.state(),
        marked,
        "down leaves src_valid_mark as wg-quick(8) does"
    );
}

/// The lines of the file that name servers take.
const DNS: &str = "DNS = 10.7.0.9, corp.example\n";

#[test]
fn a_failure_of_any_operation_of_a_reload_changes_nothing() {
    let world = World::new();
    let text = everything(&world);
    let changed = text
        .replace("10.7.0.1/24", "10.8.0.1/24")
        .replace("192.168.7.0/24", "192.168.8.0/24, 192.168.9.0/24")
        .replace("0.0.0.0/0, ", "")
        .replace("DNS", "MTU = 1300\nDNS");
    let without = changed.replace(DNS, "");
    let other = changed.replace(DNS, "DNS = 10.7.0.8, ::1, other.example\n");
    for (from, to, least) in [
        (&text, &changed, 8),
        (&text, &other, 9),
        (&text, &without, 9),
        (&without, &changed, 1),
        (&changed, &other, 1),
    ] {
        let failed = fail_everywhere(&world, from, to);
        assert!(failed.len() >= least, "{failed:?}");
        let is_told = failed.iter().any(|failed| failed.contains("resolvconf"));
        assert_eq!(is_told, dns_of(from) != dns_of(to), "{failed:?}");
    }
}

fn dns_of(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("DNS"))
}

/// Brings one file up and reloads it as the other, with a failure of each operation in turn; then
/// takes it down. The operations that have failed.
fn fail_everywhere(world: &World, from: &str, to: &str) -> Vec<String> {
    let file = world.write("wgf.conf", from);
    let (code, said) = world.hushwire("up", &file);
    assert_eq!(code, 0, "{said}");
    // But for what it sends all the while: handshake messages that nobody answers.
    let device = || {
        let state = world.host.uapi("wgf", "get=1\n\n").unwrap();
        let lines = state.lines().filter(|line| !line.starts_with("tx_bytes="));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (before, device_before) = (world.state(), device());
    let file = world.write("wgf.conf", to);
    let mut failed = Vec::new();
    while let Some(operation) = fail_at(world, &file, "reload", failed.len()) {
        assert_eq!(device(), device_before, "after the failure of {operation}");
        assert_eq!(
            difference(&before, &world.state()),
            "",
            "after the failure of {operation}"
        );
        failed.push(operation);
        assert!(failed.len() < 100, "{failed:?}");
    }
    assert_ne!(world.state(), before);
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
    failed
}

#[test]
fn a_resolver_that_keeps_what_it_refuses_is_told_the_old() {
    let world = World::new();
    let text = everything(&world);
    for (from, to) in [
        (text.replace(DNS, ""), text.clone()),
        (text.clone(), text.replace("10.7.0.9", "10.7.0.8")),
        (text.clone(), text.replace("corp", "other")),
    ] {
        let file = world.write("wgf.conf", &from);
        let (code, said) = world.hushwire("up", &file);
        assert_eq!(code, 0, "{said}");
        let before = world.state();
        let file = world.write("wgf.conf", &to);
        std::fs::write(world.path("dns.fails"), "").unwrap();
        let (code, said) = world.hushwire("reload", &file);
        assert_eq!(code, 7, "{said}");
        assert_eq!(difference(&before, &world.state()), "", "{said}");
        let (code, said) = world.hushwire("reload", &file);
        assert_eq!(code, 0, "{said}");
        assert_ne!(world.state(), before, "{said}");
        let (code, said) = world.hushwire("down", &file);
        assert_eq!(code, 0, "{said}");
    }
}
