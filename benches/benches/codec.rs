//! Scaled time and the option's octets.

#![allow(missing_docs, reason = "criterion's macros make items without")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pdm::{Attos, PdmOption, Psn, ScaledTime};

fn encode(criterion: &mut Criterion) {
    let time = Attos::new(12_345_678_901_234_567_890);
    let scaled = ScaledTime::encode(time);
    let option = PdmOption { psntp: Psn::new(25), psnlr: Psn::new(12), delta_tlr: scaled, delta_tls: scaled };
    let mut group = criterion.benchmark_group("codec");
    group.bench_function("encode_time", |bench| bench.iter(|| ScaledTime::encode(black_box(time))));
    group.bench_function("decode_time", |bench| bench.iter(|| black_box(scaled).decode().nanos()));
    group.bench_function("emit_option", |bench| bench.iter(|| black_box(option).emit()));
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
