//! From the wire to the hosts.

use flow::FlowId;
use pdm::{Look, PdmAt, PdmOption, Skip};

use super::{Done, Engine, Moment, Selected};
use crate::Packet;

impl Engine<'_> {
    /// Reads the option, and strips it.
    #[inline(always)]
    pub(super) fn ingress<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        match self.likely_flow(selected, moment.received) {
            Some(flow) if selected.look.is_alone() && !selected.task.is_over() => {
                let pdm = selected.look.pdm(packet.bytes())?;
                self.read(packet, selected, pdm, Ok(flow), moment)
            }
            _ => self.ingress_closely(packet, selected, moment),
        }
    }

    /// Does so with a packet that is not like nearly all with an option.
    #[inline(never)]
    fn ingress_closely<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let pdm = selected.look.pdm(packet.bytes())?;
        if selected.task.is_over() {
            return self.strip_after_the_end(packet, selected, pdm, moment);
        }
        let flow = self.flow_of(selected, moment.received);
        let flow = flow.map_or_else(|| self.create(selected, moment.received), Ok);
        self.read(packet, selected, pdm, flow, moment)
    }

    /// Reads the option at `pdm`, and strips it.
    #[inline(always)]
    fn read<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pdm: Option<PdmAt>,
        flow: Result<FlowId, Skip>,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let Some(at) = &pdm else {
            self.shard.flow(flow?).arrive_plain(moment.received);
            return Ok(Done::Plain);
        };
        let mut native = false;
        if let Ok(flow) = flow {
            let option = PdmOption::read(packet.bytes(), at);
            let mut flow = self.shard.flow(flow);
            native = flow.is_native();
            self.notes.answer(flow.answer(&option, moment.received, moment.rate), selected);
            self.notes.progress(flow.arrive(option.psntp, moment.received));
        }
        // Without room for the flow too: no host is surprised under overload.
        if selected.task.strips() && !native {
            self.strip(packet, &selected.look);
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
    ) -> Result<Done, Skip> {
        let flow = self.flow_of(selected, moment.received);
        if let (Some(_), Some(flow)) = (pdm, flow)
            && selected.task.strips()
            && !self.shard.flow(flow).is_native()
        {
            self.strip(packet, &selected.look);
        }
        Err(Skip::NotSelected)
    }

    #[inline(always)]
    fn strip<P: Packet>(&self, packet: &mut P, look: &Look) {
        let octets = pdm::strip(packet.bytes_mut(), look);
        packet.shrink_front(octets);
        self.notes.counters.stripped.add(1);
    }
}
