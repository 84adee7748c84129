#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hushwire_fuzz::run("tun_packet", input));
