//! The wire of the lab in containers: joins two interfaces by a path of known delay, with known faults, until it is ended.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Parser;
use pdmline_tests::delay_line::{DelayLine, Fault};

/// Joins two interfaces by a path of known delay, with known faults
#[derive(Parser)]
struct Args {
    /// One end
    one: String,
    /// The other
    other: String,
    /// How long a frame is on its way, in either direction
    #[arg(long, value_parser = humantime::parse_duration)]
    delay: Duration,
    /// What befalls each hundredth frame that carries PDM, in either direction
    #[arg(long, value_enum, default_value_t = Fault::None)]
    fault: Fault,
}

fn main() -> Result<()> {
    let Args { one, other, delay, fault } = Args::parse();
    let line = DelayLine::between([&one, &other], delay, fault)?;
    // A wire that failed must not stand there as if it carried something.
    while !line.is_cut() {
        thread::sleep(Duration::from_millis(100));
    }
    line.stop()?;
    Err(anyhow!("the wire ended by itself"))
}
