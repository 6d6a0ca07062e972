//! From the hosts to the wire.

use flow::{FlowId, Side};
use pdm::{Insertion, PdmAt, PdmOption, Skip, alone};

use super::{Done, Engine, Moment, Pair, Selected, Stage, Tally};
use crate::Packet;

impl Engine<'_> {
    /// Inserts the option into the packets of `burst` that `stage` tells of, or reads the one that the host put in itself.
    #[inline(always)]
    pub(super) fn egress<P: Packet>(
        &mut self,
        burst: &mut [P],
        stage: &Stage,
        pair: &Pair,
        moment: &Moment,
        tally: &mut Tally,
    ) {
        let mut others = 0;
        for selected in stage {
            let packet = &mut burst[selected.place()];
            if !self.insert_alone(packet, selected, pair, moment) {
                others += 1;
                tally.count(self.egress_closely(packet, selected, pair, moment), &self.notes.counters);
            }
        }
        tally.inserted += (stage.len() - others) as u64;
    }

    /// Inserts the option into a packet like nearly all: without extension headers, of a flow that has been found. Returns
    /// whether it is one.
    #[inline(always)]
    fn insert_alone<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pair: &Pair,
        moment: &Moment,
    ) -> bool {
        if selected.task().inserts()
            && alone::suits(&selected.layout, &pair.limits)
            && let Some(likely) = selected.likely
            && let Some(mut flow) = self.shard.confirm(likely, &selected.key, Side::Host, moment.horizon)
            && !flow.is_native()
            && let Ok(bytes) = packet.grow_front(alone::LEN)
        {
            self.notes.local_delay(&flow, selected, moment);
            alone::insert(bytes, &selected.layout, &flow.depart(moment.now, moment.rate));
            return true;
        }
        false
    }

    /// Inserts the option into a packet, or reads it, whatever the packet is like.
    #[inline(never)]
    pub(super) fn egress_closely<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pair: &Pair,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let pdm = selected.layout.pdm(packet.bytes())?;
        if selected.task().is_over() {
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
        if !selected.task().inserts() {
            return Err(Skip::NotSelected);
        }
        self.insert_into(packet, selected, flow, pair, moment)
    }

    /// Inserts the option into a packet of `flow`, or of a new flow, for which there is room.
    fn insert_into<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        flow: Option<FlowId>,
        pair: &Pair,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        if flow.is_some_and(|flow| self.shard.flow(flow).is_native()) {
            return Err(Skip::NativeHost);
        }
        let place = Insertion::plan(packet.bytes(), &selected.layout, &pair.limits)?;
        let bytes = packet.grow_front(place.growth()).map_err(|_| Skip::NoHeadroom)?;
        // Only a packet that has grown makes a flow.
        let flow = flow.map_or_else(|| self.create(selected, moment.now), Ok)?;
        let mut flow = self.shard.flow(flow);
        self.notes.local_delay(&flow, selected, moment);
        place.apply(bytes, &flow.depart(moment.now, moment.rate));
        packet.shrink_front(place.shrinkage());
        Ok(Done::Inserted)
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
        self.shard.flow(flow).depart_native(&option, moment.now);
        Ok(Done::Observed)
    }
}
