//! Config files: what is read, what is refused, where and with which words.

use std::net::SocketAddr;
use std::path::Path;

use hushwire_config::conf::{
    Config, Dialect, Dns, Mode, Problem, Severity, Span, Spanned, Table, parse,
};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::uapi;

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const P1: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const P2: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
const PSK: &str = "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=";

fn quick(text: &str) -> Config {
    match parse(text.as_bytes(), Dialect::Quick) {
        Ok(parsed) => parsed.config,
        Err(error) => panic!("{error}"),
    }
}

fn wg(text: &str) -> Config {
    parse(text.as_bytes(), Dialect::Wg).unwrap().config
}

/// What `wg setconf` would send, or what it would print.
fn sent(text: &str) -> Result<String, String> {
    let parsed = parse(text.as_bytes(), Dialect::Wg)
        .map_err(|error| error.standard_message().to_string())?;
    let numeric = |endpoint: &hushwire_config::conf::Spanned<Endpoint>| match endpoint.value {
        Endpoint::Numeric(addr) => Ok(addr),
        Endpoint::Name(_) => Err("a name"),
    };
    let update = parsed.config.to_update(Mode::Replace, numeric)?;
    let mut bytes = Vec::new();
    uapi::set::write(&mut bytes, &update).unwrap();
    Ok(String::from_utf8(bytes).unwrap())
}

fn standard(text: &str) -> String {
    sent(text).expect_err(text)
}

fn ours(text: &str) -> String {
    let error = parse(text.as_bytes(), Dialect::Quick).expect_err(text);
    error.in_file("wg0.conf").to_string()
}

fn findings(text: &str) -> Vec<String> {
    let found = quick(text).check(None);
    found
        .iter()
        .map(|finding| finding.in_file(Path::new("wg0.conf")).to_string())
        .collect()
}

#[test]
fn a_whole_file() {
    let config = quick(&format!(
        "# home\n[Interface]\nPrivateKey = {PRIVATE}\nAddress = 10.0.0.1/24, fd00::1/64\nAddress=10.1.0.1\n\
         ListenPort = 51820\nFwMark = 0xca6c\nDNS = 1.1.1.1, example.com fd00::53\nMTU = 1420\nTable = off\n\
         PostUp = echo up # not a comment\nPostUp = echo again\nPreDown=x\nSaveConfig = TRUE\n\n\
         [Peer]\nPublicKey = {P1}\nPresharedKey = {PSK}\nEndpoint = vpn.example.com:51820\n\
         AllowedIPs = 10.0.0.2/32, fd00::2\nAllowedIPs = 192.168.0.0/16\nPersistentKeepalive = 25\n\
         [Peer]\nPublicKey = {P2}\n"
    ));
    let interface = &config.interface;
    assert_eq!(
        interface.private_key.as_ref().unwrap().to_base64().as_str(),
        PRIVATE
    );
    assert_eq!(interface.listen_port.unwrap().value, 51820);
    assert_eq!(interface.fwmark.unwrap().value, 51820);
    let addresses: Vec<String> = interface
        .addresses
        .iter()
        .map(|address| address.to_string())
        .collect();
    assert_eq!(addresses, ["10.0.0.1/24", "fd00::1/64", "10.1.0.1"]);
    assert!(matches!(interface.dns[0].value, Dns::Server(_)));
    assert!(matches!(interface.dns[1].value, Dns::Search(_)));
    assert!(matches!(interface.dns[2].value, Dns::Server(_)));
    assert_eq!(interface.mtu.unwrap().value, 1420);
    assert_eq!(interface.table.as_ref().unwrap().value, Table::Off);
    let hooks: Vec<&str> = interface.post_up.iter().map(|hook| &*hook.value).collect();
    assert_eq!(hooks, ["echo up # not a comment", "echo again"]);
    assert_eq!(interface.pre_down.len(), 1);
    assert!(interface.save_config.unwrap().value);
    let peer = &config.peers[0];
    assert_eq!(
        peer.endpoint.as_ref().unwrap().to_string(),
        "vpn.example.com:51820"
    );
    assert_eq!(peer.persistent_keepalive.unwrap().value, 25);
    let ips: Vec<String> = peer
        .allowed_ips
        .entries
        .iter()
        .map(|entry| entry.to_string())
        .collect();
    assert_eq!(ips, ["10.0.0.2/32", "fd00::2/128", "192.168.0.0/16"]);
    assert_eq!(config.peers[1].public_key.to_string(), P2);
    assert_eq!(quick(&config.print()), config);
}

