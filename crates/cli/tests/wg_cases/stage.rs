//! Setting the scene for a case, and playing it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hushwire_lab::{Daemon, Host, Implementation};

use crate::case::{self, Case, File};
use crate::fake::{Fake, SOCKETS, socket_path};
use crate::program::{self, Outcome, Stdout};

/// Where the programs under test are: on the host's own file system, which everybody may read.
pub(super) const PROGRAMS: &str = "/run/programs";

/// Whether the reverse path filter looks at marks.
const SRC_VALID_MARK: &str = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

pub(super) struct Stage<'h> {
    host: &'h Host,
}

/// All that came of a case.
pub(super) struct Outcomes {
    pub(super) main: Outcome,
    pub(super) sent: BTreeMap<String, Vec<String>>,
    pub(super) after: Vec<Outcome>,
    /// What is in the files that are of interest at the end.
    pub(super) files: BTreeMap<String, String>,
    /// The working directory, for which @DIR@ stands.
    pub(super) directory: PathBuf,
}

impl<'h> Stage<'h> {
    pub(super) fn new(host: &'h Host) -> Self {
        host.run(|| {
            fs::create_dir(PROGRAMS)?;
            fs::copy(env!("CARGO_BIN_EXE_hushwire"), "/run/programs/hushwire")?;
            // Others look into the directory of the sockets as well.
            fs::set_permissions(SOCKETS, fs::Permissions::from_mode(0o755))?;
            for name in ["wg", "wg-quick", "wireguard-go"] {
                symlink("hushwire", Path::new(PROGRAMS).join(name))?;
            }
            Ok::<_, std::io::Error>(())
        })
        .expect("the programs");
        Self { host }
    }

    pub(super) fn play(&self, case: &Case) -> Outcomes {
        let directory = tempfile::Builder::new()
            .prefix("case-")
            .tempdir()
            .expect("a directory");
        let directory = directory.path();
        for (name, file) in &case.files {
            self.host.run(|| write(&directory.join(name), file));
        }
        // What wg-quick(8) switches on, and leaves so.
        self.host
            .run(|| fs::write(SRC_VALID_MARK, "0"))
            .expect("a setting of the kernel");
        let mode = case.sock_mode.as_deref().map(octal);
        let fakes: BTreeMap<&str, Fake<'_>> = case
            .uapi
            .iter()
            .map(|uapi| (uapi.iface.as_str(), Fake::start(self.host, uapi, mode)))
            .collect();
        for name in &case.stale_sockets {
            let path = socket_path(name);
            self.host
                .run(|| UnixListener::bind(path).map(drop))
                .expect("a stale socket");
        }
        let daemons: Vec<Daemon> = case.daemons.iter().map(|name| self.daemon(name)).collect();
        for step in &case.setup {
            self.run(
                self.command(case, directory, &step.argv),
                &step.stdin,
                Stdout::Pipe,
            );
        }
        fakes.values().for_each(Fake::forget);
        let main = self.main(case, directory);
        let sent = fakes.iter();
        let sent = sent
            .map(|(name, fake)| ((*name).to_owned(), fake.sent()))
            .collect();
        let after =
            case.expect.after.iter().map(|after| {
                self.run(self.command(case, directory, &after.argv), "", Stdout::Pipe)
            });
        let after = after.collect();
        let files = case.expect.files.keys();
        let files = files.filter_map(|name| {
            let bytes = self.host.run(|| fs::read(directory.join(name))).ok()?;
            Some((name.clone(), case::text(&bytes)))
        });
        let files = files.collect();
        drop(daemons);
        Outcomes {
            main,
            sent,
            after,
            files,
            directory: directory.to_owned(),
        }
    }

    fn main(&self, case: &Case, directory: &Path) -> Outcome {
        let mut command = self.command(case, directory, &case.argv);
        if let Some(user) = case.run_as_uid {
            command.uid(user).gid(user);
        }
        let stdout = match &case.stdout_file {
            Some(file) => {
                let path = directory.join(&file.name);
                let mut options = fs::File::options();
                let open = options.write(true).create(true).mode(0o600).open(&path);
                let open = open.expect("a file for the output");
                let permissions = fs::Permissions::from_mode(octal(&file.mode));
                open.set_permissions(permissions).expect("its mode");
                Stdout::File(path, open)
            }
            None if case.tty => Stdout::Terminal,
            None => Stdout::Pipe,
        };
        self.run(command, &case.stdin, stdout)
    }

    fn run(&self, command: Command, stdin: &str, stdout: Stdout) -> Outcome {
        self.host.run(|| program::run(command, stdin, stdout))
    }

    fn command(&self, case: &Case, directory: &Path, argv: &[String]) -> Command {
        let mut command = program::command(argv, Path::new(PROGRAMS));
        // Kept as it is, so that the programs that cases need are found: ls, bash and the like.
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{PROGRAMS}:{path}:/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .env_clear()
            .env("PATH", &path)
            .env("LC_ALL", "C")
            .env("HOME", "/root")
            .current_dir(directory);
        for (name, value) in &case.env {
            let value = value.replace("@DIR@", &directory.to_string_lossy());
            command.env(name, value.replace("@PATH@", &path));
        }
        command
    }

    fn daemon(&self, interface: &str) -> Daemon {
        let binary = env!("CARGO_BIN_EXE_hushwired");
        let command = self.host.command(&[binary, "-f", interface]);
        Implementation::Hushwired
            .start_command(self.host, interface, command)
            .expect("a daemon")
    }
}

fn write(path: &Path, file: &File) {
    let (data, mode) = match file {
        File::Text(data) => (data, 0o600),
        File::Other { dir: true, .. } => return fs::create_dir(path).expect("a directory"),
        File::Other { data, mode, .. } => (data, mode.as_deref().map_or(0o600, octal)),
    };
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a directory");
    fs::write(path, case::bytes(data)).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

fn octal(mode: &str) -> u32 {
    u32::from_str_radix(mode, 8).expect("a mode")
}
