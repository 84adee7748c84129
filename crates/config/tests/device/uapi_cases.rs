//! Recorded exchanges with a server of the UAPI, replayed over a socket pair.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::locked::Locked;
use crate::memory::MemoryDevice;
use hushwire_config::uapi::serve;
use serde_json::Value;

const CASES: &str = include_str!("../uapi_cases.json");

/// A port that is taken: the recording has it as `<port bound by another socket>`.
const TAKEN: &str = "51999";

/// The variant whose answers we give where it differs from the recording.
const VARIANT: &str = "wireguard-go>=0.0.20250522";

#[test]
fn every_recorded_exchange() {
    let document: Value = serde_json::from_str(CASES).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 54);
    for case in cases {
        replay(case);
    }
}

fn replay(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let device = Arc::new(Mutex::new(MemoryDevice::default()));
    for operation in texts(&case["pre"]) {
        let mut client = Client::connect(&device);
        client.send(&operation);
        assert_eq!(client.reply(), "errno=0\n\n", "{id}: before");
    }
    let variant = &case["variants"][VARIANT];
    let expected = if variant.is_null() {
        texts(&case["expect_replies"])
    } else {
        texts(&variant["replies"])
    };
    let mut client = Client::connect(&device);
    let half_close = case["half_close_after_last"].as_bool().unwrap();
    let sends = texts(&case["send"]);
    for (index, (text, expected)) in sends.iter().zip(&expected).enumerate() {
        client.send(&text.replace("<port bound by another socket>", TAKEN));
        if half_close && index + 1 == sends.len() {
            client.stream.shutdown(Shutdown::Write).unwrap();
        }
        client.expect(id, expected);
    }
    drop(client);
    expect_state(id, &device, case, variant);
}

fn expect_state(id: &str, device: &Arc<Mutex<MemoryDevice>>, case: &Value, variant: &Value) {
    let Some(recorded) = case["expect_get_after"].as_str() else {
        return;
    };
    let mut client = Client::connect(device);
    client.send("get=1\n\n");
    let state = client.reply();
    match variant["state_after_no"].as_str() {
        Some(gone) => assert!(!state.contains(gone), "{id}: {gone} is still in {state}"),
        None => assert_eq!(without_ports(&state, recorded), recorded, "{id}: state"),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Puts `@PORT@` where the recording has it and the text a port.
fn without_ports(text: &str, recorded: &str) -> String {
    if !recorded.contains("@PORT@") {
        return text.to_owned();
    }
    let masked = text
        .lines()
        .map(|line| match line.strip_prefix("listen_port=") {
            Some(port) if port.parse::<u16>().is_ok_and(|port| port != 0) => "listen_port=@PORT@",
            _ => line,
        });
    masked.fold(String::new(), |text, line| text + line + "\n")
}

struct Client {
    stream: UnixStream,
}

impl Client {
    fn connect(device: &Arc<Mutex<MemoryDevice>>) -> Self {
        let (stream, mut server) = UnixStream::pair().unwrap();
        let mut device = Locked(Arc::clone(device));
        thread::spawn(move || serve(&mut server, &mut device));
        Self { stream }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// One whole reply, or what there is of one before the end of the stream.
    fn reply(&mut self) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !(text.ends_with(b"\n\n") || text == b"\n") {
            if self.stream.read(&mut byte).unwrap() == 0 {
                text.extend_from_slice(b"<CLOSED>");
                break;
            }
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    fn expect(&mut self, id: &str, expected: &str) {
        if expected.is_empty() {
            return self.expect_silence(id);
        }
        let (reply, closed) = match expected.strip_suffix("<CLOSED>") {
            Some(reply) => (reply, true),
            None => (expected, false),
        };
        if !reply.is_empty() {
            assert_eq!(without_ports(&self.reply(), reply), reply, "{id}: reply");
        }
        if closed {
            assert_eq!(self.reply(), "<CLOSED>", "{id}: end");
        }
    }

    /// Nothing can prove that nothing will come; what came too early would be caught by the
    /// next expectation as well.
    fn expect_silence(&mut self, id: &str) {
        self.stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let error = self.stream.read(&mut [0]).expect_err(id);
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{id}: silence");
        self.stream.set_read_timeout(None).unwrap();
    }
}