#[test]
fn every_value_knows_its_place() {
    let config = quick(&format!(
        "[Interface]\n  PrivateKey = {PRIVATE}\nAddress = 10.0.0.1/24,  fd00::1/64\nPostUp =  é\n\
         [Peer]\n PublicKey={P1}\nAllowedIPs = 10.0.0.2/32, +fd00::2\n"
    ));
    let at = |line, column| Span { line, column };
    let interface = &config.interface;
    assert_eq!(interface.section, Some(at(1, 1)));
    assert_eq!(interface.private_key.as_ref().unwrap().span, at(2, 16));
    assert_eq!(interface.addresses[0].span, at(3, 11));
    assert_eq!(interface.addresses[1].span, at(3, 25));
    assert_eq!(interface.post_up[0].span, at(4, 11));
    assert_eq!(config.peers[0].public_key.span, at(6, 12));
    assert_eq!(config.peers[0].allowed_ips.entries[0].span, at(7, 14));
    assert_eq!(config.peers[0].allowed_ips.entries[1].span, at(7, 27));
}

#[test]
fn wg_deletes_all_blanks_and_case_means_nothing() {
    let config = wg(&format!(
        "[ Inter face ]\r\nListen Port = 5 1 8 2 0\r\nfwMARK=OFF\n[pEER]#\nPublic\tKey\t=\t{}\t{}#c\n",
        &P1[..20],
        &P1[20..]
    ));
    assert_eq!(config.interface.listen_port.unwrap().value, 51820);
    assert_eq!(config.interface.fwmark.unwrap().value, 0);
    assert_eq!(config.peers[0].public_key.to_string(), P1);
}

#[test]
fn sections_merge_and_the_last_value_counts() {
    let config = wg(&format!(
        "[Interface]\nListenPort=1\nListenPort=2\n[Peer]\nPublicKey={P1}\nPublicKey={P2}\n\
         Endpoint=1.1.1.1:1\nEndpoint=2.2.2.2:2\n[Interface]\nFwMark=2"
    ));
    assert_eq!(config.interface.listen_port.unwrap().value, 2);
    assert_eq!(config.interface.fwmark.unwrap().value, 2);
    assert_eq!(config.peers[0].public_key.to_string(), P2);
    let endpoint = Endpoint::Numeric(SocketAddr::from(([2, 2, 2, 2], 2)));
    assert_eq!(config.peers[0].endpoint.as_ref().unwrap().value, endpoint);
}

#[test]
fn an_empty_file_is_an_empty_config() {
    assert_eq!(wg(""), Config::default());
    assert_eq!(quick("\n# nothing\n \t\n"), Config::default());
}

#[test]
fn a_nul_ends_the_line_for_wg_and_is_nothing_to_wg_quick() {
    assert_eq!(
        wg("[Interface]\nListenPort=1\x002\n")
            .interface
            .listen_port
            .unwrap()
            .value,
        1
    );
    assert_eq!(
        quick("[Interface]\nListenPort=1\x002\n")
            .interface
            .listen_port
            .unwrap()
            .value,
        12
    );
}

#[test]
fn the_bytes_that_setconf_sends() {
    let text = format!(
        "[Interface]\nListenPort=0x\n[Peer]\nPublicKey={P1}\nAllowedIPs=+10.0.0.1/8,-11.0.0.0/8\n"
    );
    assert!(standard(&text).starts_with("Servname not supported for ai_socktype: `0x'\n"));
    let zeros = "0".repeat(64);
    assert_eq!(
        sent(&text.replace("0x", "4464")).unwrap(),
        format!(
            "set=1\nprivate_key={zeros}\nlisten_port=4464\nfwmark=0\nreplace_peers=true\n\
             public_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\n\
             allowed_ip=10.0.0.1/8\nallowed_ip=-11.0.0.0/8\n\n"
        )
    );
    let plain = sent(&format!("[Peer]\nPublicKey={P1}\n")).unwrap();
    assert!(
        plain.ends_with("f038\nreplace_allowed_ips=true\n\n"),
        "{plain}"
    );
}

