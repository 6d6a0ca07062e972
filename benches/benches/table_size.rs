//! What a packet costs against the number of flows in a full table, in pages of each kind.
//!
//! The packets' own buffers stay in the cache: the same 256 are filled for each burst, which is not timed, so that what
//! grows with the table is the table's. Flows are visited at random.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant as Wall};

use dataplane::{BURST, Engine};
use flow::{Key, Settings, Shard, Side, Span};
use pdmline_benches::bump::{Ticking, engine, process};
use pdmline_benches::pages::{Pages, SetAside};
use pdmline_benches::plot::{Curve, Curves, draw};
use pdmline_benches::results::Page;
use pdmline_benches::ring::ring;
use pdmline_benches::rounds::{Costs, measure, median, times};
use pdmline_benches::steps::look_up;
use pdmline_benches::{frame, key, shard};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const SIZES: [u32; 4] = [1_000, 64_000, 1_000_000, 10_000_000];

/// The place in [`SIZES`] of the one that [`BOUND`] is about.
const BOUNDED: usize = 2;

/// How many times as much a packet may cost there as at the first size.
const BOUND: f64 = 2.0;

/// Bursts that are timed together.
const BURSTS: usize = 8;

/// Rounds, and in each of them for each table the times that it warms up and is timed.
const PLAN: [usize; 3] = [100, 128, 256];

fn octets(flows: u32) -> usize {
    Shard::memory_for(flows as usize, Settings::LOG_PACKETS)
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Wall::now();
    work();
    start.elapsed()
}

fn lookups(shards: &mut [(u32, Shard<'_>)], random: &mut SmallRng) -> Vec<Costs> {
    measure(shards, PLAN, BURSTS * BURST, |(flows, shard)| {
        let mut any = || key(random.random_range(0..*flows));
        let bursts: [[Key; BURST]; BURSTS] = std::array::from_fn(|_| std::array::from_fn(|_| any()));
        timed(|| {
            black_box(bursts.iter().map(|keys| look_up(shard, keys)).sum::<usize>());
        })
    })
}

fn insertions(engines: &mut [(u32, Engine<'_>)], random: &mut SmallRng) -> Vec<Costs> {
    let clock = Ticking::by(Span::from_ticks(1_000));
    let mut buffers = ring(BURSTS);
    let costs = measure(engines, PLAN, BURSTS * BURST, |(flows, engine)| {
        buffers.iter_mut().for_each(|buffer| buffer.fill(&frame(random.random_range(0..*flows))));
        timed(|| process(engine, &mut buffers, Side::Host, &clock))
    });
    for (_, engine) in engines {
        let counts = engine.counters().now();
        assert_eq!(counts.inserted, counts.packets, "every packet gets its option");
    }
    costs
}

/// The costs of packets and of lookups in each kind of pages, by size.
fn by_pages<'c>(
    packets: &'c [Costs],
    lookups: &'c [Costs],
) -> impl Iterator<Item = (Pages, &'c [Costs], &'c [Costs])> {
    let costs = packets.chunks(SIZES.len()).zip(lookups.chunks(SIZES.len()));
    Pages::ALL.into_iter().zip(costs).map(|(pages, (packets, lookups))| (pages, packets, lookups))
}

/// The median of the costs at the `nth` size, and how many times those at the first it is.
fn cells(costs: &[Costs], nth: usize) -> [String; 2] {
    [format!("{:.1}", median(&costs[nth])), format!("{:.2}", times(&costs[nth], &costs[0]))]
}

fn rows(packets: &[Costs], lookups: &[Costs]) -> Vec<[String; 6]> {
    let mut rows = Vec::new();
    for (pages, packets, lookups) in by_pages(packets, lookups) {
        for (nth, flows) in SIZES.iter().enumerate() {
            let ([packet, packet_times], [lookup, lookup_times]) = (cells(packets, nth), cells(lookups, nth));
            let (pages, flows) = (pages.name().to_owned(), flows.to_string());
            rows.push([pages, flows, packet, packet_times, lookup, lookup_times]);
        }
    }
    rows
}

fn verdict(pages: Pages, packets: &[Costs]) -> String {
    let ratio = times(&packets[BOUNDED], &packets[0]);
    let verdict = if ratio <= BOUND { "kept" } else { "missed" };
    format!("In {}: {ratio:.2} times from 1,000 to 1,000,000, bound {BOUND:.1}: {verdict}.", pages.name())
}

fn curve(costs: &[Costs]) -> Curve {
    SIZES.iter().zip(costs).map(|(&flows, costs)| (flows.into(), median(costs))).collect()
}

/// Tells of the costs of packets and of lookups in all tables.
fn report(mut page: Page, packets: &[Costs], lookups: &[Costs]) -> Result<(), Box<dyn Error>> {
    page.say(
        "Nanoseconds for a packet (look, find, insertion of the option into a 78-octet UDP frame, send log) and for the \
         lookup alone (hash, buckets, entry) in full tables, and how many times as much that is as among 1,000 flows: \
         medians over 100 rounds, in each of which every table had its turn.",
    );
    let head = ["pages", "flows", "packet, ns", "times", "lookup, ns", "times"];
    page.table(head, rows(packets, lookups));
    for (pages, packets, _) in by_pages(packets, lookups).filter(|(pages, ..)| *pages != Pages::Small) {
        page.say(verdict(pages, packets));
    }
    let curves = by_pages(packets, lookups).map(|(pages, packets, lookups)| Curves {
        name: pages.name(),
        packet: curve(packets),
        lookup: curve(lookups),
    });
    draw(&page.picture(), &curves.collect::<Vec<_>>())?;
    page.publish()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let page = Page::new("table_size", "what a packet costs against the number of flows");
    let _set_aside = SetAside::for_regions(SIZES.map(octets));
    let tables = Pages::ALL.into_iter().flat_map(|pages| SIZES.map(|flows| (pages, flows)));
    let mut memories: Vec<_> = tables.map(|(pages, flows)| (flows, pages.map(octets(flows)))).collect();
    let shards =
        memories.iter_mut().map(|(flows, memory)| (*flows, shard(&mut memory[..octets(*flows)], *flows)));
    let mut shards: Vec<_> = shards.collect();
    let mut random = SmallRng::seed_from_u64(1);
    let lookups = lookups(&mut shards, &mut random);
    let mut engines: Vec<_> = shards.into_iter().map(|(flows, shard)| (flows, engine(shard))).collect();
    let packets = insertions(&mut engines, &mut random);
    report(page, &packets, &lookups)
}
