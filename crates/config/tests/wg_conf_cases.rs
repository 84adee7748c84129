//! Recorded runs of `wg setconf` and `wg addconf`: the same words, the same bytes.

use std::net::SocketAddr;

use hushwire_config::conf::{Dialect, Mode, Spanned, parse};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::uapi::set;
use serde_json::Value;

const CASES: &str = include_str!("wg_conf_cases.json");

#[test]
fn every_recorded_run() {
    let document: Value = serde_json::from_str(CASES).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 47);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let mode = match case["command"].as_str() {
            Some("addconf") => Mode::Add,
            _ => Mode::Replace,
        };
        let (stderr, sent) = run(case["file"].as_str().unwrap(), mode);
        assert_eq!(stderr, case["stderr"].as_str().unwrap(), "{id}: words");
        assert_eq!(sent.as_deref(), case["sent"].as_str(), "{id}: bytes");
    }
}

fn run(file: &str, mode: Mode) -> (String, Option<String>) {
    let parsed = match parse(file.as_bytes(), Dialect::Wg) {
        Ok(parsed) => parsed,
        Err(error) => return (error.standard_message().to_string(), None),
    };
    let warnings = parsed
        .warnings
        .iter()
        .filter_map(|warning| warning.problem.standard_message());
    let stderr = warnings.fold(String::new(), |said, warning| said + &warning);
    let update = parsed
        .config
        .to_update(mode, resolve)
        .expect("only localhost has a name");
    let mut bytes = Vec::new();
    set::write(&mut bytes, &update).unwrap();
    (stderr, String::from_utf8(bytes).ok())
}

fn resolve(endpoint: &Spanned<Endpoint>) -> Result<SocketAddr, ()> {
    match &endpoint.value {
        Endpoint::Numeric(addr) => Ok(*addr),
        Endpoint::Name(name) if name.host() == "localhost" => {
            Ok(SocketAddr::from(([127, 0, 0, 1], name.port())))
        }
        Endpoint::Name(_) => Err(()),
    }
}
