//! A model of how workers end, through every order of their steps: nothing that was received stays behind, and nobody waits
//! for ever, not even for one that failed.
//!
//! A step is one look at a ring, or one packet moved. That all steps have an order is what the ring promises: who sees that
//! its producer is gone sees everything that was put in before.

use std::collections::HashMap;

const WORKERS: usize = 3;
/// The worker that alone can send.
const SENDER: usize = 2;
/// Packets at each worker's queue, whose flows the worker after it owns.
const ARRIVED: u8 = 1;

/// The rings of one kind: how many packets lie between each two workers, and whose producers are gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Rings {
    packets: [[u8; WORKERS]; WORKERS],
    abandoned: [bool; WORKERS],
}

impl Rings {
    fn take(&mut self, from: usize, to: usize) -> Option<()> {
        self.packets[from][to] = self.packets[from][to].checked_sub(1)?;
        Some(())
    }

    fn says(&self, question: Question, from: usize, to: usize) -> bool {
        match question {
            Question::IsAbandoned => self.abandoned[from],
            Question::IsEmpty => self.packets[from][to] == 0,
        }
    }
}

/// What a worker that waits asks about each ring from another.
#[derive(Clone, Copy)]
enum Question {
    IsAbandoned,
    IsEmpty,
}

/// The order in which `Inbox::is_done` asks.
const IN_ORDER: [Question; 2] = [Question::IsAbandoned, Question::IsEmpty];

/// How far a worker is. One that waits counts the questions that were answered with yes; with the first no it does what there
/// is to do, and begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Serving,
    /// Until nothing more is handed over.
    TakingOver(usize),
    /// Until nothing more is finished.
    Sending(usize),
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    phases: [Phase; WORKERS],
    arrived: [u8; WORKERS],
    owners: Rings,
    senders: Rings,
    sent: u8,
}

fn others(me: usize) -> [usize; WORKERS - 1] {
    std::array::from_fn(|place| (me + 1 + place) % WORKERS)
}

impl State {
    fn start() -> Self {
        Self {
            phases: [Phase::Serving; WORKERS],
            arrived: [ARRIVED; WORKERS],
            owners: Rings::default(),
            senders: Rings::default(),
            sent: 0,
        }
    }

    /// Every state that worker `me` may bring about in one step, asking in this `order`.
    fn after(&self, me: usize, order: [Question; 2]) -> Vec<Self> {
        let mut after = vec![self.go_on(me, order)];
        if self.phases[me] == Phase::Serving {
            after.extend(self.receive(me));
        }
        if matches!(self.phases[me], Phase::Serving | Phase::TakingOver(0)) {
            after.extend(others(me).into_iter().filter_map(|from| self.take_over(me, from)));
        }
        if matches!(self.phases[me], Phase::Serving | Phase::TakingOver(0) | Phase::Sending(0)) {
            after.extend(others(me).into_iter().filter_map(|from| self.send_finished(me, from)));
        }
        after
    }

    fn receive(mut self, me: usize) -> Option<Self> {
        self.arrived[me] = self.arrived[me].checked_sub(1)?;
        self.owners.packets[me][(me + 1) % WORKERS] += 1;
        Some(self)
    }

    fn take_over(mut self, me: usize, from: usize) -> Option<Self> {
        self.owners.take(from, me)?;
        if me == SENDER {
            self.sent += 1;
        } else {
            self.senders.packets[me][SENDER] += 1;
        }
        Some(self)
    }

    fn send_finished(mut self, me: usize, from: usize) -> Option<Self> {
        self.senders.take(from, me)?;
        self.sent += 1;
        Some(self)
    }

    /// Worker `me` is told to stop, or asks its next question.
    fn go_on(mut self, me: usize, order: [Question; 2]) -> Self {
        const ALL: usize = 2 * (WORKERS - 1);
        let ask = |rings: &Rings, answered: usize| {
            let yes = rings.says(order[answered % 2], others(me)[answered / 2], me);
            if yes { answered + 1 } else { 0 }
        };
        self.phases[me] = match self.phases[me] {
            Phase::Serving => {
                self.owners.abandoned[me] = true;
                Phase::TakingOver(0)
            }
            Phase::TakingOver(ALL) => {
                self.senders.abandoned[me] = true;
                Phase::Sending(0)
            }
            Phase::TakingOver(answered) => Phase::TakingOver(ask(&self.owners, answered)),
            Phase::Sending(ALL) | Phase::Ended => Phase::Ended,
            Phase::Sending(answered) => Phase::Sending(ask(&self.senders, answered)),
        };
        self
    }

    /// Worker `me` fails, and its ends of the rings are gone with it.
    fn fail(mut self, me: usize) -> Self {
        self.phases[me] = Phase::Ended;
        self.owners.abandoned[me] = true;
        self.senders.abandoned[me] = true;
        self
    }

    fn is_over(&self) -> bool {
        self.phases == [Phase::Ended; WORKERS]
    }

    /// Packets that were received and not sent.
    fn lost(&self) -> u8 {
        let received: u8 = self.arrived.iter().map(|left| ARRIVED - left).sum();
        received - self.sent
    }
}

/// Every state that can be reached, each with the places of those that it may come from.
fn explore(order: [Question; 2], failing: Option<usize>) -> Vec<(State, Vec<usize>)> {
    let start = State::start();
    let (mut states, mut places) = (vec![(start, Vec::new())], HashMap::from([(start, 0)]));
    let mut place = 0;
    while let Some(&(state, _)) = states.get(place) {
        let steps = (0..WORKERS).flat_map(|me| state.after(me, order));
        for after in steps.chain(failing.map(|me| state.fail(me))) {
            let next = *places.entry(after).or_insert_with(|| {
                states.push((after, Vec::new()));
                states.len() - 1
            });
            states[next].1.push(place);
        }
        place += 1;
    }
    states
}

/// How many of `states` are over, or may come to be.
fn can_end(states: &[(State, Vec<usize>)]) -> usize {
    let mut ends: Vec<_> = states.iter().map(|(state, _)| state.is_over()).collect();
    let mut open: Vec<_> = (0..states.len()).filter(|&place| ends[place]).collect();
    while let Some(place) = open.pop() {
        for &before in &states[place].1 {
            if !std::mem::replace(&mut ends[before], true) {
                open.push(before);
            }
        }
    }
    ends.into_iter().filter(|&ends| ends).count()
}

#[test]
fn nothing_that_was_received_stays_behind() {
    let states = explore(IN_ORDER, None);
    assert_eq!(can_end(&states), states.len());
    let lost = states.iter().filter(|(state, _)| state.is_over()).map(|(state, _)| state.lost()).max();
    assert_eq!(lost, Some(0));
}

#[test]
fn asked_in_the_other_order_a_packet_may_be_overlooked() {
    let [first, second] = IN_ORDER;
    let states = explore([second, first], None);
    assert!(states.iter().any(|(state, _)| state.is_over() && state.lost() > 0));
}

#[test]
fn nobody_waits_for_one_that_failed() {
    for failing in 0..WORKERS {
        let states = explore(IN_ORDER, Some(failing));
        assert_eq!(can_end(&states), states.len(), "worker {failing}");
    }
}