#[test]
fn each_list_of_allowed_ips_replaces_again() {
    let config = wg(&format!(
        "[Peer]\nPublicKey={P1}\nAllowedIPs=+10.0.0.0/8\nAllowedIPs=11.0.0.0/8\n"
    ));
    let list = &config.peers[0].allowed_ips;
    assert!(list.replace);
    assert_eq!(list.entries.len(), 2);
}

#[test]
fn addconf_leaves_what_the_file_does_not_name() {
    let config = wg(&format!("[Peer]\nPublicKey={P1}\n"));
    let update = config.to_update(Mode::Add, |_| Err(())).unwrap();
    assert_eq!(
        (update.private_key, update.listen_port, update.fwmark),
        (None, None, None)
    );
    assert!(!update.replace_peers);
}

#[test]
fn the_words_of_wg() {
    for (text, message) in [
        ("ListenPort = 1\n", "Line unrecognized: `ListenPort=1'"),
        ("[Interface]\nFoo = 1\n", "Line unrecognized: `Foo=1'"),
        (
            "[Interface]\nAddress = 10.0.0.1/24\n",
            "Line unrecognized: `Address=10.0.0.1/24'",
        ),
        (
            "[Interface]\nListenPort =\n",
            "Line unrecognized: `ListenPort='",
        ),
        (
            "[Interface]\nListenPort 51820\n",
            "Line unrecognized: `ListenPort51820'",
        ),
        (
            "[Interface]\nPublicKey=x\n",
            "Line unrecognized: `PublicKey=x'",
        ),
        (
            "[Peer]\nListenPort = 1\n",
            "Line unrecognized: `ListenPort=1'",
        ),
        ("[Peer]\nAllowedIPs =\n", "Line unrecognized: `AllowedIPs='"),
        (
            "[Interface] ListenPort = 1\n",
            "Line unrecognized: `[Interface]ListenPort=1'",
        ),
        ("[Foo]\n", "Line unrecognized: `[Foo]'"),
        ("[Interface]\n; x\n", "Line unrecognized: `;x'"),
        (
            "\u{feff}[Interface]\n",
            "Line unrecognized: `\u{feff}[Interface]'",
        ),
        (
            "[Interface]\nListenPort == 51820\n",
            "Servname not supported for ai_socktype: `=51820'",
        ),
        (
            "[Interface]\nListenPort = \"51820\"\n",
            "Servname not supported for ai_socktype: `\"51820\"'",
        ),
        (
            "[Interface]\nPrivateKey = AAAA\n",
            "Key is not the correct length or format: `AAAA'",
        ),
        (
            "[Interface]\nFwMark = 0xg\n",
            "Fwmark is neither 0/off nor 0-0xffffffff: `0xg'",
        ),
        (
            "[Peer]\nPersistentKeepalive = 70000\n",
            "Persistent keepalive interval is neither 0/off nor 1-65535: `70000'",
        ),
        (
            "[Peer]\nEndpoint = 1.2.3.4\n",
            "Unable to find port of endpoint: `1.2.3.4'",
        ),
        (
            "[Peer]\nAllowedIPs=10.0.0.0/40\n",
            "AllowedIP is not in the correct format: `10.0.0.0/40'",
        ),
        (
            "[Peer]\nAllowedIPs = 1.2.3.4/32, \\\n 5.6.7.8/32\n",
            "Unable to parse IP address: `\\'",
        ),
        (
            "[Peer]\nPublicKey=xTIBA5rboU#x\n",
            "Key is not the correct length or format: `xTIBA5rboU'",
        ),
    ] {
        assert_eq!(
            standard(text),
            format!("{message}\nConfiguration parsing error\n"),
            "{text:?}"
        );
    }
    assert_eq!(
        standard("[Peer]\n"),
        "A peer is missing a public key\nInvalid configuration\n"
    );
    let both = "[Peer]\n[Interface]\nFoo=1\n";
    assert!(
        standard(both).starts_with("Line unrecognized: `Foo=1'\n"),
        "lines come before peers"
    );
}

