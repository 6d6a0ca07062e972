//! A terminal of known size with a shell in it, whose keys are pressed and whose screen is read: tmux.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::program::{finish, text_of};

/// Long enough for a program that starts on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 80 columns and 24 lines. Dropping it ends what runs in it.
#[derive(Debug)]
pub struct Terminal {
    /// Where the shell is, and the socket of a tmux of our own.
    directory: TempDir,
}

impl Terminal {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// If tmux does not start.
    pub fn open() -> Result<Self> {
        let terminal = Self { directory: tempfile::tempdir()? };
        // Nobody's own configuration.
        let mut tmux = terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c"]);
        finish(tmux.arg(terminal.directory.path()).arg("sh"))?;
        Ok(terminal)
    }

    /// A file in the directory of the shell.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        // -u: the screen is read as UTF-8, whatever our own locale is.
        command.args(["-u", "-S"]).arg(self.path("tmux")).args(arguments);
        command
    }

    /// Types a line, and the return key.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn type_line(&self, line: &str) -> Result<()> {
        finish(&mut self.tmux(&["send-keys", "-l", line]))?;
        self.press("Enter")
    }

    /// Presses one key, as tmux names it: `q`, `C-c`, `Escape`.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn press(&self, key: &str) -> Result<()> {
        finish(&mut self.tmux(&["send-keys", key])).map(drop)
    }

    /// What is on the screen.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn screen(&self) -> Result<String> {
        text_of(&mut self.tmux(&["capture-pane", "-p"]))
    }

    /// The screen as soon as `shows` is true of it.
    ///
    /// # Errors
    ///
    /// If it never is; with what is there instead.
    pub fn wait_for(&self, shows: impl Fn(&str) -> bool) -> Result<String> {
        let start = Instant::now();
        loop {
            let screen = self.screen()?;
            if shows(&screen) {
                return Ok(screen);
            }
            ensure!(start.elapsed() < PATIENCE, "the screen does not show what it should:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the screen is the shell's own, with the cursor to be seen.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn is_the_shells(&self) -> Result<bool> {
        let flags = ["display-message", "-p", "#{alternate_on} #{cursor_flag}"];
        Ok(text_of(&mut self.tmux(&flags))?.trim_end() == "0 1")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody can be told.
        let _ = finish(&mut self.tmux(&["kill-server"]));
    }
}
