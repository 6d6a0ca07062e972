//! The `pdmline` program: its commands, and what they share. Captures are read and written here, and times are put
//! into words; what happens to a packet is in `pdm`, `flow` and `dataplane`.
//!
//! Every failure ends as one line on standard error that says what to do, and exit status 1 (2 for a command line that
//! is not understood).

mod capture;
mod cli;
mod config;
mod decode;
mod demo;
mod files;
mod flow_object;
mod frame;
mod health;
mod human;
mod progress;
mod replay;
mod report;
mod run;
mod secret;
mod top;
mod version;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "pdmline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