#[test]
fn our_own_words() {
    for (text, message) in [
        (
            "[Interface]\nPrivateKey = AAAA\n",
            "wg0.conf:2:14: PrivateKey is no key; a key is 44 characters of Base64, the last of them `=`",
        ),
        (
            "[Interface]\n  Adress = 10.0.0.1\n",
            "wg0.conf:2:3: there is no key `Adress`; did you mean Address (in [Interface])?",
        ),
        (
            "[Peer]\nPublicKey = x\nAddress = 10.0.0.1\n",
            "wg0.conf:2:13: PublicKey is no key; a key is 44 characters of Base64, the last of them `=`\n\
          wg0.conf:3:1: Address does not belong in this section; move it to [Interface]",
        ),
        (
            "MTU = 1\n",
            "wg0.conf:1:1: MTU stands before any section; put [Interface] before it",
        ),
        (
            "[Interface]\nAddress = 10.0.0.1/24 10.0.0.300\n",
            "wg0.conf:2:23: Address `10.0.0.300` is no IP address; write it like 10.0.0.1/24 or fd00::1/64",
        ),
        (
            "[Interface]\nMTU = big\n",
            "wg0.conf:2:7: MTU `big` is no number; write a number of bytes, like 1420",
        ),
        (
            "[Interface]\nSaveConfig = maybe\n",
            "wg0.conf:2:14: SaveConfig `maybe` is neither true nor false; write true or false",
        ),
        (
            "[Interface]\nTable = a b\n",
            "wg0.conf:2:9: Table `a b` is no routing table; write off, auto, a number, or a name from /etc/iproute2/rt_tables",
        ),
        (
            "[Foo]\nBar = 1\n",
            "wg0.conf:1:1: there is no such section; the sections are [Interface] and [Peer]",
        ),
        (
            "[Interface]\nListenPort =\n",
            "wg0.conf:2:1: ListenPort has no value; write a value after the `=`, or remove the line",
        ),
        (
            "[Interface]\nFwMark : 1\n",
            "wg0.conf:2:1: this line has no `=`; write `Key = value`",
        ),
        (
            "[Interface]\nFwMark = \x1b[31m\n",
            "wg0.conf:2:10: FwMark `\\u{1b}[31m` is no mark; write off, or a number up to 0xffffffff",
        ),
    ] {
        assert_eq!(ours(text), message);
    }
    let peer = ours("[Peer]\nAllowedIPs = 10.0.0.0/8,, 1.2.3\n");
    assert!(
        peer.starts_with("wg0.conf:2:25: AllowedIPs has an empty entry; "),
        "{peer}"
    );
    assert!(
        peer.contains("\nwg0.conf:1:1: this [Peer] has no PublicKey; add "),
        "{peer}"
    );
}

#[test]
fn no_message_of_ours_and_no_debug_shows_a_secret() {
    let almost = &PRIVATE[..43];
    for text in [
        format!("[Interface]\nPrivateKey = {almost}\n"),
        format!("[Interface]\n{PRIVATE}\n"),
        format!("[Interface]\n{almost}\n"),
        format!("PrivateKey = {PRIVATE}\n"),
        format!("[Peer]\nPublicKey={P1}\nPrivateKey = {PRIVATE}\n"),
        format!("[Peer]\nPresharedKey = {PRIVATE}x\n"),
        format!("[{PRIVATE}]\n"),
    ] {
        let error = parse(text.as_bytes(), Dialect::Quick).expect_err(&text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&PRIVATE[..8]), "{shown}");
    }
    let config = quick(&format!("[Interface]\nPrivateKey = {PRIVATE}\n"));
    assert!(!format!("{config:?}").contains(&PRIVATE[..8]));
}

