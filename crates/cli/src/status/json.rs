//! For programs. The names of the fields are part of the interface: docs/status.md.

use std::io::{self, Write};

use hushwire_config::json::string;

use super::{Report, Runner};

/// `{"interfaces":[…]}`, compact, on one line.
pub(super) fn write(out: &mut impl Write, reports: &[Report]) -> io::Result<()> {
    out.write_all(b"{\"interfaces\":[")?;
    list(out, reports, |out, report| interface(out, report))?;
    out.write_all(b"]}\n")
}

fn interface(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let (backend, daemon) = match &report.runner {
        Runner::Kernel => ("kernel", None),
        Runner::Hushwire => ("userspace", Some("hushwire")),
        Runner::Other(program) => ("userspace", program.as_deref()),
    };
    let status = &report.status;
    out.write_all(b"{\"name\":")?;
    string(out, &report.name)?;
    write!(out, ",\"backend\":\"{backend}\",\"daemon\":")?;
    string_or_null(out, daemon.unwrap_or_default())?;
    out.write_all(b",\"version\":")?;
    string_or_null(out, &status.version)?;
    for (name, flag) in status.flags() {
        write!(out, ",\"{name}\":{}", or_null(flag))?;
    }
    for (name, number) in status.numbers() {
        write!(out, ",\"{name}\":{}", or_null(number))?;
    }
    for (name, features) in status.features() {
        write!(out, ",\"{name}\":{{")?;
        list(out, features, |out, feature| {
            string(out, &feature.name)?;
            out.write_all(b":{\"state\":")?;
            string(out, &feature.state)?;
            out.write_all(b",\"detail\":")?;
            string_or_null(out, &feature.detail)?;
            out.write_all(b"}")
        })?;
        out.write_all(b"}")?;
    }
    for (name, counts) in status.counts() {
        write!(out, ",\"{name}\":{{")?;
        list(out, counts, |out, count| {
            string(out, &count.name)?;
            write!(out, ":{}", count.count)
        })?;
        out.write_all(b"}")?;
    }
    out.write_all(b",\"problems\":[")?;
    list(out, &report.problems, |out, problem| {
        out.write_all(b"{\"problem\":")?;
        string(out, &problem.what)?;
        out.write_all(b",\"advice\":")?;
        string(out, &problem.advice)?;
        out.write_all(b"}")
    })?;
    out.write_all(b"]}")
}

fn or_null<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn string_or_null(out: &mut impl Write, text: &str) -> io::Result<()> {
    match text {
        "" => out.write_all(b"null"),
        text => string(out, text),
    }
}

/// Items with commas between them.
fn list<W: Write, T>(
    out: &mut W,
    items: &[T],
    mut write: impl FnMut(&mut W, &T) -> io::Result<()>,
) -> io::Result<()> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write(out, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::status::testing;

    fn read(reports: &[Report]) -> Value {
        let mut text = Vec::new();
        write(&mut text, reports).unwrap();
        assert!(text.ends_with(b"]}\n"));
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn every_field_is_there() {
        assert_eq!(
            read(&[testing::troubled()])["interfaces"][0],
            json!({
                "name": "wg0",
                "backend": "userspace",
                "daemon": "hushwire",
                "version": "0.1.0",
                "up": true,
                "has_private_key": true,
                "under_load": false,
                "pid": 4711,
                "uptime": 3661,
                "mtu": 1420,
                "peers": 3,
                "unanswered": 1,
                "allowed_ips": 7,
                "queues": 1,
                "threads": 5,
                "helpers": 1,
                "helped": 1234,
                "memory_resident": 12_000_000,
                "memory_limit": null,
                "memory_reserved": null,
                "memory_waiting": 0,
                "sandbox": {
                    "user": {"state": "off", "detail": "no --user"},
                    "seccomp": {"state": "missing", "detail": "not in this kernel"},
                },
                "offloads": {
                    "tun-tso4": {"state": "on", "detail": null},
                    "udp-gso4": {"state": "refused", "detail": "refused by the kernel: EIO"},
                },
                "buffers": {"send4": 425_984, "receive4": 425_984},
                "handshakes": {"accepted": 5, "unauthentic": 0},
                "dropped": {"no-peer": 12, "congestion": 0},
                "udp": {"receive-full": 0},
                "problems": testing::troubled().problems.iter().map(|problem| json!({
                    "problem": problem.what,
                    "advice": problem.advice,
                })).collect::<Vec<_>>(),
            })
        );
    }

    #[test]
    fn what_is_not_told_is_null_or_empty() {
        let value = read(&[testing::of_kernel(), testing::of_other(None)]);
        let [kernel, other] = [0, 1].map(|index| &value["interfaces"][index]);
        assert_eq!(
            (&kernel["backend"], &kernel["daemon"]),
            (&json!("kernel"), &Value::Null)
        );
        assert_eq!(
            (&kernel["up"], &kernel["mtu"]),
            (&json!(true), &json!(1420))
        );
        assert_eq!(kernel["pid"], Value::Null);
        assert_eq!(kernel["offloads"], json!({}));
        assert_eq!(kernel["problems"], json!([]));
        assert_eq!(other["backend"], "userspace");
        assert_eq!(
            (&other["daemon"], &other["version"]),
            (&Value::Null, &Value::Null)
        );
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        let full = read(&[testing::troubled()]);
        assert_eq!(keys(kernel), keys(&full["interfaces"][0]));
        assert_eq!(keys(other), keys(kernel));
    }

    #[test]
    fn without_devices_there_is_an_empty_list() {
        assert_eq!(read(&[]), json!({"interfaces": []}));
    }
}
