//! Config files by their grammar, with mistakes.

use crate::input::Input;

const LINES_MAX: usize = 40;

const SECTIONS: &[&str] = &[
    "[Interface]",
    "[Peer]",
    "[interface]",
    "[PEER]",
    "[ Peer ]",
    "[Pee r]",
    " [Interface] # x",
    "[Interface",
    "[Foo]",
    "[Peer]x",
    "[]",
    "Interface",
];

const WG_KEYS: &[&str] = &[
    "PrivateKey",
    "ListenPort",
    "FwMark",
    "PublicKey",
    "PresharedKey",
    "AllowedIPs",
    "Endpoint",
    "PersistentKeepalive",
];

const QUICK_KEYS: &[&str] = &[
    "Address",
    "DNS",
    "MTU",
    "Table",
    "PreUp",
    "PostUp",
    "PreDown",
    "PostDown",
    "SaveConfig",
];

const KEYS: &[&str] = &[
    "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "//////////////////////////////////////////8=",
    "//////////////////////////////////////////9=",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D==",
    "xTIBA5rboU#nH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "AAAA",
    "-_IBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
];

const PORTS: &[&str] = &[
    "51820",
    "0",
    "65535",
    "65536",
    "70000",
    "domain",
    "+5",
    "-1",
    "0x10",
    "007",
    "nonsense",
    "1 2 3",
    "4294967296",
    "4294967297",
    "2147483648",
    "18446744073709551615",
    "18446744073709551616",
    "",
    "=1",
    "5a",
    "-18446744073709551615",
    "\u{661}",
];

const NUMBERS: &[&str] = &[
    "off",
    "OFF",
    "0",
    "25",
    "0025",
    "65535",
    "65536",
    "0xca6c",
    "0XCA6C",
    "0x",
    "0xg",
    "0xFFFFFFFF",
    "0x100000000",
    "4294967295",
    "4294967296",
    "-1",
    "+1",
    "",
    "1e3",
    "2 5",
];

const HOSTS: &[&str] = &[
    "192.0.2.1",
    "[2001:db8::1]",
    "2001:db8::1",
    "[::ffff:1.2.3.4]",
    "::1.2.3.4",
    "127.1",
    "0x7f.1",
    "010.0.0.1",
    "2130706433",
    "4294967296",
    "256.1.1.1",
    "1.2.3.4.5",
    "[1.2.3.4]",
    "[fe80::1%3]",
    "fe80::1%3",
    "[fe80::1%03]",
    "[::1%4294967296]",
    "[",
    "[]",
    "]",
    "",
    "[::1]x",
    "::",
    "1.",
    ".1",
    "08.1",
    "0x",
];

const PREFIXES: &[&str] = &[
    "10.0.0.0/8",
    "10.1.2.3/8",
    "0.0.0.0/0",
    "::/0",
    "fd00::/64",
    "fd00::1/64",
    "1.2.3.4",
    "::1",
    "+10.0.0.0/8",
    "-10.0.0.0/8",
    "+-1.2.3.4",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/8/8",
    "1.2.3/8",
    "01.2.3.4",
    "1.2.3.4/-1",
    "1.2.3.4/+1",
    "::ffff:1.2.3.4/96",
    "::1.2.3.4/128",
    "",
    "+",
    "/8",
    "fe80::1%3/64",
    "1.2.3.4/32x",
    "1.2.3.4/4294967328",
    "::1/000128",
];

const TEXTS: &[&str] = &[
    "10.0.0.1/24",
    "10.0.0.1/24, fd00::1/64",
    "10.0.0.1/33",
    "1.1.1.1, example.org",
    "1420",
    "0x5dc",
    "auto",
    "off",
    "123",
    "true",
    "FALSE",
    "maybe",
    "echo \"a # b\"",
    "ip rule add pref 1 || true",
    "",
];

/// A file: lines that are mostly in order.
pub(crate) fn file(input: &mut Input<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..LINES_MAX {
        if input.is_empty() {
            break;
        }
        line(input, &mut text);
        let end: &[u8] = match input.byte() {
            0..240 => b"\n",
            240..250 => b"\r\n",
            250..253 => b"",
            _ => b" # comment\n",
        };
        text.extend(end);
    }
    text
}

fn line(input: &mut Input<'_>, text: &mut Vec<u8>) {
    match input.below(16) {
        0 => text.extend(input.pick(SECTIONS).as_bytes()),
        1 => text.extend(b"[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="),
        2 => text.extend(input.piece(40)),
        3 => text.extend(b"[Interface]"),
        4 => {
            key(input.pick(QUICK_KEYS), input, text);
            text.extend(input.pick(TEXTS).as_bytes());
        }
        _ => {
            let name = input.pick(WG_KEYS);
            key(name, input, text);
            value(name, input, text);
        }
    }
}

fn key(name: &str, input: &mut Input<'_>, text: &mut Vec<u8>) {
    let style = input.byte();
    let name = match style % 16 {
        0 => name.to_ascii_uppercase(),
        1 => name[..name.len() - 1].to_owned(),
        2 => name.replace('e', "e "),
        _ => name.to_owned(),
    };
    let equals = match style / 16 {
        0 => "",
        1 => "\t=\t",
        2 => "= =",
        3..8 => "=",
        _ => " = ",
    };
    text.extend(name.as_bytes());
    text.extend(equals.as_bytes());
}

fn value(name: &str, input: &mut Input<'_>, text: &mut Vec<u8>) {
    if input.byte() > 240 {
        return text.extend(input.piece(20));
    }
    let value = match name {
        "ListenPort" => input.pick(PORTS).to_owned(),
        "FwMark" | "PersistentKeepalive" => input.pick(NUMBERS).to_owned(),
        "Endpoint" => {
            let colon = if input.byte() > 240 { "" } else { ":" };
            let port = if input.bool() {
                "51820"
            } else {
                input.pick(PORTS)
            };
            format!("{}{colon}{port}", input.pick(HOSTS))
        }
        "AllowedIPs" => {
            let count = 1 + input.below(4);
            let entries: Vec<&str> = (0..count).map(|_| prefix(input)).collect();
            entries.join(if input.bool() { "," } else { ", " })
        }
        _ => input.pick(KEYS).to_owned(),
    };
    text.extend(value.as_bytes());
}

/// Most are right: a list has many, and ends at its first mistake.
fn prefix(input: &mut Input<'_>) -> &'static str {
    if input.byte() < 200 {
        input.pick(&PREFIXES[..10])
    } else {
        input.pick(PREFIXES)
    }
}
