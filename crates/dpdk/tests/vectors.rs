//! Every vector through the worker between two ports, with the capture's own times: what comes out at the far ends is
//! what the vector says, octet for octet, and so is all that was counted and measured.

use std::cell::Cell;
use std::fs::File;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dataplane::{
    Action, Burst, Clock, Engine, Mailbox, Packet, Pair, Receive, Rule, Rules, Telling, Transmit, Way, Worker,
};
use dpdk::{Eal, Joint, Pool, PoolConfig, QueuePair, RxQueue, TxQueue, joined};
use flow::{Instant, KeyHasher, PairId, PsnStart, Settings, Shard, Side, Span, TickRate};
use ipnet::Ipv6Net;
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use pdm::{Limits, Psn};
use pdmline_tests::vectors::{self, Replayed, Vector};
use stats::{Collector, Counters, Report};

/// More flows than any vector has.
const FLOWS: usize = 1 << 14;

#[test]
fn every_vector_comes_out_of_the_ports_as_it_says() -> Result<()> {
    let prefix = format!("--file-prefix=pdmline-vectors-{}", std::process::id());
    let eal = Eal::init(&["--no-huge", "-m", "128", "--no-pci", &prefix])?;
    let pool = Pool::new(&eal, "pool", PoolConfig { buffers: 1023, ..PoolConfig::default() })?;
    let folder = tempfile::tempdir()?;
    let mut wrong = Vec::new();
    for (number, vector) in vectors::all()?.iter().enumerate() {
        let name = format!("v{number}");
        let replayed =
            replay(&eal, &pool, &name, vector, folder.path()).with_context(|| vector.name.clone())?;
        let differences = vector.differences(&replayed)?;
        wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", vector.name)));
        assert_eq!(pool.in_use(), 0, "{}", vector.name);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

/// Sends the vector's capture through a worker between ports whose names begin with `name`.
fn replay(eal: &Eal, pool: &Pool<'_>, name: &str, vector: &Vector, folder: &Path) -> Result<Replayed> {
    let clock = CaptureClock::default();
    let counters = Arc::new(Counters::default());
    let mut memory = vec![0; Shard::memory_for(FLOWS, Settings::LOG_PACKETS)];
    let shard = Shard::new(&mut memory, settings(vector)?)?;
    let local = local(vector)?;
    let engine = Engine::new(shard, Rules::new(vec![rule(vector, &local)?]), Arc::clone(&counters));
    let (telling, listening) = Telling::of(&engine, Span::from_ticks(u64::MAX));
    let (_host_ports, [hosts, host]) = cable(eal, &format!("{name}h"), pool)?;
    let (_wire_ports, [wire, network]) = cable(eal, &format!("{name}w"), pool)?;
    let pair = Pair { id: PairId::default(), limits: limits(vector)? };
    let ways =
        vec![Way::alone(pair, Side::Host, host.rx, wire.tx), Way::alone(pair, Side::Wire, wire.rx, host.tx)];
    let mut lab = Lab {
        worker: Worker::new(engine, ways, Mailbox::alone(), &clock, telling),
        hosts,
        network,
        local,
        clock: &clock,
    };

    let mut input = PcapReader::new(File::open(vector.input())?)?;
    let output = folder.join(name);
    let mut written = PcapWriter::with_header(File::create(&output)?, input.header())?;
    while let Some(record) = input.next_packet() {
        let record = record?;
        let frame = lab.pass(pool, &record)?;
        let length = u32::try_from(frame.len())?;
        written.write_packet(&PcapPacket::new_owned(record.timestamp, length, frame))?;
    }

    lab.worker.step(); // an idle round tells how many flows there are
    let mut collector = Collector::new(1);
    let recorded = listening.recorders;
    recorded.collect(|recorders| collector.fold(recorders));
    collector.fold(lab.worker.into_engine().recorders());
    let report = Report::new(&counters.now(), &collector, Duration::ZERO);
    Ok(Replayed { output, report: serde_json::to_value(report)? })
}

/// Two ports with a cable between them, and the ends of that.
fn cable<'eal>(
    eal: &'eal Eal,
    name: &str,
    pool: &Pool<'eal>,
) -> Result<([dpdk::Port<'eal>; 2], [QueuePair<'eal>; 2])> {
    let [(left_port, mut left), (right_port, mut right)] = joined(eal, name, Joint::default(), [pool, pool])?;
    Ok(([left_port, right_port], [left.remove(0), right.remove(0)]))
}

/// A worker, hosts on one side and the network on the other.
struct Lab<'e> {
    worker: Worker<'e, RxQueue<'e>, TxQueue<'e>, &'e CaptureClock>,
    hosts: QueuePair<'e>,
    network: QueuePair<'e>,
    /// The hosts' prefixes.
    local: Vec<Ipv6Net>,
    clock: &'e CaptureClock,
}

impl<'e> Lab<'e> {
    /// Sends one packet from the side that it belongs to, and returns it as it arrives at the other.
    fn pass(&mut self, pool: &Pool<'e>, record: &PcapPacket<'_>) -> Result<Vec<u8>> {
        self.clock.0.set(u64::try_from(record.timestamp.as_nanos())?);
        let packet = pool.packet(&record.data)?;
        let (from, to) = if self.is_local(&packet) {
            (&mut self.hosts, &mut self.network)
        } else {
            (&mut self.network, &mut self.hosts)
        };
        let mut burst = Burst::from_iter([packet]);
        from.tx.transmit(&mut burst);
        ensure!(burst.is_empty(), "the port did not take a packet");
        self.worker.step();
        to.rx.receive(&mut burst);
        ensure!(burst.len() == 1, "{} packets came out, not one", burst.len());
        Ok(burst[0].bytes().to_vec())
    }

    /// Whether a host of ours is the packet's source.
    fn is_local(&self, packet: &impl Packet) -> bool {
        let Ok(header) = packet.network_offset() else { return false };
        let source = packet.bytes().get(header + 8..).and_then(|octets| octets.first_chunk::<16>());
        source.is_some_and(|source| self.local.iter().any(|prefix| prefix.contains(&Ipv6Addr::from(*source))))
    }
}

fn settings(vector: &Vector) -> Result<Settings> {
    let psn_start = PsnStart::At(Psn::new(vector.number("initial_psn")?));
    Ok(Settings::new(KeyHasher::new([1, 2, 3, 4]), psn_start))
}

fn limits(vector: &Vector) -> Result<Limits> {
    Ok(Limits { mtu: vector.number("mtu")?, max_destopts_len: vector.number("max_destopts_len")? })
}

fn local(vector: &Vector) -> Result<Vec<Ipv6Net>> {
    vector.local()?.into_iter().map(|prefix| Ok(prefix.parse()?)).collect()
}

fn rule(vector: &Vector, local: &[Ipv6Net]) -> Result<Rule> {
    let action = Action { insert: vector.flag("insert")?, strip: vector.flag("strip")? };
    let rule = Rule::of_hosts("vector", local.iter().copied(), action);
    Ok(Rule { esp_tunnel: vector.flag("esp_tunnel")?, ..rule })
}

/// The time of the packet that is under way, in nanoseconds.
#[derive(Default)]
struct CaptureClock(Cell<u64>);

impl Clock for &CaptureClock {
    fn now(&self) -> Instant {
        Instant::from_ticks(self.0.get())
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}
