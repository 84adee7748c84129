//! The commands in our own spelling: places and hints, options, JSON, and daemons that misbehave.

mod bad_daemons;
mod closed_input;
mod json;
mod places;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use hushwire_lab::{Host, Lab};
use rustix::net::Shutdown;

use crate::fake::socket_path;
use crate::program::{self, Outcome, Stdout};
use crate::stage::{PROGRAMS, Stage};

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PRIVATE_HEX: &str = "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669";
const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const PEER: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const PEER_HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";
const PSK: &str = "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=";
const PSK_HEX: &str = "fd4c1c48f837f215bf0fd637b5c4b514e5742b5c2e51131b4b4b1eb0910fe5a9";

struct Scene {
    host: Host,
    directory: tempfile::TempDir,
    // Last, as hosts go before it.
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new().expect("a lab");
        let host = lab.host("own").expect("a host");
        Stage::new(&host);
        Self {
            host,
            directory: tempfile::tempdir().expect("a directory"),
            _lab: lab,
        }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut command = program::command(&words, PROGRAMS.as_ref());
        command
            .env("PATH", PROGRAMS)
            .env("WG_ENDPOINT_RESOLUTION_RETRIES", "0")
            .env("LC_ALL", "C")
            .envs(environment.iter().copied())
            .current_dir(self.directory.path());
        self.host.run(|| program::run(command, "", Stdout::Pipe))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).expect("a file");
    }

    /// A daemon that does with each connection what it is told; the one that it gives back stays open.
    fn daemon(
        &self,
        name: &str,
        serve: impl FnMut(UnixStream) -> Option<UnixStream> + Send + 'static,
    ) -> Daemon<'_> {
        let path = socket_path(name);
        let listener = self
            .host
            .run(|| UnixListener::bind(&path).expect("a socket"));
        let ours = listener.try_clone().expect("a descriptor");
        Daemon {
            host: &self.host,
            path,
            listener,
            thread: Some(thread::spawn(move || accept(&ours, serve))),
        }
    }

    /// A daemon that answers every request with this text, and closes.
    fn answering(&self, name: &str, answer: &str) -> Daemon<'_> {
        let answer = answer.to_owned();
        self.daemon(name, move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            None
        })
    }
}

fn accept(listener: &UnixListener, mut serve: impl FnMut(UnixStream) -> Option<UnixStream>) {
    let mut open = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        open.extend(serve(stream));
    }
}

fn read_request(stream: &mut UnixStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\n\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
    }
}

struct Daemon<'h> {
    host: &'h Host,
    path: PathBuf,
    listener: UnixListener,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.host.run(|| {
            let _ = fs::remove_file(&self.path);
        });
    }
}

fn reply() -> String {
    format!(
        "private_key={PRIVATE_HEX}\nlisten_port=51820\nfwmark=51820\npublic_key={PEER_HEX}\n\
         preshared_key={PSK_HEX}\nprotocol_version=1\nendpoint=[2001:db8::1]:7\n\
         last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=3\nrx_bytes=4\n\
         persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\nerrno=0\n\n"
    )
}
