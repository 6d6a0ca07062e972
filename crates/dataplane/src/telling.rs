//! What a worker tells the control thread: what it recorded, flows that ended, and, when it is asked, those that stand out.
//! Bounded queues, and nobody ever waits.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use flow::{Ended, Span, Survey};
use stats::{Exchange, Intake};

use crate::Engine;

/// Ended flows that wait to be taken, at the most.
const ENDED: usize = 4096;

/// The worker's end.
#[derive(Debug)]
pub struct Telling {
    pub(crate) recorders: Exchange,
    pub(crate) flows: FlowTeller,
    pub(crate) interval: Span,
}

/// The control thread's end.
#[derive(Debug)]
pub struct Listening {
    /// Where full recorders come out.
    pub recorders: Intake,
    /// Where it is told of single flows.
    pub flows: FlowListener,
}

impl Telling {
    /// Both ends for the worker of `engine`, which is to exchange its recorders and look for requests each `interval`.
    #[must_use]
    pub fn of(engine: &Engine<'_>, interval: Span) -> (Self, Listening) {
        let (recorders, intake) = stats::exchange(engine.recorders());
        let (flows, listener) = flow_talk();
        (Self { recorders, flows, interval }, Listening { recorders: intake, flows: listener })
    }
}

/// The worker's end for single flows.
#[derive(Debug)]
pub(crate) struct FlowTeller {
    ended: Arc<ArrayQueue<Ended>>,
    asked: Arc<ArrayQueue<Box<Survey>>>,
    answered: Arc<ArrayQueue<Box<Survey>>>,
    /// The survey under way.
    survey: Option<Box<Survey>>,
}

/// The control thread's end for single flows.
#[derive(Debug)]
pub struct FlowListener {
    ended: Arc<ArrayQueue<Ended>>,
    asked: Arc<ArrayQueue<Box<Survey>>>,
    answered: Arc<ArrayQueue<Box<Survey>>>,
}

fn flow_talk() -> (FlowTeller, FlowListener) {
    let (ended, asked, answered) =
        (Arc::new(ArrayQueue::new(ENDED)), Arc::new(ArrayQueue::new(1)), Arc::new(ArrayQueue::new(1)));
    let listener = FlowListener {
        ended: Arc::clone(&ended),
        asked: Arc::clone(&asked),
        answered: Arc::clone(&answered),
    };
    (FlowTeller { ended, asked, answered, survey: None }, listener)
}

impl FlowTeller {
    /// Tells of the flows of `engine` that have ended, as many as there is room for; the shard keeps the rest.
    #[inline]
    pub(crate) fn tell_ended(&self, engine: &mut Engine<'_>) {
        if engine.has_ended() {
            self.tell(engine);
        }
    }

    #[cold]
    fn tell(&self, engine: &mut Engine<'_>) {
        for ended in engine.ended(self.ended.capacity() - self.ended.len()) {
            // There is room: nobody else puts anything in.
            let _ = self.ended.push(ended);
        }
    }

    /// Begins the survey that was asked for, if one was.
    pub(crate) fn look_for_requests(&mut self) {
        if self.survey.is_none() {
            self.survey = self.asked.pop();
        }
    }

    /// The survey under way.
    #[inline]
    pub(crate) fn survey(&mut self) -> Option<&mut Survey> {
        self.survey.as_deref_mut()
    }

    /// Answers with the survey under way when it is complete.
    #[inline]
    pub(crate) fn answer_if_complete(&mut self) {
        if let Some(survey) = self.survey.take_if(|survey| survey.is_complete()) {
            // There is one survey, and one place for it.
            let _ = self.answered.push(survey);
        }
    }
}

impl FlowListener {
    /// Asks the worker to look for the flows that stand out, into `survey`. Given back when it has not yet begun with an
    /// earlier one.
    ///
    /// # Errors
    /// `survey` itself, when there is no room to ask.
    pub fn ask(&self, survey: Box<Survey>) -> Result<(), Box<Survey>> {
        self.asked.push(survey)
    }

    /// The survey that was asked for, once it is complete.
    #[must_use]
    pub fn answer(&self) -> Option<Box<Survey>> {
        self.answered.pop()
    }

    /// Takes the flows that have ended.
    pub fn ended(&self) -> impl Iterator<Item = Ended> {
        std::iter::from_fn(|| self.ended.pop())
    }
}
