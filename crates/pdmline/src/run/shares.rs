//! What each worker gets: its ways, its part of the flows, and its counters. Nothing of it is anybody else's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use dataplane::{Clock, Engine, Listening, Rules, Telling, Unprofiled, Worker};
use dpdk::{RxQueue, TscClock, TxQueue};
use flow::{KeyHasher, Settings, Shard};
use memmap2::MmapMut;
use stats::{Counters, PrefixBook};

use super::crew::{Crew, Seat};
use super::memory;
use super::ports::PortWay;
use crate::config::Config;
use crate::secret;

/// A worker on DPDK's queues.
pub(super) type PortWorker<'a, P = Unprofiled> = Worker<'a, RxQueue<'a>, TxQueue<'a>, TscClock, P>;

/// A worker that is ready to be launched, and what others see of it.
pub(super) struct Share<'a> {
    pub(super) seat: Seat,
    pub(super) worker: PortWorker<'a>,
    pub(super) counters: Arc<Counters>,
    /// What it tells.
    pub(super) listening: Listening,
}

/// Packets that wait for a worker at the most, in the rings of all others together: bursts of TCP are long, and where workers
/// share a core one of them stands still meanwhile.
const HANDED_OVER: usize = 8192;

/// How often a worker offers what it recorded.
const EXCHANGE: Duration = Duration::from_millis(100);

/// Memory for the flows of each worker of `config`.
pub(super) fn regions(config: &Config, crew: &Crew) -> anyhow::Result<Vec<MmapMut>> {
    let octets = config.flows.memory_bytes / crew.seats().len();
    let region = |seat: &Seat| {
        memory::region(octets, config.memory.hugepages, seat.core)
            .with_context(|| format!("no {octets} octets for flows: write less in flows.memory"))
    };
    crew.seats().iter().map(region).collect()
}

/// Cuts everything into shares: one for each worker of `crew`, with one of `regions` and one of `ways`.
pub(super) fn cut<'a>(
    config: &Config,
    crew: &Crew,
    regions: &'a mut [MmapMut],
    ways: Vec<Vec<PortWay<'a>>>,
    rules: &Rules,
    clock: &TscClock,
) -> anyhow::Result<Vec<Share<'a>>> {
    let hasher = secret::hasher()?;
    let mut shares = Vec::new();
    let mailboxes =
        dataplane::mailboxes(u16::try_from(crew.seats().len())?, HANDED_OVER / crew.seats().len());
    let parts = crew.seats().iter().zip(regions).zip(ways.into_iter().zip(mailboxes));
    for ((&seat, region), (ways, mailbox)) in parts {
        let settings = settings(config, region.len(), &hasher, clock)?;
        let counters = Arc::new(Counters::default());
        let mut engine = Engine::new(Shard::new(region, settings)?, rules.clone(), Arc::clone(&counters));
        if let Some(bits) = config.export.prefixes {
            engine = engine.with_prefixes(PrefixBook::new(bits, secret::words()?)?);
        }
        let (telling, listening) = Telling::of(&engine, clock.rate().span_of(EXCHANGE));
        let worker = Worker::new(engine, ways, mailbox, clock.clone(), telling);
        shares.push(Share { seat, worker, counters, listening });
    }
    Ok(shares)
}

fn settings(
    config: &Config,
    octets: usize,
    hasher: &KeyHasher,
    clock: &TscClock,
) -> anyhow::Result<Settings> {
    Ok(Settings {
        lifetime: Some(clock.rate().span_of(config.flows.lifetime)),
        when_full: config.flows.when_full,
        log_packets: log_packets(octets),
        keep_ended: config.export.json.is_some(),
        ..Settings::new(hasher.clone(), secret::psn_start()?)
    })
}

/// The send log of a shard in `octets`: in little memory it takes no more than a quarter.
fn log_packets(octets: usize) -> usize {
    let fits = |packets: &usize| Shard::memory_for(0, *packets) <= octets / 4;
    std::iter::successors(Some(Settings::LOG_PACKETS), |packets| Some(packets / 2))
        .take_while(|packets| *packets > 0)
        .find(fits)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_log_leaves_most_of_the_memory_to_flows() {
        assert_eq!(log_packets(64 << 20), Settings::LOG_PACKETS);
        for octets in [1 << 20, 1 << 22, 1 << 24] {
            let packets = log_packets(octets);
            assert!(packets >= 1024 && Shard::memory_for(0, packets) <= octets / 4, "{octets}: {packets}");
            assert!(Shard::memory_for(0, packets * 2) > octets / 4, "{octets}: {packets}");
        }
    }
}
