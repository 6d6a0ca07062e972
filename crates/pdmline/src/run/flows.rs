//! Single flows, as the workers tell of them: those that ended, and those that stand out.

use std::mem;

use dataplane::FlowListener;
use flow::{Ended, Survey};

/// What is known of single flows.
#[derive(Default)]
pub(super) struct Flows {
    workers: Vec<Worker>,
}

/// One worker's end of the talk.
struct Worker {
    listener: FlowListener,
    /// What it found last.
    latest: Box<Survey>,
    /// The survey to ask it for next, unless it is at work on it.
    next: Option<Box<Survey>>,
}

impl Flows {
    /// Listens to one more worker.
    pub(super) fn listen(&mut self, listener: FlowListener) {
        self.workers.push(Worker { listener, latest: Box::default(), next: Some(Box::default()) });
    }

    /// Takes the flows that have ended.
    pub(super) fn ended(&self) -> impl Iterator<Item = Ended> {
        self.workers.iter().flat_map(|worker| worker.listener.ended())
    }

    /// The flows that stand out, as each worker last found them, and asks for them anew.
    pub(super) fn survey(&mut self) -> Survey {
        let mut all = Survey::default();
        for worker in &mut self.workers {
            worker.look();
            all.merge(&worker.latest);
        }
        all
    }
}

impl Worker {
    /// Takes the worker's answer, if there is one, and asks again.
    fn look(&mut self) {
        if let Some(answer) = self.listener.answer() {
            self.next = Some(mem::replace(&mut self.latest, answer));
        }
        if let Some(mut survey) = self.next.take() {
            survey.clear();
            self.next = self.listener.ask(survey).err();
        }
    }
}
