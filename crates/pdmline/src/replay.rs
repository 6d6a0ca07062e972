//! `pdmline replay`: a capture through the packet path, driven by its own timestamps.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytesize::ByteSize;
use dataplane::memory::HeapPacket;
use dataplane::{Action, Arrival, Clock, Engine, NoHeadroom, Packet, Pair, Rule, Rules};
use flow::{Instant, PairId, PsnStart, Settings, Shard, TickRate};
use ipnet::Ipv6Net;
use pdm::{Limits, Look, Psn, Skip};
use stats::{Collector, Counters, Report};

use crate::capture::{Link, Reader, Record, Writer};
use crate::{progress, report, secret};

/// Send a capture through the packet path, as if it had passed between hosts and wire
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Capture to read: pcap or pcapng
    input: PathBuf,
    /// Capture to write: a pcap with nanoseconds
    output: PathBuf,
    /// Prefix of the hosts acted for; may be given several times
    #[arg(long, required = true, num_args = 1.., value_name = "PREFIX")]
    local: Vec<Ipv6Net>,
    /// First packet sequence number of every flow, instead of random ones
    #[arg(long, value_name = "N")]
    initial_psn: Option<u16>,
    /// Most octets of IPv6 header and payload on the wire
    #[arg(long, value_name = "N", default_value_t = Limits::default().mtu, value_parser = clap::value_parser!(u16).range(1280..))]
    mtu: u16,
    /// Most octets of an options header that the option is merged into
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_destopts_len, value_parser = clap::value_parser!(u16).range(16..=2048))]
    max_destopts_len: u16,
    /// Insert nothing
    #[arg(long)]
    no_insert: bool,
    /// Strip nothing
    #[arg(long)]
    no_strip: bool,
    /// ESP is in tunnel mode: its outer header may carry the option
    #[arg(long)]
    esp_tunnel: bool,
    /// End flows that were idle for so long; without it none ends
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,
    /// Memory for flows; without it there is room for all of the capture's
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Replays the capture. The report goes to standard output for people, or to a file.
///
/// # Errors
/// When a file cannot be read or written; what was written before is whole.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let reader = Reader::open(&args.input)?;
    let writer = Writer::create(&args.output, &reader)?;
    let mut memory = vec![0; memory_size(args, &reader)?];
    let shard = Shard::new(&mut memory, settings(args)?)?;
    let engine = Engine::new(shard, Rules::new(vec![rule(args)]), Arc::new(Counters::default()));
    let mut replay = Replay { engine, pair: pair(args), span: None };
    let replayed = replay.all(reader, writer);
    // What was read before something failed has its report too.
    let told = tell(&replay.into_report(), args);
    replayed.and(told)
}

fn tell(report: &Report, args: &Args) -> anyhow::Result<()> {
    match &args.report {
        Some(path) => report::write_json(report, path),
        None => match io::stdout().write_all(report::for_people(report).as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output")
            }
            _ => Ok(()),
        },
    }
}

fn rule(args: &Args) -> Rule {
    let action = Action { insert: !args.no_insert, strip: !args.no_strip };
    let rule = Rule::of_hosts("replay", args.local.iter().copied(), action);
    Rule { esp_tunnel: args.esp_tunnel, ..rule }
}

fn pair(args: &Args) -> Pair {
    Pair { id: PairId::default(), limits: Limits { mtu: args.mtu, max_destopts_len: args.max_destopts_len } }
}

fn settings(args: &Args) -> anyhow::Result<Settings> {
    let psn_start = match args.initial_psn {
        Some(psn) => PsnStart::At(Psn::new(psn)),
        None => secret::psn_start()?,
    };
    Ok(Settings {
        lifetime: args.lifetime.map(|time| TickRate::NANOSECONDS.span_of(time)),
        ..Settings::new(secret::hasher()?, psn_start)
    })
}

/// Octets in a file of the smallest packet that makes a flow: its record's header, the fixed header, ports.
const SMALLEST_FLOW: u64 = 16 + 40 + 4;

/// Flows there is room for when the input's size is not known.
const FLOWS_OF_A_PIPE: u64 = 1 << 20;

/// Octets for the flow table. Those that are never touched cost nothing.
fn memory_size(args: &Args, reader: &Reader) -> anyhow::Result<usize> {
    if let Some(size) = args.memory {
        return usize::try_from(size.as_u64()).context("--memory is larger than this machine can address");
    }
    let flows = if reader.len() == 0 { FLOWS_OF_A_PIPE } else { reader.len() / SMALLEST_FLOW + 1 };
    let flows = usize::try_from(flows).context("the capture is too large: bound its flows with --memory")?;
    Ok(Shard::memory_for(flows, Settings::LOG_PACKETS))
}

/// A capture on its way through the engine.
struct Replay<'m> {
    engine: Engine<'m>,
    pair: Pair,
    /// The earliest and latest time so far.
    span: Option<(u64, u64)>,
}

impl Replay<'_> {
    fn all(&mut self, mut reader: Reader, mut writer: Writer) -> anyhow::Result<()> {
        let bar = progress::bar(reader.len());
        while let Some(record) = reader.next() {
            let record = self.one(record?)?;
            writer.write(&record)?;
            bar.set_position(reader.position());
        }
        Ok(writer.finish()?)
    }

    /// Takes one packet through the engine.
    fn one(&mut self, record: Record<Vec<u8>>) -> anyhow::Result<Record<Vec<u8>>> {
        let (first, last) = self.span.unwrap_or((record.time, record.time));
        self.span = Some((first.min(record.time), last.max(record.time)));
        let now = Instant::from_ticks(record.time);
        let mut burst = [CapturedPacket::new(&record)];
        self.engine.process(&mut burst, Arrival::Capture, &self.pair, now, &CaptureClock(now));
        let [packet] = burst;
        let original_len = u32::try_from(packet.wire_len()).context("a packet grew past all bounds")?;
        Ok(Record { original_len, data: packet.bytes().to_vec(), ..record })
    }

    fn into_report(mut self) -> Report {
        self.engine.sweep(Instant::default(), 0, None);
        let mut collector = Collector::new(1);
        collector.fold(self.engine.recorders());
        let (first, last) = self.span.unwrap_or_default();
        Report::new(&self.engine.counters().now(), &collector, Duration::from_nanos(last - first))
    }
}

/// The time of the packet that is being replayed.
struct CaptureClock(Instant);

impl Clock for CaptureClock {
    fn now(&self) -> Instant {
        self.0
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}

/// A packet of a capture, judged by its length on the wire.
struct CapturedPacket {
    packet: HeapPacket,
    link: Link,
    /// Octets that were not captured.
    missing: usize,
}

impl CapturedPacket {
    fn new(record: &Record<Vec<u8>>) -> Self {
        let original_len = usize::try_from(record.original_len).unwrap_or(usize::MAX);
        Self {
            packet: HeapPacket::new(&record.data),
            link: record.link,
            missing: original_len.saturating_sub(record.data.len()),
        }
    }
}

impl Packet for CapturedPacket {
    fn bytes(&self) -> &[u8] {
        self.packet.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.packet.bytes_mut()
    }

    fn network_offset(&self) -> Result<usize, Skip> {
        self.link.network_offset(self.bytes())
    }

    /// Nothing: the frame may be none of Ethernet's.
    fn glance(&self) -> Option<Look> {
        None
    }

    fn wire_len(&self) -> usize {
        self.packet.wire_len() + self.missing
    }

    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom> {
        self.packet.grow_front(octets)
    }

    fn shrink_front(&mut self, octets: usize) {
        self.packet.shrink_front(octets);
    }
}
