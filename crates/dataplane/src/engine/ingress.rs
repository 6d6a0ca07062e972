//! From the wire to the hosts.

use std::hint::cold_path;

use flow::Side;
use pdm::{Layout, PdmAt, PdmOption, Skip};

use super::{Done, Engine, Moment, Selected, Stage, Tally};
use crate::Packet;

impl Engine<'_> {
    /// Reads the option of the packets of `burst` that `stage` tells of, and strips it.
    #[inline(always)]
    pub(super) fn ingress<P: Packet>(
        &mut self,
        burst: &mut [P],
        stage: &Stage,
        moment: &Moment,
        tally: &mut Tally,
    ) {
        let mut others = 0;
        for selected in stage {
            let packet = &mut burst[selected.place()];
            if !self.read_alone(packet, selected, moment, tally) {
                cold_path();
                others += 1;
                let done = self.ingress_closely(packet, selected, moment, tally);
                tally.count(done, &self.notes.counters);
            }
        }
        tally.observed += (stage.len() - others) as u64;
    }

    /// Reads and strips the option of a packet like nearly all that have one: it has no other extension header, and its flow has
    /// been found. Returns whether it is one.
    #[inline(always)]
    fn read_alone<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        moment: &Moment,
        tally: &mut Tally,
    ) -> bool {
        if selected.layout.is_alone()
            && !selected.task().is_over()
            && let Some(likely) = selected.likely
            && let Some(mut flow) = self.shard.confirm(likely, &selected.key, Side::Wire, moment.horizon)
            && let Ok(Some(at)) = selected.layout.pdm(packet.bytes())
        {
            let option = PdmOption::read(packet.bytes(), &at);
            self.notes.arrival(&mut flow, &option, selected, moment);
            if selected.task().strips() && !flow.is_native() {
                strip(packet, &selected.layout, tally);
            }
            return true;
        }
        false
    }

    /// Reads the option of a packet and strips it, whatever the packet is like.
    #[inline(never)]
    pub(super) fn ingress_closely<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        moment: &Moment,
        tally: &mut Tally,
    ) -> Result<Done, Skip> {
        let pdm = selected.layout.pdm(packet.bytes())?;
        if selected.task().is_over() {
            return self.strip_after_the_end(packet, selected, pdm, moment, tally);
        }
        let flow = self.flow_of(selected, moment.received);
        let flow = flow.map_or_else(|| self.create(selected, moment.received), Ok);
        let Some(at) = &pdm else {
            self.shard.flow(flow?).arrive_plain(moment.received);
            return Ok(Done::Plain);
        };
        let mut native = false;
        if let Ok(flow) = flow {
            let option = PdmOption::read(packet.bytes(), at);
            let mut flow = self.shard.flow(flow);
            native = flow.is_native();
            self.notes.arrival(&mut flow, &option, selected, moment);
        }
        // Without room for the flow too: no host is surprised under overload.
        if selected.task().strips() && !native {
            strip(packet, &selected.layout, tally);
        }
        flow.map(|_| Done::Observed)
    }

    /// A rule that has ended still strips for the flows in the table: their peers may not know yet.
    #[cold]
    fn strip_after_the_end<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pdm: Option<PdmAt>,
        moment: &Moment,
        tally: &mut Tally,
    ) -> Result<Done, Skip> {
        let flow = self.flow_of(selected, moment.received);
        if let (Some(_), Some(flow)) = (pdm, flow)
            && selected.task().strips()
            && !self.shard.flow(flow).is_native()
        {
            strip(packet, &selected.layout, tally);
        }
        Err(Skip::NotSelected)
    }
}

#[inline(always)]
fn strip<P: Packet>(packet: &mut P, layout: &Layout, tally: &mut Tally) {
    let octets = pdm::strip(packet.bytes_mut(), layout);
    packet.shrink_front(octets);
    tally.stripped += 1;
}
