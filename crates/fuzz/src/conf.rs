//! Config files: read as a naive reader of the same grammar reads them, printed and read again
//! the same, and by wg-quick(8)'s two readings alike.

pub(crate) mod grammar;
mod naive;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv6Addr, SocketAddr};

use hushwire_config::conf::{
    Config, Diagnostic, Dialect, Mode, Parsed, Spanned, names_key_sources, parse,
};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::raw;
use hushwire_config::uapi::set;
use hushwire_quick::QuickFile;

use crate::input::Input;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let text = match input.bool() {
        true => grammar::file(&mut input),
        false => input.rest().to_vec(),
    };
    // Of keys that stand elsewhere the naive reader knows nothing.
    if !names_key_sources(&text) {
        as_wg(&text);
    }
    as_wg_quick(&text);
}

/// wg(8)'s reading against the naive one: the same words on standard error, the same bytes to the
/// device.
fn as_wg(text: &[u8]) {
    let expected = naive::read(text);
    match parse(text, Dialect::Wg) {
        Ok(parsed) => {
            let said = said(&parsed.warnings);
            assert_eq!(said, shown(&expected.said), "{}", shown(text));
            for (mode, expected) in [
                (Mode::Replace, &expected.replace),
                (Mode::Add, &expected.add),
            ] {
                let sent = Some(sent(&parsed.config, mode));
                assert_eq!(sent.as_deref(), expected.as_deref(), "{}", shown(text));
            }
            printed(&parsed.config, Dialect::Wg);
            look_at(text, &parsed.warnings);
        }
        Err(error) => {
            let said = said(error.warnings()) + &error.standard_message();
            assert_eq!(said, shown(&expected.said), "{}", shown(text));
            assert_eq!(expected.replace, None, "{}", shown(text));
            assert!(!error.to_string().is_empty());
            look_at(text, error.diagnostics());
        }
    }
}

fn as_wg_quick(text: &[u8]) {
    let quick = QuickFile::parse(text);
    let parsed = match parse(text, Dialect::Quick) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.in_file("wg0.conf").to_string().is_empty());
            return;
        }
    };
    look_at(text, &parsed.warnings);
    printed(&parsed.config, Dialect::Quick);
    let quick = quick.expect("wg-quick takes what the stricter reading takes");
    compare_readings(text, &parsed, &quick);
}

/// What wg-quick(8) passes on means the same to wg(8) as to the reading of the whole; and its own
/// settings are the same words.
fn compare_readings(text: &[u8], parsed: &Parsed, quick: &QuickFile) {
    let passed_on =
        parse(&quick.passthrough, Dialect::Wg).expect("wg takes what wg-quick passes on");
    for mode in [Mode::Replace, Mode::Add] {
        let (one, other) = (sent(&parsed.config, mode), sent(&passed_on.config, mode));
        assert_eq!(one, other, "{}", shown(text));
    }
    let sources = |config: &Config| -> Vec<_> {
        let wanted = config.wanted_keys();
        wanted
            .map(|wanted| (wanted.key, wanted.source.clone()))
            .collect()
    };
    assert_eq!(sources(&parsed.config), sources(&passed_on.config));
    let interface = &parsed.config.interface;
    assert_eq!(interface.addresses.len(), quick.addresses.len());
    assert_eq!(interface.dns.len(), quick.dns.len() + quick.search.len());
    assert_eq!(interface.mtu.is_some(), quick.mtu.is_some());
    assert_eq!(interface.table.is_some(), quick.table.is_some());
    let saves = interface.save_config.is_some_and(|saves| saves.value);
    assert_eq!(saves, quick.save_config);
    let hooks = [
        (&interface.pre_up, &quick.hooks.pre_up),
        (&interface.post_up, &quick.hooks.post_up),
        (&interface.pre_down, &quick.hooks.pre_down),
        (&interface.post_down, &quick.hooks.post_down),
    ];
    for (checked, words) in hooks {
        let checked = checked.iter().map(|hook| &*hook.value);
        // An empty command does nothing, and the checked reading leaves it out.
        let words = words.iter().filter(|word| !word.is_empty());
        assert!(checked.eq(words), "{}", shown(text));
    }
    // Stripping what is stripped changes nothing but what wg-quick would never have passed on.
    let again = QuickFile::parse(&quick.passthrough).expect("nothing of wg-quick's is left");
    assert_eq!(
        again.passthrough.trim_ascii_end(),
        quick.passthrough.trim_ascii_end()
    );
}

/// A file that is printed reads back the same, without a word, if a file can say it.
fn printed(config: &Config, dialect: Dialect) {
    let text = config.print();
    let again = parse(&raw::encode(&text), dialect);
    let again = again.unwrap_or_else(|error| panic!("{}: {error}", *text));
    assert_eq!(again.config, *config, "{}", *text);
    assert_eq!(again.config.print(), text);
    for own in [None, Some(hushwire_config::PublicKey::new([7; 32]))] {
        look_at(text.as_bytes(), &again.config.check(own.as_ref()));
    }
}

/// Findings can be shown, and lie within the file.
fn look_at(text: &[u8], findings: &[Diagnostic]) {
    let lines = text.split(|&byte| byte == b'\n').count();
    for finding in findings {
        let (line, column) = (finding.span.line as usize, finding.span.column as usize);
        assert!(line <= lines && column <= text.len() + 1, "{finding:?}");
        let message = finding.to_string();
        assert!(
            !message.chars().any(|char| char.is_control()),
            "{message:?}"
        );
        let _ = (finding.problem.hint(), finding.problem.standard_message());
    }
}

fn said(warnings: &[Diagnostic]) -> String {
    let messages = warnings
        .iter()
        .filter_map(|warning| warning.problem.standard_message());
    messages.fold(String::new(), |said, message| said + &message)
}

fn sent(config: &Config, mode: Mode) -> String {
    let resolve = |endpoint: &Spanned<Endpoint>| {
        Ok::<_, ()>(match &endpoint.value {
            Endpoint::Numeric(address) => *address,
            Endpoint::Name(name) => address_of(&raw::encode(name.host()), name.port()),
        })
    };
    let update = config
        .to_update(mode, resolve)
        .expect("every name has an address here");
    let mut bytes = Vec::new();
    set::write(&mut bytes, &update).expect("memory takes it");
    String::from_utf8(bytes).expect("text")
}

/// The address of a name: some other for each, so that no name is taken for another.
fn address_of(name: &[u8], port: u16) -> SocketAddr {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let address = u128::from(hasher.finish()) | 0x2001_0db8 << 96;
    SocketAddr::new(Ipv6Addr::from(address).into(), port)
}

fn shown(text: &[u8]) -> String {
    raw::decode(text).into_owned()
}
