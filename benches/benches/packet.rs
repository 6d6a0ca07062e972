//! The walk with insertion, and the walk with stripping, on a buffer that is in the cache.

#![allow(missing_docs, reason = "criterion's macros make items without")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dataplane::Packet;
use dataplane::memory::HeapPacket;
use pdm::look;
use pdmline_benches::steps::{insert, strip};
use pdmline_benches::{IP, frame};

fn walks(criterion: &mut Criterion) {
    let plain = HeapPacket::new(&frame(1));
    let mut marked = plain.clone();
    insert(&mut marked);
    assert_eq!(marked.bytes().len(), plain.bytes().len() + 16, "the bench does what it says");

    let mut group = criterion.benchmark_group("packet");
    group.throughput(Throughput::Elements(1));
    group.bench_function("walk", |bench| {
        let bytes = plain.bytes();
        bench.iter(|| look(black_box(bytes), bytes.len(), IP));
    });
    group.bench_function("walk_insert", |bench| {
        bench.iter_batched_ref(|| plain.clone(), insert, BatchSize::SmallInput);
    });
    group.bench_function("walk_strip", |bench| {
        bench.iter_batched_ref(|| marked.clone(), strip, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, walks);
criterion_main!(benches);
