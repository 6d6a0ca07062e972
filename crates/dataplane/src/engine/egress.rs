//! From the hosts to the wire.

use flow::FlowId;
use pdm::{Insertion, PdmAt, PdmOption, Skip};
use stats::Metric;

use super::{Done, Engine, Moment, Pair, Selected};
use crate::Packet;

impl Engine<'_> {
    /// Inserts the option, or reads the one that the host put in itself.
    #[inline(always)]
    pub(super) fn egress<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pair: &Pair,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let pdm = selected.look.pdm?;
        if selected.selection.over {
            return Err(Skip::NotSelected);
        }
        let flow = self.flow_of(selected, moment.now);
        if flow.is_none() && !self.shard.has_room(selected.hash) {
            self.shard.refuse();
            return Err(Skip::TableFull);
        }
        if let Some(at) = &pdm {
            return self.observe_native(packet, selected, at, flow, moment);
        }
        if !selected.selection.action.insert {
            return Err(Skip::NotSelected);
        }
        if flow.is_some_and(|flow| self.shard.is_native(flow)) {
            return Err(Skip::NativeHost);
        }
        let place = Insertion::plan(packet.bytes(), &selected.look, &pair.limits)?;
        packet.grow_front(place.growth()).map_err(|_| Skip::NoHeadroom)?;
        // Room was found above, so the packet that has grown gets its option.
        let flow = flow.map_or_else(|| self.create(selected, moment.now), Ok)?;
        self.insert(packet, &place, flow, selected, moment);
        Ok(Done::Inserted)
    }

    /// Writes the option of a packet that leaves on `flow` into its place.
    #[inline(always)]
    fn insert<P: Packet>(
        &mut self,
        packet: &mut P,
        place: &Insertion,
        flow: FlowId,
        selected: &Selected,
        moment: &Moment,
    ) {
        let departure = self.shard.depart(flow, moment.now, moment.rate);
        place.apply(packet.bytes_mut(), &departure.option);
        packet.shrink_front(place.shrinkage());
        if departure.clock_backwards > 0 {
            self.counters.clock_backwards.add(departure.clock_backwards.into());
        }
        if let Some(delay) = departure.local_delay.filter(|_| self.measuring) {
            self.recorders.record(selected.rule(), Metric::LocalDelay, moment.nanos(delay));
        }
    }

    /// Reads the option of a host that speaks PDM itself.
    #[cold]
    fn observe_native<P: Packet>(
        &mut self,
        packet: &P,
        selected: &Selected,
        at: &PdmAt,
        flow: Option<FlowId>,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let option = PdmOption::read(packet.bytes(), at);
        let flow = flow.map_or_else(|| self.create(selected, moment.now), Ok)?;
        self.shard.depart_native(flow, &option, moment.now);
        Ok(Done::Observed)
    }
}
