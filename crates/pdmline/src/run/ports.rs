//! The ports: opened, given to the workers as ways, and closed with every buffer accounted for.

use dataplane::Way;
use dpdk::{Eal, Pool, PoolConfig, Port, PortConfig, QueuePair, RxQueue, TxQueue};
use flow::{PairId, Side};
use pdm::Limits;
use stats::Report;

use super::eal::{self, Machine};
use crate::config::{Config, Core, Device, Pair};

/// One direction through a pair.
pub(super) type PortWay<'eal> = Way<RxQueue<'eal>, TxQueue<'eal>>;

/// All ports of the appliance, while they run.
pub(super) struct Ports<'eal>(Vec<Opened<'eal>>);

/// A port and the pool that its receive queue draws from.
struct Opened<'eal> {
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
        let host = ports.open(eal, config, &pair.host, pair, machine)?;
        let wire = ports.open(eal, config, &pair.wire, pair, machine)?;
        let limits = Limits { mtu: pair.mtu.octets(), max_destopts_len: pair.max_destopts_len };
        let through = dataplane::Pair { id: PairId::new(u16::try_from(index)?), limits };
        for (host, wire) in host.into_iter().zip(wire) {
            let way = |from, receive, transmit| Way { pair: through, from, receive, transmit };
            ways.push((pair.core, way(Side::Host, host.rx, wire.tx)));
            ways.push((pair.core, way(Side::Wire, wire.rx, host.tx)));
        }
    }
    Ok((ports, ways))
}

impl<'eal> Ports<'eal> {
    fn open(
        &mut self,
        eal: &'eal Eal,
        config: &Config,
        device: &Device,
        pair: &Pair,
        machine: &Machine,
    ) -> Result<Vec<QueuePair<'eal>>, dpdk::Error> {
        let room = PoolConfig {
            buffers: config.memory.mbufs,
            data_room: eal::buffer_octets(pair.mtu),
            ..PoolConfig::default()
        };
        let pool = Pool::new(eal, &format!("port{}", self.0.len()), room)?;
        let device = eal::device(device, pair.mtu, machine);
        let (port, queues) = Port::open(eal, &device, PortConfig::default(), &pool)?;
        self.0.push(Opened { port, pool });
        Ok(queues)
    }

    /// Stops the ports, whose queues are gone, and sees that every buffer is back in its pool. What the drivers lost is
    /// added to `report`.
    pub(super) fn close(self, report: &mut Report) -> anyhow::Result<()> {
        let mut pools = Vec::new();
        for Opened { port, pool } in self.0 {
            count_losses(&port, report)?;
            pools.push((port.name().to_owned(), pool));
        }
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

/// Packets that never reached a worker.
fn count_losses(port: &Port<'_>, report: &mut Report) -> Result<(), dpdk::Error> {
    let stats = port.stats()?;
    for (reason, count) in [("receive_full", stats.imissed), ("no_buffer", stats.rx_nombuf)] {
        if count > 0 {
            *report.dropped.entry(reason).or_default() += count;
        }
    }
    Ok(())
}
