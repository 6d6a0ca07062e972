//! Single steps of the packet path, as the benches have them: on one packet, or on a burst of keys.

use std::hint::black_box;

use dataplane::{BURST, Packet};
use flow::{Instant, Key, Shard, Side};
use pdm::{Limits, PdmOption, alone};

/// Looks at `packet` and puts an option in.
pub fn insert(packet: &mut impl Packet) {
    let Some(look) = packet.glance() else { return };
    if alone::suits(&look.layout, &Limits::default())
        && let Ok(bytes) = packet.grow_front(alone::LEN)
    {
        alone::insert(bytes, &look.layout, &PdmOption::default());
    }
}

/// Looks at `packet` and takes its option out.
pub fn strip(packet: &mut impl Packet) {
    let Some(look) = packet.glance() else { return };
    let octets = pdm::strip(packet.bytes_mut(), &look.layout);
    packet.shrink_front(octets);
}

/// The lookup alone, in the stages of the packet path: hash, ask for buckets, ask for entries, find. Returns how many
/// flows there were.
pub fn look_up(shard: &mut Shard<'_>, keys: &[Key; BURST]) -> usize {
    let hashes = keys.each_ref().map(|key| shard.hash(key));
    for hash in hashes {
        shard.prefetch_bucket(hash);
    }
    let likely = hashes.map(|hash| shard.prefetch_flow(hash));
    let likely: [_; BURST] =
        std::array::from_fn(|n| likely[n].or_else(|| shard.prefetch_flow_elsewhere(hashes[n])));
    let now = Instant::default();
    let horizon = shard.horizon(now);
    let found = likely.into_iter().zip(hashes).zip(keys).map(|((likely, hash), key)| {
        let confirmed = likely.is_some_and(|flow| shard.confirm(flow, key, Side::Host, horizon).is_some());
        black_box(confirmed || shard.find(hash, key, now).is_some())
    });
    found.filter(|&is_there| is_there).count()
}
