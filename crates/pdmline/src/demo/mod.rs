//! `pdmline demo`: two appliances in one process, and a network between them whose delay, loss and server are known.
//!
//! It needs no NIC, no privileges and no hugepages. The rings are DPDK's and the workers are the real ones; only time is
//! simulated, so that the result does not depend on how busy the machine is.

mod clock;
mod edge;
mod frame;
mod hosts;
mod lab;
mod path;
mod scenario;
mod verdict;

use std::io;
use std::process;

use anyhow::{Context, ensure};
use dpdk::{Eal, Pool, PoolConfig};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use scenario::SCENARIOS;
use verdict::Verdict;

/// Show what PDM measures, on a simulated network; needs no NIC, no privileges and no hugepages
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Buffers: all packets in flight, and those that rest in the rings.
const BUFFERS: u32 = 8_191;

/// EAL's memory in MiB: the buffers, and what EAL itself takes.
const MEMORY: u32 = 64;

/// Plays every scenario and prints what was set beside what was measured.
///
/// # Errors
/// When the two do not agree, or EAL does not start.
pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    let eal = Eal::init(&eal_arguments()?)?;
    let pool = Pool::new(&eal, "demo", PoolConfig { buffers: BUFFERS, ..PoolConfig::default() })?;
    let bar = bar();
    let mut verdicts = Vec::new();
    for scenario in SCENARIOS {
        bar.set_message(scenario.name);
        verdicts.push(Verdict::of(&scenario, lab::play(&eal, &pool, &scenario, &bar)?));
    }
    bar.finish_and_clear();
    verdict::print(&verdicts, &mut io::stdout().lock()).context("cannot write to standard output")?;
    let differing = verdicts.iter().filter(|verdict| !verdict.agrees()).count();
    ensure!(differing == 0, "{differing} of {} scenarios differ from what was set", verdicts.len());
    ensure!(pool.in_use() == 0, "{} buffers did not come back to their pool", pool.in_use());
    Ok(())
}

fn eal_arguments() -> anyhow::Result<Vec<String>> {
    let cores = dpdk::cores::usable()?;
    let core = cores.first().context("this process may use no core at all")?;
    Ok(vec![
        format!("--file-prefix=pdmline-demo-{}", process::id()),
        "--no-huge".into(),
        format!("-m={MEMORY}"),
        "--no-pci".into(),
        format!("--lcores=0@{core}"),
        // Nobody else is to see into it, so it needs no folder to write to.
        "--no-shconf".into(),
        "--no-telemetry".into(),
    ])
}

fn bar() -> ProgressBar {
    let length = lab::LASTS * SCENARIOS.len() as u64;
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{wide_bar} {percent} %  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