#[test]
fn wg_quick_has_its_own_idea_of_a_section() {
    let spaced = ours("[ Interface ]\nAddress = 10.0.0.1\n");
    assert!(spaced.starts_with("wg0.conf:2:1: "), "{spaced}");
    assert_eq!(
        quick("[INTERFACE] # x\nADDRESS = 10.0.0.1\n")
            .interface
            .addresses
            .len(),
        1
    );
}

#[test]
fn empty_values_of_wg_quick_are_none() {
    let config = quick(
        "[Interface]\nMTU = 1400\nMTU =\nTable = off\nTable=\nDNS = \nAddress = ,\nPostUp =\n",
    );
    assert_eq!(config, Config::default());
}

#[test]
fn a_name_without_equals_is_its_own_value_to_wg_quick() {
    assert_eq!(
        quick("[Interface]\nDNS\n").interface.dns[0]
            .word()
            .to_string(),
        "DNS"
    );
    assert!(ours("[Interface]\nAddress\n").contains("Address `Address` is no IP address"));
}

#[test]
fn errors_are_gathered_up_to_a_limit() {
    let error = parse("x\n".repeat(1000).as_bytes(), Dialect::Wg).unwrap_err();
    assert_eq!(error.diagnostics().len(), 20);
    assert!(
        error
            .diagnostics()
            .iter()
            .all(|one| one.severity() == Severity::Error)
    );
}

#[test]
fn warnings_come_with_the_config() {
    let text = format!("[Peer]\nPublicKey={P1}\nAllowedIPs = 10.0.0.1/024, fd00::, fd00::1/64\n");
    let warnings = parse(text.as_bytes(), Dialect::Wg).unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "3:14: AllowedIPs 10.0.0.1/24 has bits beyond its length; it is taken for 10.0.0.0/24",
            "3:36: AllowedIPs fd00::1/64 has bits beyond its length; it is taken for fd00::/64",
        ]
    );
    assert!(
        warnings
            .iter()
            .all(|one| one.severity() == Severity::Warning)
    );
    assert_eq!(
        warnings[0].problem.standard_message().unwrap().as_str(),
        "Warning: AllowedIP has nonzero host part: 10.0.0.1/024\n"
    );
}

#[test]
fn an_error_tells_what_came_before_it() {
    let text = format!(
        "[Peer]\nPublicKey={P1}\nEndpoint=a:1\nAllowedIPs=10.0.0.1/8,x,10.0.0.2/8\n[Peer]\nEndpoint=b:1\n"
    );
    let error = parse(text.as_bytes(), Dialect::Wg).unwrap_err();
    let endpoints: Vec<String> = error
        .endpoints()
        .iter()
        .map(|one| one.to_string())
        .collect();
    assert_eq!(
        (endpoints, error.warnings().len()),
        (vec!["a:1".to_owned()], 1)
    );

    let missing = parse(text.replace(",x", "").as_bytes(), Dialect::Wg).unwrap_err();
    assert_eq!(
        (missing.endpoints().len(), missing.warnings().len()),
        (2, 2)
    );
}

#[test]
fn an_endpoint_that_another_takes_the_place_of_is_still_told() {
    let text = format!("[Peer]\nPublicKey={P1}\nEndpoint=a:1\nEndpoint=b:1\nEndpoint=c:1\n");
    let told = |endpoints: &[Spanned<Endpoint>]| {
        let endpoints = endpoints.iter();
        endpoints.map(|one| one.to_string()).collect::<Vec<_>>()
    };
    let parsed = parse(text.as_bytes(), Dialect::Wg).unwrap();
    let endpoint = parsed.config.peers[0].endpoint.as_ref().unwrap();
    assert_eq!(endpoint.to_string(), "c:1");
    assert_eq!(told(&parsed.replaced_endpoints), ["a:1", "b:1"]);

    let error = parse((text + "x\n").as_bytes(), Dialect::Wg).unwrap_err();
    assert_eq!(told(error.endpoints()), ["a:1", "b:1", "c:1"]);
}

