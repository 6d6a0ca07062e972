//! The command line. Each command's arguments are described next to the command.

use clap::{Parser, Subcommand};

use crate::{decode, demo, health, replay, run, top, version};

/// Gives hosts IPv6 Performance and Diagnostic Metrics (PDM, RFC 8250) without touching them
#[derive(Debug, Parser)]
#[command(version = version::of_all())]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Replay(replay::Args),
    Decode(decode::Args),
    Demo(demo::Args),
    Top(top::Args),
    Health(health::Args),
}

impl Cli {
    /// Does what the command line says.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Decode(args) => decode::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Top(args) => top::run(&args),
            Command::Health(args) => health::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
