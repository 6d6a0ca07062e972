//! What the benches stand on: packets as the yardstick has them, and shards full of flows.
//!
//! It holds no benchmark itself, and nothing that the program needs. `README.md` beside it tells how to repeat what is
//! in `results/`.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

mod appliance;
pub mod bump;
pub mod generator;
pub mod lent;
mod machine;
pub mod pages;
pub mod plot;
pub mod results;
pub mod ring;
pub mod rounds;
pub mod steps;
pub mod strangers;
mod switching;
pub mod talk;
mod traffic;

pub use appliance::{Run, run, way};
pub use machine::Machine;
pub use switching::{Cost, Switching};
pub use traffic::{Sink, Source, write_capture};

use flow::{Instant, Key, KeyHasher, PairId, PsnStart, Settings, Shard, Side, Span, TickRate};
use memmap2::{Advice, MmapMut};
use pdm::{Psn, look};

/// Octets of the yardstick's frames: UDP over IPv6 in the smallest frame that holds eight ports and numbers.
pub const FRAME: usize = 78;

/// Where the fixed header starts.
pub const IP: usize = 14;

/// Where the source address starts; the destination address follows.
const SOURCE: usize = IP + 8;

/// Where the source port starts; the destination port follows.
const PORTS: usize = IP + 40;

/// The yardstick's frame of flow `flow`: a UDP packet from a host of `2001:db8:a::/48`.
#[must_use]
pub fn frame(flow: u32) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    frame[IP] = 0x60;
    frame[IP + 5] = 24;
    frame[IP + 6] = 17;
    frame[IP + 7] = 64;
    frame[SOURCE..SOURCE + 6].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0x0a]);
    frame[IP + 20..IP + 24].copy_from_slice(&(flow >> 8).to_be_bytes());
    frame[IP + 24..IP + 30].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0x0b]);
    frame[IP + 39] = 1;
    let [.., low] = flow.to_be_bytes();
    frame[PORTS..PORTS + 4].copy_from_slice(&[0xc0, low, 0, 80]);
    frame[IP + 45] = 24;
    frame
}

/// The frame that goes the other way on the flow of `frame`.
#[must_use]
pub fn reply_to(mut frame: [u8; FRAME]) -> [u8; FRAME] {
    frame[SOURCE..PORTS].rotate_left(16);
    frame[PORTS..PORTS + 4].rotate_left(2);
    frame
}

/// The key of flow `flow`.
///
/// # Panics
/// Never: its frame is sound.
#[must_use]
pub fn key(flow: u32) -> Key {
    let frame = frame(flow);
    let look = look(&frame, frame.len(), IP).expect("the frame is sound");
    Key::of(&frame, &look, Side::Host, PairId::default())
}

/// Zeroed memory for `flows` flows, in large pages where there are any, as the program has it.
///
/// # Panics
/// If there is no memory.
#[must_use]
pub fn memory(flows: usize) -> MmapMut {
    let octets = Shard::memory_for(flows, Settings::LOG_PACKETS);
    let mut memory = MmapMut::map_anon(octets).expect("there is memory");
    // Advice only.
    let _ = memory.advise(Advice::HugePage);
    memory.fill(0);
    memory
}

/// A shard with flows 0 to `flows` in it.
///
/// # Panics
/// If `memory` is too small for them.
pub fn shard(memory: &mut [u8], flows: u32) -> Shard<'_> {
    let mut shard = Shard::new(memory, settings()).expect("the memory is large enough");
    populate(&mut shard, flows, Instant::default());
    shard
}

/// How the benches' shards behave: as the program's, whose flows end some time, with numbers that are known.
fn settings() -> Settings {
    let lifetime = Some(Span::from_ticks(1 << 60));
    Settings { lifetime, ..Settings::new(KeyHasher::new([1, 2, 3, 4]), PsnStart::At(Psn::default())) }
}

/// Creates flows 0 to `flows` at `now`.
fn populate(shard: &mut Shard<'_>, flows: u32, now: Instant) {
    for key in (0..flows).map(key) {
        shard.create(shard.hash(&key), &key, now).expect("there is room");
    }
}

/// The benches' clock: one tick a nanosecond.
pub const RATE: TickRate = TickRate::NANOSECONDS;
