//! The frames on their way in one direction, and what befalls them there.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;

/// A fault befalls each frame whose number is a multiple of this, in its direction, among those that carry PDM.
pub const EVERY: u64 = 100;

/// What goes wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Nothing.
    None,
    /// The frame never arrives.
    Loss,
    /// It arrives twice.
    Duplicate,
    /// It arrives after the next one that carries PDM.
    Swap,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) octets: Vec<u8>,
    pub(super) arrived: SystemTime,
}

#[derive(Debug)]
pub(super) struct Queue {
    delay: Duration,
    fault: Fault,
    on_the_way: VecDeque<Frame>,
    /// Waits for the frame that is to overtake it.
    held: Option<Frame>,
    /// How many frames with PDM arrived.
    pub(super) marked: u64,
    /// How many of them the fault befell.
    pub(super) befallen: u64,
}

impl Queue {
    pub(super) fn new(delay: Duration, fault: Fault) -> Self {
        Self { delay, fault, on_the_way: VecDeque::new(), held: None, marked: 0, befallen: 0 }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        if !carries_pdm(&frame.octets) {
            return self.on_the_way.push_back(frame);
        }
        self.marked += 1;
        if self.fault != Fault::None && self.marked.is_multiple_of(EVERY) {
            self.befallen += 1;
            return self.befall(frame);
        }
        self.on_the_way.push_back(frame);
        self.on_the_way.extend(self.held.take());
    }

    fn befall(&mut self, frame: Frame) {
        match self.fault {
            Fault::None => self.on_the_way.push_back(frame),
            Fault::Loss => {}
            Fault::Duplicate => self.on_the_way.extend([frame.clone(), frame]),
            Fault::Swap => self.held = Some(frame),
        }
    }

    /// The next frame, if it is due.
    pub(super) fn pop(&mut self, now: SystemTime) -> Option<Frame> {
        self.due().filter(|&due| due <= now)?;
        self.on_the_way.pop_front()
    }

    /// When the next frame is due.
    pub(super) fn due(&self) -> Option<SystemTime> {
        self.on_the_way.front().map(|frame| frame.arrived + self.delay)
    }
}

/// Whether destination options that begin with PDM follow the IPv6 header. The hosts of the rig send none of their own, so
/// PDM stands nowhere else.
pub(super) fn carries_pdm(frame: &[u8]) -> bool {
    const ETHERTYPE: usize = 12;
    const NEXT_HEADER: usize = 14 + 6;
    const FIRST_OPTION: usize = 14 + 40 + 2;
    frame.get(ETHERTYPE..ETHERTYPE + 2) == Some(&[0x86, 0xDD])
        && frame.get(NEXT_HEADER) == Some(&60)
        && frame.get(FIRST_OPTION) == Some(&0x0F)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DELAY: Duration = Duration::from_millis(5);

    /// What leaves of frames 1 to 201 of which all carry PDM, by number.
    fn leaving(fault: Fault) -> Vec<u8> {
        let mut queue = Queue::new(DELAY, fault);
        for number in 1..=201 {
            queue.push(Frame { octets: marked(number), arrived: UNIX_EPOCH });
        }
        assert_eq!((queue.marked, queue.befallen), (201, if fault == Fault::None { 0 } else { 2 }));
        std::iter::from_fn(|| queue.pop(UNIX_EPOCH + DELAY)).map(|frame| frame.octets[0]).collect()
    }

    fn marked(number: u8) -> Vec<u8> {
        let mut octets = vec![0; 64];
        octets[0] = number;
        octets[12..14].copy_from_slice(&[0x86, 0xDD]);
        octets[20] = 60;
        octets[56] = 0x0F;
        octets
    }

    #[test]
    fn faults_befall_each_hundredth() {
        let all: Vec<u8> = (1..=201).collect();
        assert_eq!(leaving(Fault::None), all);
        let without: Vec<u8> = (1..=201).filter(|number| ![100, 200].contains(number)).collect();
        assert_eq!(leaving(Fault::Loss), without);
        let twice = leaving(Fault::Duplicate);
        assert_eq!((twice.len(), &twice[98..102]), (203, &[99, 100, 100, 101][..]));
        let swapped = leaving(Fault::Swap);
        assert_eq!((swapped.len(), &swapped[98..102]), (201, &[99, 101, 100, 102][..]));
        assert_eq!(swapped[199..], [201, 200]);
    }

    #[test]
    fn frames_without_pdm_are_spared() {
        let mut queue = Queue::new(DELAY, Fault::Loss);
        let unmarked = [0; 64];
        for _ in 0..200 {
            queue.push(Frame { octets: unmarked.to_vec(), arrived: UNIX_EPOCH });
        }
        assert_eq!((queue.on_the_way.len(), queue.marked, queue.befallen), (200, 0, 0));
    }

    #[test]
    fn nothing_leaves_before_it_is_due() {
        let mut queue = Queue::new(DELAY, Fault::None);
        assert_eq!(queue.due(), None);
        queue.push(Frame { octets: marked(1), arrived: UNIX_EPOCH });
        assert_eq!(queue.due(), Some(UNIX_EPOCH + DELAY));
        assert_eq!(queue.pop(UNIX_EPOCH + DELAY - Duration::from_nanos(1)), None);
        assert!(queue.pop(UNIX_EPOCH + DELAY).is_some());
    }
}