#[test]
fn a_good_config_has_no_findings() {
    let text = format!(
        "[Interface]\nPrivateKey={PRIVATE}\nAddress=fd00::1/64\nMTU=1280\nTable=auto\nDNS=1.1.1.1\n\
         [Peer]\nPublicKey={P1}\nAllowedIPs=0.0.0.0/0\n[Peer]\nPublicKey={P2}\nAllowedIPs=10.0.0.0/8,10.0.0.0/8\n"
    );
    assert_eq!(findings(&text), Vec::<String>::new());
    assert_eq!(
        findings(&text.replace("1280", "65440")),
        Vec::<String>::new()
    );
}

#[test]
fn what_cannot_run_is_found() {
    assert_eq!(
        findings("# no section\n"),
        [
            "wg0.conf:1:1: [Interface] has no PrivateKey; add `PrivateKey = …` to [Interface]; `hushwire genkey` makes one"
        ]
    );
    let zero = "A".repeat(43) + "=";
    assert!(
        findings(&format!("\n[Interface]\nPrivateKey={zero}\n"))[0].starts_with("wg0.conf:2:1: ")
    );
    let text = format!(
        "[Interface]\nPrivateKey={PRIVATE}\nAddress=fd00::1/64\nMTU=1279\nTable=Off\nDNS=1.1\n\
         [Peer]\nPublicKey={P1}\nAllowedIPs=10.0.0.0/8\n[Peer]\nPublicKey={P2}\nAllowedIPs=10.1.0.0/8\n\
         [Peer]\nPublicKey={P1}\n"
    );
    assert_eq!(
        findings(&text),
        [
            "wg0.conf:4:5: MTU 1279 is too small for the interface's IPv6 addresses; write 1280 or more".to_owned(),
            "wg0.conf:5:7: Table `Off` is no routing table; write off, auto, a number, or a name from \
             /etc/iproute2/rt_tables".to_owned(),
            "wg0.conf:6:5: DNS server `1.1` is no IP address; write the server's full address".to_owned(),
            "wg0.conf:12:12: another peer has 10.0.0.0/8 too, on line 9; only the later peer gets it: take it \
             out of one of the two".to_owned(),
            format!("wg0.conf:14:11: peer {P1} is here again, first on line 8; merge the two sections into one"),
        ]
    );
}

#[test]
fn the_edges_of_the_mtu() {
    let with = |mtu: u32, address: &str| {
        findings(&format!(
            "[Interface]\nPrivateKey={PRIVATE}\nAddress={address}\nMTU={mtu}\n"
        ))
    };
    assert!(with(68, "10.0.0.1").is_empty());
    assert_eq!(
        with(67, "10.0.0.1"),
        ["wg0.conf:4:5: MTU 67 is too small; write 68 or more"]
    );
    assert!(with(1280, "fd00::1").is_empty());
    assert_eq!(
        with(65441, "10.0.0.1"),
        ["wg0.conf:4:5: MTU 65441 is too large; write 65440 or less"]
    );
}

#[test]
fn a_peer_that_is_the_interface_is_found() {
    let config = quick(&format!(
        "[Interface]\nPrivateKey={PRIVATE}\n[Peer]\nPublicKey={P1}\n"
    ));
    let own = config.peers[0].public_key.value;
    let found = config.check(Some(&own));
    assert_eq!(found[0].problem, Problem::OwnKey);
    assert_eq!(found[0].severity(), Severity::Warning);
}

/// Found by the fuzz target `conf`: hosts had one form for bytes that are no text, commands and
/// name servers another, and no file could be made of both.
#[test]
fn characters_that_stand_for_bytes_are_printed_in_one_form() {
    let text = b"[Interface]\nDNS = 10.99.\xf4\x8f\xbe\x82\nPostUp = echo \xf4\x8f\xbe\x82\n\n\
        [Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nEndpoint = a\xff:1\n";
    let config = parse(text, Dialect::Quick).unwrap().config;
    let printed = hushwire_config::raw::encode(&config.print()).into_owned();
    assert_eq!(parse(&printed, Dialect::Quick).unwrap().config, config);
    for part in [&b"10.99.\xf4\x8f\xbe\x82"[..], b"a\xff:1"] {
        assert!(printed.windows(part.len()).any(|window| window == part));
    }
}
