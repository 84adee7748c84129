//! What goes to standard output and standard error. Errors in writing mean nothing, as in wg(8).

use std::io::{self, IsTerminal, Stdout, Write};

use hushwire_config::raw;
use hushwire_config::secret_io::SecretWriter;

/// Standard output, through a buffer that is zeroed, and standard error.
pub(crate) struct Output {
    stdout: SecretWriter<Stdout>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            stdout: SecretWriter::new(io::stdout()),
        }
    }

    /// Writes to standard output.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut SecretWriter<Stdout>) -> io::Result<()>,
    ) {
        let _ = write(&mut self.stdout);
    }

    /// Says a line on standard error.
    pub(crate) fn error(&mut self, line: &str) {
        self.error_bytes(&raw::encode(line));
    }

    /// As [`Output::error`], for text that may not be UTF-8.
    pub(super) fn error_bytes(&mut self, line: &[u8]) {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        self.say(&bytes);
    }

    /// Says lines that have their newlines already.
    pub(super) fn error_text(&mut self, text: &str) {
        self.say(&raw::encode(text));
    }

    /// Says what to do about the error before.
    pub(super) fn hint(&mut self, hint: &str) {
        self.error(&format!("  hint: {hint}"));
    }

    fn say(&mut self, bytes: &[u8]) {
        // On a terminal both come in order, else each as its reader likes.
        if io::stdout().is_terminal() {
            let _ = self.stdout.flush();
        }
        let _ = io::stderr().write_all(bytes);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.stdout.flush();
    }
}

/// Writes a text to standard output.
pub(super) fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
