//! What an engine notes: counters, and delays by rule and, if that is wanted, by remote prefix.

use std::sync::Arc;

use flow::{Answer, Flow, Progress, RoundTrip};
use pdm::PdmOption;
use stats::{Counters, Metric, PrefixBook, Recorders, RuleId};

use super::{Moment, Selected, Stage};
use crate::rules::Rules;

pub(super) struct Notes {
    pub(super) counters: Arc<Counters>,
    pub(super) recorders: Recorders,
    /// Remote prefixes, if delays are recorded by them too.
    prefixes: Option<PrefixBook>,
    /// The place after the last rule.
    pub(super) no_rule: RuleId,
}

impl Notes {
    /// None yet, in `counters`, which nobody else writes.
    pub(super) fn new(rules: &Rules, counters: Arc<Counters>) -> Self {
        let recorders = Recorders::new(rules.count());
        Self { counters, recorders, prefixes: None, no_rule: rules.after_last() }
    }

    /// The same, by the remote prefixes of `book` too.
    pub(super) fn with_prefixes(self, book: PrefixBook) -> Self {
        Self { recorders: self.recorders.with_prefixes(), prefixes: Some(book), ..self }
    }

    /// What an option tells of the packet that it answers.
    #[inline(always)]
    fn answer(&mut self, answer: Answer, selected: &Selected) {
        match answer {
            Answer::Measured(RoundTrip { total_ns, server_ns, network_ns }) => {
                self.delays(selected, total_ns, server_ns, Some(network_ns));
            }
            Answer::Uncertain { total_ns, server_ns } => {
                self.counters.uncertain.add(1);
                self.delays(selected, total_ns, server_ns, None);
            }
            Answer::None => {}
            Answer::NeverSent => self.counters.never_sent.add(1),
            Answer::Forgotten => self.counters.forgotten.add(1),
            Answer::Nonsense => self.counters.nonsense.add(1),
        }
    }

    #[inline(always)]
    fn delays(&mut self, selected: &Selected, total_ns: f64, server_ns: f64, network_ns: Option<f64>) {
        self.recorders.record_answer(selected.rule(), total_ns, server_ns, network_ns);
        if let Some(prefixes) = &mut self.prefixes {
            let slot = prefixes.slot(selected.key.remote());
            self.recorders.record_remote(slot, server_ns, network_ns);
        }
    }

    /// How long the local host took to answer, if the packet that leaves on `flow` is its first answer.
    #[inline(always)]
    pub(super) fn local_delay(&mut self, flow: &Flow<'_, '_>, selected: &Selected, moment: &Moment) {
        if let Some(delay) = flow.local_delay(moment.now) {
            self.recorders.record(selected.rule(), Metric::LocalDelay, moment.rate.nanos(delay));
        }
    }

    /// What the option of a packet that arrives on `flow` tells.
    #[inline(always)]
    pub(super) fn arrival(
        &mut self,
        flow: &mut Flow<'_, '_>,
        option: &PdmOption,
        selected: &Selected,
        moment: &Moment,
    ) {
        self.answer(flow.answer(option, moment.received, moment.rate), selected);
        self.progress(flow.arrive(option.psntp, moment.received));
    }

    /// What a number tells of the packets before it.
    #[inline(always)]
    fn progress(&self, progress: Progress) {
        if progress != Progress::IN_ORDER {
            self.disorder(progress);
        }
    }

    #[cold]
    fn disorder(&self, progress: Progress) {
        let counters = &self.counters;
        match progress {
            Progress::Forward { lost } => counters.lost.add(lost.into()),
            Progress::Duplicate => counters.duplicated.add(1),
            Progress::Reordered { taken_back } => {
                counters.reordered.add(1);
                counters.taken_back.add(taken_back.into());
            }
            Progress::Restart => counters.restarts.add(1),
        }
    }

    /// How long each of the `packets` packets of the burst of `stage` was inside.
    #[inline]
    pub(super) fn residence(&mut self, stage: &Stage, packets: usize, nanos: f64) {
        let mut record = |rule, packets: usize| {
            if packets > 0 {
                self.recorders.record_times(rule, Metric::Residence, nanos, packets as u64);
            }
        };
        if self.no_rule == RuleId::default().next() {
            // There is one only.
            record(RuleId::default(), stage.len());
            return record(self.no_rule, packets - stage.len());
        }
        // Neighbours mostly have the same rule.
        let (mut last, mut same, mut unselected) = (self.no_rule, 0, packets);
        for rule in stage.iter().map(Selected::rule) {
            if rule != last {
                record(last, same);
                (last, same) = (rule, 0);
            }
            same += 1;
            unselected -= 1;
        }
        record(last, same);
        record(self.no_rule, unselected);
    }
}
