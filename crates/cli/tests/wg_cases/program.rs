//! Running programs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::case;

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a program did, text in Latin-1.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) exit: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Where standard output goes.
pub(super) enum Stdout {
    Pipe,
    Terminal,
    /// A file, already open.
    File(PathBuf, File),
}

pub(super) fn run(mut command: Command, stdin: &str, stdout: Stdout) -> Outcome {
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut terminal = None;
    let mut written = None;
    match stdout {
        Stdout::Pipe => {
            command.stdout(Stdio::piped());
        }
        Stdout::Terminal => {
            let (ours, theirs) = pseudo_terminal();
            command.stdout(theirs);
            terminal = Some(ours);
        }
        Stdout::File(path, file) => {
            command.stdout(file);
            written = Some(path);
        }
    }
    let mut child = command.spawn().expect("the program");
    // It holds the terminal's other end, and reading ours ends only when nobody does any more.
    drop(command);
    let mut input = child.stdin.take().expect("its input");
    // A program that reads none of it breaks the pipe.
    let _ = input.write_all(&case::bytes(stdin));
    drop(input);
    let stderr = collect(child.stderr.take().expect("its errors"));
    let stdout = match (child.stdout.take(), terminal) {
        (Some(pipe), _) => collect(pipe),
        (None, Some(terminal)) => collect(File::from(terminal)),
        (None, None) => thread::spawn(Vec::new),
    };
    let exit = wait(&mut child);
    let mut output = stdout.join().expect("what it printed");
    if let Some(path) = written {
        output = std::fs::read(path).expect("what it wrote");
    }
    Outcome {
        exit,
        stdout: case::text(&output),
        stderr: case::text(&stderr.join().expect("what it said")),
    }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A terminal ends with an error.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child) -> i32 {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("its status") {
            return status.code().unwrap_or(-1);
        }
        if start.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("a program that does not end");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn pseudo_terminal() -> (OwnedFd, OwnedFd) {
    let ours =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&ours).expect("the right to it");
    unlockpt(&ours).expect("no lock on it");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let theirs = File::options()
        .read(true)
        .write(true)
        .open(Path::new(name.to_str().expect("its name in letters")))
        .expect("its other end");
    (ours, theirs.into())
}

/// The command of some words, the first of which is looked for among the programs under test.
pub(super) fn command(argv: &[String], programs: &Path) -> Command {
    let (name, arguments) = argv.split_first().expect("a program");
    let ours = programs.join(name);
    let mut command = if ours.exists() {
        Command::new(ours)
    } else {
        Command::new(name)
    };
    command.arg0(name).args(arguments);
    command
}
