//! Makes man pages and the completion of shells out of the definition of the commands, `src/manual`.
//!
//! They go to `share` in `OUT_DIR`, laid out as below `/usr/share`, and a list of them to `share.rs`, which the binary
//! takes in: what it is asked for, or writes, is what was built with it.

mod bash;
mod fish;
mod man;
#[path = "../src/manual/mod.rs"]
mod manual;
mod operands;
mod zsh;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/manual");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let share = out.join("share");
    // What an earlier definition had and this one has not is no part of it.
    if share.exists() {
        fs::remove_dir_all(&share)?;
    }
    let bash = bash::script();
    let bash_completions = "bash-completion/completions";
    let mut files = vec![
        (format!("{bash_completions}/hushwire"), bash.clone()),
        (format!("{bash_completions}/hushwired"), bash.clone()),
        (format!("{bash_completions}/wg"), bash.clone()),
        (format!("{bash_completions}/wg-quick"), bash),
        ("zsh/site-functions/_hushwire".to_owned(), zsh::script()),
        (
            "fish/vendor_completions.d/hushwire.fish".to_owned(),
            fish::script("hushwire"),
        ),
        (
            "fish/vendor_completions.d/hushwired.fish".to_owned(),
            fish::daemon_script(),
        ),
        (
            "fish/vendor_completions.d/wg.fish".to_owned(),
            fish::script("wg"),
        ),
        (
            "fish/vendor_completions.d/wg-quick.fish".to_owned(),
            fish::quick_script(),
        ),
    ];
    files.extend(man::pages(env!("CARGO_PKG_VERSION")));
    let mut list = "&[\n".to_owned();
    for (path, text) in files {
        let file = share.join(&path);
        write(&file, &text)?;
        // Relative to the list: where it was built is not to be told by what was built.
        list += &format!(
            "    ({path:?}, include_str!({:?})),\n",
            format!("share/{path}")
        );
    }
    write(&out.join("share.rs"), &(list + "]\n"))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}
