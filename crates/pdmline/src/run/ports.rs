//! The ports: opened, given to the workers as ways, counted, and closed with every buffer accounted for.

use dataplane::Way;
use dpdk::{Eal, Pool, PoolConfig, Port, PortConfig, QueuePair, RxQueue, TxQueue};
use flow::{PairId, Side};
use pdm::Limits;
use stats::{PortSnapshot, Report};

use super::eal::{self, Machine};
use crate::config::{Config, Core};

/// One direction through a pair.
pub(super) type PortWay<'eal> = Way<RxQueue<'eal>, TxQueue<'eal>>;

/// All ports of the appliance, while they run.
pub(super) struct Ports<'eal>(Vec<Opened<'eal>>);

/// A port, its place in the configuration, and the pool that its receive queue draws from.
struct Opened<'eal> {
    pair: usize,
    side: &'static str,
    port: Port<'eal>,
    pool: Pool<'eal>,
}

/// Opens the ports of `config`. Returns the ways through each pair, with the core that is to serve them.
pub(super) fn open<'eal>(
    eal: &'eal Eal,
    config: &Config,
    machine: &Machine,
) -> anyhow::Result<(Ports<'eal>, Vec<(Core, PortWay<'eal>)>)> {
    let mut ports = Ports(Vec::new());
    let mut ways = Vec::new();
    for (index, pair) in config.pairs.iter().enumerate() {
        let host = ports.open(eal, config, index, Side::Host, machine)?;
        let wire = ports.open(eal, config, index, Side::Wire, machine)?;
        let limits = Limits { mtu: pair.mtu.octets(), max_destopts_len: pair.max_destopts_len };
        let through = dataplane::Pair { id: PairId::new(u16::try_from(index)?), limits };
        for (host, wire) in host.into_iter().zip(wire) {
            ways.push((pair.core, Way::alone(through, Side::Host, host.rx, wire.tx)));
            ways.push((pair.core, Way::alone(through, Side::Wire, wire.rx, host.tx)));
        }
    }
    Ok((ports, ways))
}

impl<'eal> Ports<'eal> {
    fn open(
        &mut self,
        eal: &'eal Eal,
        config: &Config,
        index: usize,
        side: Side,
        machine: &Machine,
    ) -> Result<Vec<QueuePair<'eal>>, dpdk::Error> {
        let pair = &config.pairs[index];
        let (side, device) = match side {
            Side::Host => ("host", &pair.host),
            Side::Wire => ("wire", &pair.wire),
        };
        let room = PoolConfig {
            buffers: config.memory.mbufs,
            data_room: eal::buffer_octets(pair.mtu),
            ..PoolConfig::default()
        };
        let pool = Pool::new(eal, &format!("port{}", self.0.len()), room)?;
        let device = eal::device(device, pair.mtu, machine);
        let (port, queues) = Port::open(eal, &device, PortConfig::default(), &pool)?;
        self.0.push(Opened { pair: index, side, port, pool });
        Ok(queues.pairs())
    }

    /// What each port has counted, a pair's host port before its wire port.
    pub(super) fn snapshots(&self) -> Result<Vec<PortSnapshot>, dpdk::Error> {
        self.0.iter().map(Opened::snapshot).collect()
    }

    /// Stops the ports, whose queues are gone, and sees that every buffer is back in its pool. What never reached a
    /// worker is added to `report`.
    pub(super) fn close(self, report: &mut Report) -> anyhow::Result<()> {
        for port in self.snapshots()? {
            count_losses(&port, report);
        }
        // All ports first: one may hold buffers of another's pool.
        let pools: Vec<_> =
            self.0.into_iter().map(|Opened { port, pool, .. }| (port.name().to_owned(), pool)).collect();
        for (port, pool) in pools {
            let missing = pool.in_use();
            anyhow::ensure!(
                missing == 0,
                "{missing} buffers of {port} are not back in its pool: please report this"
            );
        }
        Ok(())
    }
}

impl Opened<'_> {
    fn snapshot(&self) -> Result<PortSnapshot, dpdk::Error> {
        let stats = self.port.stats()?;
        Ok(PortSnapshot {
            pair: self.pair,
            side: self.side,
            device: self.port.name().to_owned(),
            received: stats.ipackets,
            sent: stats.opackets,
            missed: stats.imissed,
            receive_errors: stats.ierrors,
            transmit_errors: stats.oerrors,
            no_buffer: stats.rx_nombuf,
            kernel_dropped: stats.kernel_dropped,
        })
    }
}

/// Packets that never reached a worker, by reason.
fn count_losses(port: &PortSnapshot, report: &mut Report) {
    let losses =
        [("receive_full", port.missed), ("no_buffer", port.no_buffer), ("kernel", port.kernel_dropped)];
    for (reason, count) in losses.into_iter().filter(|&(_, count)| count > 0) {
        *report.dropped.entry(reason).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn losses_add_up_by_reason_and_zeroes_stay_out() {
        let mut report = Report::default();
        let full = PortSnapshot { missed: 2, kernel_dropped: 5, ..PortSnapshot::default() };
        let quiet = PortSnapshot { received: 9, sent: 9, ..PortSnapshot::default() };
        for port in [&full, &quiet, &full] {
            count_losses(port, &mut report);
        }
        assert_eq!(report.dropped, BTreeMap::from([("receive_full", 4), ("kernel", 10)]));
        count_losses(&PortSnapshot { no_buffer: 1, ..quiet }, &mut report);
        assert_eq!(report.dropped["no_buffer"], 1);
    }
}
