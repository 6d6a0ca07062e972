//! Which packets of a burst the rules select, and why the others are left alone.

use std::convert::identity;

use flow::{Ends, Key, PairId, Side};
use pdm::{Look, Skip};

use super::{Arrival, Coming, Engine, Selected, Stage};
use crate::Packet;
use crate::rules::Criteria;

impl Engine<'_> {
    /// Looks at each packet of `burst`, as [`Engine::process`] has it, and changes none. What the rules select goes into
    /// `stage`, which is empty, and its flow's place in the table is asked for; all else is counted.
    #[inline]
    pub(crate) fn look<P: Packet>(&mut self, burst: &[P], coming: &Coming, stage: &mut Stage) {
        self.notes.counters.packets.add(burst.len() as u64);
        self.rules.advance(coming.received);
        let rules = self.rules.criteria();
        if rules.is_empty() {
            return self.overlook(burst);
        }
        // Each with a loop of its own, which asks no packet for its side.
        match coming.arrival {
            Arrival::Port(Side::Host) => self.look_from(&[Side::Host], rules, burst, coming, stage),
            Arrival::Port(Side::Wire) => self.look_from(&[Side::Wire], rules, burst, coming, stage),
            Arrival::Capture => self.look_from(&[Side::Host, Side::Wire], rules, burst, coming, stage),
        }
        // A round of its own: so the processor works on several hashes at a time, each of which takes it long.
        for selected in stage {
            selected.hash = self.shard.hash(&selected.key);
            self.shard.prefetch_bucket(selected.hash);
        }
    }

    /// Where no rule is to be asked: finds out why each packet of `burst` is left alone.
    #[inline(always)]
    fn overlook<P: Packet>(&self, burst: &[P]) {
        let mut others = 0;
        for packet in burst {
            if packet.glance().is_none() {
                let not_selected = |look: Look| why_not_selected(&look, packet.bytes());
                others += self.count_skip(look_closely(packet).map_or_else(identity, not_selected));
            }
        }
        self.count_not_selected(burst.len() - others);
    }

    /// Looks at each packet of `burst`, which is from one of `sides`, the likelier one first.
    #[inline(always)]
    fn look_from<P: Packet>(
        &self,
        sides: &[Side],
        rules: &[Criteria],
        burst: &[P],
        coming: &Coming,
        stage: &mut Stage,
    ) {
        let mut others = 0;
        for (place, packet) in burst.iter().enumerate() {
            // Put together in each arm: what the second one passes on has to be in memory.
            let asked = || Asked { sides, rules, pair: coming.pair, place };
            let selected = match packet.glance() {
                Some(look) => asked().select(packet.bytes(), look, stage),
                None => asked().select_closely(packet, stage),
            };
            if let Err(skip) = selected {
                others += self.count_skip(skip);
            }
        }
        self.count_not_selected(burst.len() - stage.len() - others);
    }

    /// Counts a packet that is left alone, unless that is because it is not selected. Returns how many are counted.
    #[inline(always)]
    fn count_skip(&self, skip: Skip) -> usize {
        if skip == Skip::NotSelected {
            return 0;
        }
        self.notes.counters.skipped[skip.index()].add(1);
        1
    }

    /// Counts the others. All at once: a count that goes from packet to packet through memory takes longer than a packet.
    #[inline(always)]
    fn count_not_selected(&self, packets: usize) {
        self.notes.counters.skipped[Skip::NotSelected.index()].add(packets as u64);
    }
}

/// What is asked about one packet of a burst.
struct Asked<'a> {
    /// Where it may be from, the likelier side first.
    sides: &'a [Side],
    rules: &'a [Criteria],
    pair: PairId,
    place: usize,
}

impl Asked<'_> {
    /// Puts the packet in `frame`, of which `look` tells, into `stage` if a rule selects it.
    #[inline(always)]
    fn select(&self, frame: &[u8], look: Look, stage: &mut Stage) -> Result<(), Skip> {
        for &side in self.sides {
            let ends = Ends::of(frame, &look, side);
            if let Some(rule) = self.rules.iter().find(|rule| rule.select(&ends, &look)) {
                let key = Key::new(&ends, look.protocol(), self.pair);
                stage.push(Selected::new(self.place, side, key, look.layout, rule.choice));
                return Ok(());
            }
        }
        Err(why_not_selected(&look, frame))
    }

    /// The same of a packet that a glance is not enough for.
    #[inline(never)]
    fn select_closely<P: Packet>(&self, packet: &P, stage: &mut Stage) -> Result<(), Skip> {
        self.select(packet.bytes(), look_closely(packet)?, stage)
    }
}

/// Looks at a packet that is tagged, or that a glance is not enough for.
#[inline(never)]
fn look_closely<P: Packet>(packet: &P) -> Result<Look, Skip> {
    let (frame, wire_len, ip) = (packet.bytes(), packet.wire_len(), packet.network_offset()?);
    // Behind tags a glance is enough for nearly all too.
    Look::glance(frame, ip).map_or_else(|| pdm::look(frame, wire_len, ip), Ok)
}

/// Why a packet is left alone that no rule selects.
#[inline(always)]
fn why_not_selected(look: &Look, frame: &[u8]) -> Skip {
    if look.is_esp() { Skip::Esp } else { look.layout.pdm(frame).err().unwrap_or(Skip::NotSelected) }
}
