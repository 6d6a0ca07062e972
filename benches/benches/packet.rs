//! The walk with insertion, and the walk with stripping, on a buffer that is in the cache.

#![allow(missing_docs, reason = "criterion's macros make items without")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dataplane::Packet;
use dataplane::memory::HeapPacket;
use pdm::{Insertion, Limits, PdmOption, look, strip};
use pdmline_benches::{IP, frame};

fn insert(packet: &mut HeapPacket) {
    let bytes = packet.bytes();
    let Ok(look) = look(bytes, bytes.len(), IP) else { return };
    let Ok(place) = Insertion::plan(bytes, &look, &Limits::default()) else { return };
    if packet.grow_front(place.growth()).is_ok() {
        place.apply(packet.bytes_mut(), &PdmOption::default());
    }
}

fn strip_from(packet: &mut HeapPacket) {
    let bytes = packet.bytes();
    let Ok(look) = look(bytes, bytes.len(), IP) else { return };
    if let Ok(Some(at)) = look.pdm {
        let octets = strip(packet.bytes_mut(), &look, &at);
        packet.shrink_front(octets);
    }
}

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
        bench.iter_batched_ref(|| marked.clone(), strip_from, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, walks);
criterion_main!(benches);
