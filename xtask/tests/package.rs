//! The Debian package in a fresh Debian: it works, wireguard-tools beside it stays whole, and nothing is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What changes whatever is done: the log of dpkg, its database (which the tests ask dpkg about), and when
/// systemd-analyze has looked at units.
const NOT_COMPARED: [&str; 3] = [
    "var/log/dpkg.log",
    "var/lib/dpkg",
    "run/systemd/systemd-units-load",
];
/// In the database, but a package's own.
const COMPARED_AFTER_ALL: &str = "var/lib/dpkg/info";

#[test]
fn it_comes_and_goes_beside_wireguard_tools() {
    let root = Root::fresh("beside");
    let theirs = root.says(&["wg", "--version"]);
    let before = root.files();

    root.install_ours();
    // Once more, as an upgrade does.
    root.install_ours();
    root.has_ours();
    assert_eq!(root.says(&["wg.wireguard-tools", "--version"]), theirs);
    let manual = "usr/share/man/man8/wg-quick.8.gz.wireguard-tools";
    assert!(root.path(manual).is_file(), "{manual}");
    for package in ["hushwire", "wireguard-tools"] {
        assert_eq!(root.says(&["dpkg", "--verify", package]), "", "{package}");
    }
    root.accepts_units();

    root.purge("hushwire");
    root.has_nothing_of_ours();
    root.has_just(&before);
    assert_eq!(root.says(&["wg", "--version"]), theirs);
    root.accepts_unit("wg-quick@wg0.service");
}

#[test]
fn wireguard_tools_may_come_later_and_go_first() {
    let root = Root::fresh("later");
    root.purge("wireguard-tools");
    let before = root.files();

    root.install_ours();
    root.has_ours();
    root.accepts_units();
    root.says(&[
        "sh",
        "-c",
        "dpkg --force-unsafe-io -i /var/cache/apt/archives/wireguard-tools_*.deb",
    ]);
    root.has_ours();
    root.purge("wireguard-tools");
    root.has_ours();
    root.accepts_units();

    root.purge("hushwire");
    root.has_nothing_of_ours();
    root.has_just(&before);
}

#[test]
fn wireguard_tools_that_came_later_is_whole_afterwards() {
    let root = Root::fresh("after");
    let before = root.files();
    root.purge("wireguard-tools");
    root.install_ours();
    root.says(&[
        "sh",
        "-c",
        "dpkg --force-unsafe-io -i /var/cache/apt/archives/wireguard-tools_*.deb",
    ]);
    root.purge("hushwire");
    root.has_nothing_of_ours();
    assert_eq!(root.says(&["dpkg", "--verify", "wireguard-tools"]), "");
    let names = |files: Files| files.into_keys().collect::<Vec<_>>();
    assert_eq!(names(root.files()), names(before));
}

#[test]
fn an_installation_that_fails_leaves_nothing() {
    let root = Root::fresh("fails");
    // Somebody else's package has a file of ours.
    let control = "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: o <o@example.com>\nDescription: o\n";
    root.says(&["mkdir", "-p", "/tmp/other/DEBIAN", "/tmp/other/usr/bin"]);
    fs::write(root.path("tmp/other/DEBIAN/control"), control).expect("a file of the root");
    fs::write(root.path("tmp/other/usr/bin/hushwired"), "theirs").expect("a file of the root");
    root.says(&["dpkg-deb", "--build", "/tmp/other", "/tmp/other.deb"]);
    root.says(&["dpkg", "-i", "/tmp/other.deb"]);
    let before = root.files();

    let output = root.try_ours();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success(),
        "it was installed over another package"
    );
    assert!(
        complaint.contains("trying to overwrite '/usr/bin/hushwired'"),
        "{complaint}"
    );
    root.has_nothing_of_ours();
    root.has_just(&before);
}

/// Mode, size, time and target by path below the root.
type Files = BTreeMap<PathBuf, (u32, u64, i64, Option<PathBuf>)>;

/// A fresh system.
struct Root(Folder);

impl Root {
    fn fresh(name: &str) -> Self {
        let root = Self(Folder::new(name));
        let archive = Path::new(&variable("HUSHWIRE_PEERS_DIR")).with_file_name("fresh-root.tar");
        assert!(
            archive.is_file(),
            "{} is not there: `cargo xtask install-peers` makes it",
            archive.display()
        );
        let tar = Command::new("tar")
            .args(["--numeric-owner", "-xpf"])
            .arg(&archive)
            .arg("-C")
            .arg(root.path(""))
            .output();
        text_of(&tar.expect("tar starts"), "tar");
        root
    }

    /// Where something of it is from out here.
    fn path(&self, below: &str) -> PathBuf {
        self.0.0.join(below)
    }

