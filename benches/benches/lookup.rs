//! Finding a burst's flows, in the stages of the packet path, by the number of flows in the table.

#![allow(missing_docs, reason = "criterion's macros make items without")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dataplane::BURST;
use flow::{Hash, Instant, Key, Shard};
use pdmline_benches::{RATE, key, memory, shard};

const TABLES: [u32; 3] = [1_000, 64_000, 1_000_000];

/// Far enough from one flow to the next that no neighbour's cache line helps.
const STRIDE: usize = 7_919;

/// Gives bursts of keys, round and round the table.
fn rounds<'k>(keys: &'k [Key]) -> impl FnMut() -> [&'k Key; BURST] {
    let mut next = 0;
    move || {
        std::array::from_fn(|_| {
            next = (next + STRIDE) % keys.len();
            &keys[next]
        })
    }
}

/// The stages before the lookup: hash all, ask for all buckets, then for all entries.
fn hash_and_prefetch(shard: &Shard<'_>, burst: &[&Key; BURST]) -> [Hash; BURST] {
    let hashes = burst.map(|key| shard.hash(key));
    for hash in hashes {
        shard.prefetch_bucket(hash);
    }
    for hash in hashes {
        black_box(shard.prefetch_flow(hash));
    }
    hashes
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(BURST as u64));
    for flows in TABLES {
        let mut memory = memory(flows as usize);
        let mut shard = shard(&mut memory, flows);
        let keys: Vec<_> = (0..flows).map(key).collect();
        let mut next = rounds(&keys);
        group.bench_function(BenchmarkId::new("hit", flows), |bench| {
            bench.iter(|| {
                let burst = next();
                for (hash, key) in hash_and_prefetch(&shard, &burst).into_iter().zip(burst) {
                    black_box(shard.find(hash, key, Instant::default()));
                }
            });
        });
        group.bench_function(BenchmarkId::new("hit_and_depart", flows), |bench| {
            bench.iter(|| {
                let burst = next();
                for (hash, key) in hash_and_prefetch(&shard, &burst).into_iter().zip(burst) {
                    if let Some(flow) = shard.find(hash, key, Instant::default()) {
                        black_box(shard.flow(flow).depart(Instant::default(), RATE));
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
