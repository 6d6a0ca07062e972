//! `pdmline run`: the appliance.
//!
//! In this order, so that what is wrong is told before anything is touched: the configuration, the machine
//! ([`preflight`]), the process's own id and cores, EAL, ports ([`ports`]), and then the workers under the eyes of a
//! control thread ([`control`]).

mod accept;
mod activation;
mod capabilities;
mod control;
mod control_socket;
mod crew;
mod eal;
mod export;
mod flows;
mod frames;
mod memory;
mod ports;
mod preflight;
mod rules;
mod shares;
mod signals;
mod summary;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use dpdk::fanout::{Groups, Settled};
use dpdk::{Eal, Interface};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::config::{Config, Target};
use crate::{files, report, version};
use activation::Activations;
use control::Control;
use control_socket::ControlSocket;
use crew::Crew;
use eal::Machine;
use export::{Commands, Exports};
use signals::Wishes;

/// Stand between hosts and the wire, and give the hosts PDM
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration, in TOML; pdmline.example.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End by itself after so long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Write the final report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print a summary so often; 1s on a terminal, 1m elsewhere
    #[arg(long, value_name = "TIME", value_parser = interval)]
    interval: Option<Duration>,
    /// Let rules that were activated before act for their whole time again
    #[arg(long)]
    restart_rules: bool,
    /// Tell how many cycles a packet takes in each leg of its way, which costs some more of them
    #[arg(long)]
    profile: bool,
    /// Arguments for EAL, beside those that follow from the configuration; where both say something, these win
    #[arg(last = true, value_name = "EAL ARGS")]
    eal: Vec<String>,
}

/// A tenth of a second keeps the control thread out of the workers' way; an hour keeps histograms from overflowing.
fn interval(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    match humantime::parse_duration(text) {
        Ok(time) if range.contains(&time) => Ok(time),
        _ => Err("write a time from 100ms to 1h, such as 1s".into()),
    }
}

/// Runs the appliance until somebody ends it, or its time is over. The report goes to standard output for people, and
/// to a file for programs.
///
/// # Errors
/// What is missing to start, always before the first packet; afterwards what is wrong at the end.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    capabilities::take_up().context("cannot take up this program's capabilities")?;
    let machine =
        Machine { cores: dpdk::cores::usable()?, ring_frames: eal::ring_frames(&config, memory::can_lock) };
    preflight::check(&config, &machine.cores, eal::memory_octets(&config))?;
    if let Some(path) = &args.report {
        files::check_writable(path).with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    match dpdk::fanout::settle(&interfaces(&config)?)? {
        Settled::Here(groups) => run_here(args, &config, &machine, groups),
        // The child said all there was to say.
        Settled::Elsewhere(code) => std::process::exit(code.into()),
    }
}

/// The interfaces whose fan-out groups net_af_packet will ask for.
fn interfaces(config: &Config) -> Result<Vec<Interface>, dpdk::Error> {
    config.devices().filter_map(|device| Interface::below(&device.to_string()).transpose()).collect()
}

fn run_here(args: &Args, config: &Config, machine: &Machine, groups: Groups) -> anyhow::Result<()> {
    let _locks = preflight::lock(config)?;
    keep_off_the_workers(config, machine)?;
    let wishes = Wishes::catch().context("cannot catch signals")?;
    let exports = Exports::open(&config.export, SystemTime::now())?;
    let socket = files::control_socket(&files::lock_dir(), config.instance.as_str());
    let socket = ControlSocket::open(socket, &config.instance)?;
    let crew = Crew::of(config);
    let eal = Eal::init(&eal::arguments(config, &crew, machine, &args.eal))?;
    check_seats(&eal, &crew)?;
    let commands = Commands::register(&eal)?;
    let (ports, ways) = ports::open(&eal, config, &crew, machine)?;
    drop(groups);
    let calibrator = dpdk::Calibrator::start()?;
    let clock = calibrator.clock();
    let mut regions = shares::regions(config, &crew)?;
    // As late as can be: from here on the rules' time runs.
    let activations = activate(args, config)?;
    let rules = rules::of(&config.rules, &activations, &clock, SystemTime::now());
    let shares = shares::cut(config, &crew, &mut regions, ways, &rules, &clock)?;
    say(&format!("pdmline {}", version::of_all()));
    let mut control = Control::new(args, config, &activations, calibrator, exports, commands, socket);
    let ran = control.run(&eal, &ports, shares, config.idle, &wishes);
    let mut report = control.into_report();
    let closed = ports.close(&mut report);
    let told = tell(&report, args, config);
    ran.and(closed).and(told)
}

/// This thread, and with it every one it starts, stays off the workers' cores where there are others.
fn keep_off_the_workers(config: &Config, machine: &Machine) -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    for core in eal::others(config, &machine.cores) {
        cores.set(usize::try_from(core)?)?;
    }
    sched_setaffinity(Pid::from_raw(0), &cores).context("cannot choose the cores of the control thread")
}

/// The user's own arguments may have left a worker without its core.
fn check_seats(eal: &Eal, crew: &Crew) -> anyhow::Result<()> {
    let taking = eal.worker_cores();
    match crew.seats().iter().find(|seat| !taking.contains(&seat.lcore)) {
        None => Ok(()),
        Some(seat) => {
            let core = seat.core;
            bail!("EAL has no worker on core {core}: leave the choice of cores (-l, -c, --lcores) to pdmline")
        }
    }
}

/// Activates the rules, and remembers it.
fn activate(args: &Args, config: &Config) -> anyhow::Result<Activations> {
    let file = activation::state_file(&config.instance);
    let mut activations = Activations::load(&file)?;
    if args.restart_rules {
        activations.restart(&config.rules);
    }
    activations.activate(&config.rules, SystemTime::now());
    activations.save(&file)?;
    Ok(activations)
}

/// Tells what happened: to a file for programs, and on standard output for people, unless JSON lines go there.
fn tell(report: &stats::Report, args: &Args, config: &Config) -> anyhow::Result<()> {
    let written = args.report.as_ref().map_or(Ok(()), |path| report::write_json(report, path));
    if config.export.json == Some(Target::Stdout) {
        return written;
    }
    match io::stdout().write_all(report::for_people(report).as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            written.and(Err(error).context("cannot write to standard output"))
        }
        _ => written,
    }
}

/// Tells the operator something while the appliance runs.
fn say(line: &str) {
    // There is nobody left to tell when standard error is closed, and packets go on.
    let _ = writeln!(io::stderr(), "{line}");
}
