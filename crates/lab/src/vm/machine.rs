//! QEMU.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use super::image::Image;
use crate::tools::search_path;
use crate::{Error, Output, Result, require_tools};

const EMULATOR: &str = "qemu-system-x86_64";
/// No hardware support, and no more than so many MiB for translated code.
const EMULATION: &str = "tcg,tb-size=256";
/// Memory in MiB: the image twice while it is unpacked, and 20,000 allowed IPs.
const MEMORY: &str = "1024";
/// What is kept of the console for a message.
const CONSOLE_TAIL: usize = 60;

/// What the kernel is told. `panic=-1` restarts at once, which ends QEMU. The mitigations guard against other programs
/// of the machine; without them emulation is faster.
const KERNEL: &str = "console=ttyS0 quiet panic=-1 mitigations=off";

/// A running machine. It is killed when this value is dropped, and by the kernel when the thread that started it ends.
#[derive(Debug)]
pub(super) struct Machine {
    child: Child,
    lines: Receiver<String>,
    console: PathBuf,
    complaints: PathBuf,
}

impl Machine {
    /// Boots an image; the words are the arguments of its first program.
    pub(super) fn boot(image: &Image, words: &[String]) -> Result<Self> {
        require_tools(&[EMULATOR, "setpriv"])?;
        if let Some(word) = words.iter().find(|word| !is_plain(word)) {
            let reason = "a name with such characters cannot be handed on to the virtual machine";
            return Err(Error::unexpected(word, reason));
        }
        let starting = |e| Error::system(format!("start {EMULATOR}"), e);
        let console = image.directory().join("console");
        let complaints = image.directory().join("complaints");
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", EMULATOR])
            .args([
                "-accel", EMULATION, "-cpu", "max", "-smp", "1", "-m", MEMORY,
            ])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-monitor", "none", "-no-reboot"])
            .arg("-kernel")
            .arg(image.kernel())
            .arg("-initrd")
            .arg(image.file_system())
            .arg("-append")
            .arg(command_line(words))
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .args(["-serial", "stdio"])
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints).map_err(starting)?)
            .spawn()
            .map_err(starting)?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            // It ends with QEMU, or when nobody listens any more.
            thread::spawn(move || {
                let mut reader = BufReader::new(stdout);
                let mut line = Vec::new();
                while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    if sender.send(text).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        Ok(Self {
            child,
            lines,
            console,
            complaints,
        })
    }

    /// The next line of the report; none when the machine has stopped.
    pub(super) fn line(&mut self, deadline: Instant) -> Result<Option<String>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Error::TimedOut {
                what: "the tests in the virtual machine".to_owned(),
                limit: super::harness::LIMIT,
                output: Output {
                    stdout: String::new(),
                    stderr: self.last_words(),
                },
            }),
        }
    }

    /// The end of what the console and QEMU said.
    pub(super) fn last_words(&self) -> String {
        let text = [&self.complaints, &self.console]
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .flatten()
            .collect::<Vec<u8>>();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(CONSOLE_TAIL);
        lines[first..].join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kernel hands what it does not know to the first program: settings to its environment, and all after `--` as
/// arguments.
fn command_line(words: &[String]) -> String {
    let mut line = format!("{KERNEL} PATH=/bin HUSHWIRED=/bin/hushwired RUST_BACKTRACE=0 --");
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    line
}

/// Whether the kernel takes a word for one word.
fn is_plain(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b":_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_the_kernels_own() {
        let words = ["show::".to_owned(), "--exact".to_owned()];
        assert!(command_line(&words).ends_with(" -- show:: --exact"));
        assert!(words.iter().all(|word| is_plain(word)));
        assert!(!is_plain("two words") && !is_plain("a\"b"));
    }
}
