//! What was recorded by remote prefix since the start, over all workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::recorder::PrefixRecorder;
use crate::{MAX_PREFIXES, Recorders, Remote};

/// Histograms for the first [`MAX_PREFIXES`] prefixes, and for all others together. Copies share what has not changed
/// since, so that a snapshot is cheap.
#[derive(Debug, Clone)]
pub struct PrefixCollector(BTreeMap<Remote, Arc<RemoteDelays>>);

/// The delays of one prefix, or of all others.
#[derive(Debug, Clone)]
pub struct RemoteDelays {
    /// The network's share of the round trip, in nanoseconds.
    pub network_rtt: Histogram<u64>,
    /// The far end's share.
    pub server_delay: Histogram<u64>,
}

impl Default for PrefixCollector {
    /// Nothing recorded yet.
    fn default() -> Self {
        Self(BTreeMap::from([(Remote::Other, Arc::default())]))
    }
}

impl Default for RemoteDelays {
    fn default() -> Self {
        let empty = PrefixRecorder::empty_histogram;
        Self { network_rtt: empty(), server_delay: empty() }
    }
}

impl PrefixCollector {
    /// Adds what `recorders` hold by prefix.
    pub fn fold(&mut self, recorders: &Recorders) {
        for (remote, recorded) in recorders.by_remote() {
            let delays = self.delays_mut(remote);
            recorded.network_rtt.fold_into(&mut delays.network_rtt);
            recorded.server_delay.fold_into(&mut delays.server_delay);
        }
    }

    /// The delays of each prefix that has any, in the prefixes' order, and then those of all others.
    pub fn by_remote(&self) -> impl Iterator<Item = (Remote, &RemoteDelays)> {
        self.0.iter().map(|(remote, delays)| (*remote, delays.as_ref()))
    }

    /// Where the delays of `remote` are added up. Every worker has its own first prefixes: together they may be too many.
    fn delays_mut(&mut self, remote: Remote) -> &mut RemoteDelays {
        let has_room = self.0.len() <= MAX_PREFIXES || self.0.contains_key(&remote);
        let delays = self.0.entry(if has_room { remote } else { Remote::Other });
        Arc::make_mut(delays.or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::PrefixBook;

    /// An address in the `n`th /48.
    fn address(n: usize) -> Ipv6Addr {
        Ipv6Addr::from_bits((0x2001_0db8_0000 + n as u128) << 80)
    }

    /// What a worker recorded that had an answer of 5 ns and 100 ns from each of `prefixes`.
    fn recorded(prefixes: impl Iterator<Item = usize>) -> Recorders {
        let mut book = PrefixBook::new(48, [1, 2, 3, 4]).unwrap();
        let mut recorders = Recorders::new(0).with_prefixes();
        prefixes.for_each(|n| recorders.record_remote(book.slot(address(n)), 5.0, Some(100.0)));
        recorders
    }

    /// How many network delays there are of each remote end.
    fn counts(collector: &PrefixCollector) -> Vec<(String, u64)> {
        collector.by_remote().map(|(remote, delays)| (remote.to_string(), delays.network_rtt.len())).collect()
    }

    #[test]
    fn workers_add_up_prefix_by_prefix() {
        let mut collector = PrefixCollector::default();
        assert_eq!(counts(&collector), [("other".into(), 0)]);
        collector.fold(&recorded([2, 1].into_iter()));
        collector.fold(&recorded([1, 3].into_iter()));
        let expected = [("2001:db8:1::/48", 2), ("2001:db8:2::/48", 1), ("2001:db8:3::/48", 1), ("other", 0)];
        assert_eq!(counts(&collector), expected.map(|(remote, count)| (remote.to_owned(), count)));
        let (_, first) = collector.by_remote().next().unwrap();
        assert_eq!((first.server_delay.len(), first.server_delay.max()), (2, 5));
    }

    #[test]
    fn what_is_too_many_for_one_worker_or_for_all_is_added_up_together() {
        let mut collector = PrefixCollector::default();
        collector.fold(&recorded(0..MAX_PREFIXES + 2));
        assert_eq!(counts(&collector).last().unwrap(), &("other".to_owned(), 2));
        // Another worker has room for these, and they come after the first one's.
        collector.fold(&recorded([MAX_PREFIXES, 0, MAX_PREFIXES + 7].into_iter()));
        let counts = counts(&collector);
        assert_eq!(counts.len(), MAX_PREFIXES + 1);
        assert_eq!(counts.last().unwrap(), &("other".to_owned(), 4));
        assert_eq!(counts[0], ("2001:db8::/48".to_owned(), 2));
    }

    #[test]
    fn a_copy_stays_as_it_is_and_shares_what_does_not_change() {
        let mut collector = PrefixCollector::default();
        collector.fold(&recorded(0..2));
        let copy = collector.clone();
        collector.fold(&recorded(1..2));
        let shared = copy.0.values().zip(collector.0.values()).map(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!(shared.collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(counts(&copy).iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1, 0]);
    }
}