    /// Runs a program in there and gives what it said.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        text_of(&output, &words.join(" "))
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new("chroot")
            .arg(self.path(""))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .expect("chroot starts: the test needs root, as `cargo xtask test` has it")
    }

    fn install_ours(&self) {
        text_of(&self.try_ours(), "dpkg -i");
    }

    fn try_ours(&self) -> Output {
        let inside = "tmp/hushwire.deb";
        fs::write(self.path(inside), package()).expect("a file of the root");
        let output = self.run(&["dpkg", "--force-unsafe-io", "-i", &format!("/{inside}")]);
        fs::remove_file(self.path(inside)).expect("made above");
        output
    }

    fn purge(&self, package: &str) {
        self.says(&["dpkg", "--force-unsafe-io", "--purge", package]);
    }

    /// Our programs answer under all of their names.
    fn has_ours(&self) {
        let version = format!("hushwire {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(self.says(&["hushwire", "--version"]), version);
        assert!(
            self.says(&["hushwired", "--version"])
                .contains(env!("CARGO_PKG_VERSION"))
        );
        for name in ["wg", "wg-quick"] {
            let path = self.path("usr/bin").join(name);
            assert_eq!(fs::read_link(path).expect(name), Path::new("hushwire"));
        }
        let files = self.says(&["dpkg", "--listfiles", "hushwire"]);
        for page in [
            "man1/hushwire.1",
            "man8/hushwired.8",
            "man8/wg.8",
            "man8/wg-quick.8",
        ] {
            let page = format!("/usr/share/man/{page}.gz");
            assert!(files.lines().any(|file| file == page), "{page}: {files}");
            self.says(&["gzip", "--test", &page]);
        }
        let copyright = self.says(&["cat", "/usr/share/doc/hushwire/copyright"]);
        assert!(copyright.contains("\nFiles: zeroize-"), "{copyright}");
        // What it provides is what it says it is.
        let provided = self.says(&["dpkg-query", "-f", "${Provides}", "-W", "hushwire"]);
        let provided = provided
            .trim_start_matches("wireguard-tools (= ")
            .trim_end_matches(')');
        let said = self.says(&["wg", "--version"]);
        assert!(
            said.starts_with(&format!("wireguard-tools v{provided} ")),
            "{said}"
        );
    }

    fn has_nothing_of_ours(&self) {
        assert_eq!(self.says(&["dpkg-divert", "--list", "*hushwire*"]), "");
        assert_eq!(self.says(&["dpkg-divert", "--list", "*/wg*"]), "");
        assert_eq!(self.says(&["dpkg", "--audit"]), "");
        // dpkg may remember that it was wanted once.
        let query = ["dpkg-query", "-f", "${db:Status-Status}", "-W", "hushwire"];
        let status = self.run(&query).stdout;
        assert!(
            matches!(status.as_slice(), b"" | b"not-installed"),
            "{}",
            String::from_utf8_lossy(&status)
        );
    }

    fn accepts_units(&self) {
        for unit in [
            "hushwire@wg0.service",
            "wg-quick@wg0.service",
            "wg-quick.target",
        ] {
            self.accepts_unit(unit);
        }
    }

    /// Says nothing about it, either. Manual pages are not looked for: the system has no man(1).
    fn accepts_unit(&self, unit: &str) {
        let output = self.run(&["systemd-analyze", "--man=no", "verify", unit]);
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && complaints.is_empty(),
            "{unit}: {complaints}"
        );
    }

    fn has_just(&self, before: &Files) {
        let after = self.files();
        let differs = |one: &Files, other: &Files| -> Vec<String> {
            let lone = one
                .iter()
                .filter(|(path, data)| other.get(*path) != Some(data));
            lone.map(|entry| format!("{entry:?}")).collect()
        };
        let none = Vec::<String>::new();
        assert_eq!(differs(before, &after), none, "gone or changed");
        assert_eq!(differs(&after, before), none, "left");
    }

    fn files(&self) -> Files {
        let mut files = Files::new();
        self.list(&self.path(""), &mut files);
        files
    }

    fn list(&self, folder: &Path, files: &mut Files) {
        for entry in fs::read_dir(folder).expect("a folder of the root") {
            let path = entry.expect("an entry of the root").path();
            let below = path.strip_prefix(&self.0.0).expect("below").to_owned();
            let data = fs::symlink_metadata(&path).expect("data of a file");
            let is_out = NOT_COMPARED.iter().any(|out| below.starts_with(out));
            if !is_out || below.starts_with(COMPARED_AFTER_ALL) {
                // Folders have the time and size of what happened in between.
                let (size, time) = if data.is_dir() {
                    (0, 0)
                } else {
                    (data.len(), data.mtime())
                };
                let target = fs::read_link(&path).ok();
                files.insert(below, (data.mode(), size, time, target));
            }
            if data.is_dir() {
                self.list(&path, files);
            }
        }
    }
}

/// The package, built once from the programs of the tests.
fn package() -> &'static [u8] {
    static PACKAGE: OnceLock<Vec<u8>> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let folder = Folder::new("build");
        let built = PathBuf::from(variable("HUSHWIRE"));
        let xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .env("CARGO_TARGET_DIR", &folder.0)
            .args(["package", "--binaries"])
            .arg(built.parent().expect("a folder"))
            .output();
        let printed = text_of(&xtask.expect("xtask starts"), "xtask package");
        let deb = Path::new(printed.trim());
        assert!(deb.starts_with(&folder.0), "put elsewhere: {printed}");
        fs::read(deb).expect("the package")
    })
}

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("hushwire-package-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0).expect("a new folder");
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

fn text_of(output: &Output, what: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
