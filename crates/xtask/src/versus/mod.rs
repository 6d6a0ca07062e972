//! `cargo xtask versus`: pdmline against DPDK's own dpdk-testpmd, with the same packets, ports, cores and buffers.
//!
//! Both run one after the other, again and again, as a machine's speed drifts: only what was measured in the same round
//! is compared. A source repeats a generated capture from memory (net_pcap with `infinite_rx`), and a sink frees what it
//! gets (net_null), so that nothing but the programs themselves is in the way.

mod bench;
mod capture;
mod case;
mod frame;
mod hugepages;
mod machine;
mod outcome;
mod pdmline;
mod plot;
mod priority;
mod process;
mod testpmd;
mod wiring;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{packages, release};
use bench::{Bench, Timing};
use case::{CASES, Case};
use machine::Machine;
use outcome::Outcome;
use priority::Priority;

/// What is measured, and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cases; a quick set if none is named
    #[arg(value_name = "CASE", value_parser = case_names().try_map(|name| case_of(&name)))]
    cases: Vec<&'static Case>,
    /// All cases
    #[arg(long, conflicts_with = "cases")]
    all: bool,
    /// How often each program is measured
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// For how long each time
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = measurable)]
    time: Duration,
    /// For how long it runs before
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// Let both do without huge pages
    #[arg(long)]
    no_huge: bool,
    /// Write all that was measured as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the ratios as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// All of a run, for programs.
#[derive(Serialize)]
struct Record<'a> {
    machine: &'a Machine,
    time_s: f64,
    warm_up_s: f64,
    hugepages: bool,
    cases: &'a [Outcome],
}

impl<'a> Record<'a> {
    fn new(machine: &'a Machine, bench: &Bench, cases: &'a [Outcome]) -> Self {
        let Timing { warm_up, time } = bench.timing;
        let (time_s, warm_up_s) = (time.as_secs_f64(), warm_up.as_secs_f64());
        Self { machine, time_s, warm_up_s, hugepages: bench.hugepages, cases }
    }

    fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// pdmline tells what it has counted ten times a second at the most.
fn measurable(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_millis(100) => Ok(time),
        _ => Err("write a time of 100ms or more, such as 5s".into()),
    }
}

fn case_names() -> PossibleValuesParser {
    CASES.iter().map(|case| PossibleValue::new(case.name).help(case.about)).collect::<Vec<_>>().into()
}

fn case_of(name: &str) -> Result<&'static Case> {
    CASES.iter().find(|case| case.name == name).with_context(|| format!("there is no case {name}"))
}

/// Measures the cases that `args` asks for, and tells of each when it is done.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::install(packages::BUILD, packages::VERSUS)?;
    // Told now, and not after half an hour.
    args.json.iter().chain(&args.plot).try_for_each(|path| write(path, ""))?;
    let bench = Bench {
        pdmline: release("pdmline", "pdmline")?,
        hugepages: !args.no_huge,
        timing: Timing { warm_up: args.warm_up, time: args.time },
        folder: tempfile::tempdir().context("cannot make a folder for captures")?,
    };
    let machine = Machine::describe();
    println!("{machine}\n");
    let mut outcomes = Vec::new();
    let measured = measure(&bench, &chosen(args), args.rounds, &mut outcomes);
    // What has been measured stays, whatever came then.
    if let Some(path) = &args.json {
        write(path, &Record::new(&machine, &bench, &outcomes).json()?)?;
    }
    if let Some(path) = &args.plot {
        write(path, &plot::draw(&outcomes)?)?;
    }
    measured
}

/// Measures `cases` into `outcomes`, until one fails.
fn measure(bench: &Bench, cases: &[&'static Case], rounds: u16, outcomes: &mut Vec<Outcome>) -> Result<()> {
    // Whoever ends us ends what is running too. We go on to put back what was changed of the machine.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let _priority = Priority::raise();
    let runs: u64 = cases.iter().map(|case| case.contestants.len() as u64 * u64::from(rounds)).sum();
    let bar = bar(runs)?;
    let step = |what| {
        ensure!(!interrupted.load(Relaxed), "interrupted");
        bar.set_message(what);
        bar.inc(1);
        Ok(())
    };
    for case in cases {
        let outcome = Outcome::new(case, &bench.measure(case, rounds, step)?);
        bar.suspend(|| println!("{outcome}"));
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    Ok(())
}

fn chosen(args: &Args) -> Vec<&'static Case> {
    if !args.cases.is_empty() {
        return args.cases.clone();
    }
    CASES.iter().filter(|case| args.all || case.quick).collect()
}

fn bar(steps: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {eta} left: {msg}")?;
    Ok(ProgressBar::new(steps).with_style(style))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
