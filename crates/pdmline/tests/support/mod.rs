//! Runs the program, and knows where its vectors are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program left behind.
pub(crate) struct Ran {
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained of.
    pub(crate) stderr: String,
    /// Its exit status; `None` when a signal ended it.
    pub(crate) status: Option<i32>,
}

/// Runs `pdmline` with `args`.
pub(crate) fn pdmline<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_pdmline")).args(args).output().unwrap();
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

/// The vector file `name`.
pub(crate) fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors").join(name)
}
