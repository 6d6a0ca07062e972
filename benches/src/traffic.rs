//! Hosts and their peers: in this process, as many packets as a worker takes, or in a capture.

use std::fs::File;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use dataplane::{BURST, Burst, Packet, Receive, Transmit};
use dpdk::{Mbuf, Pool};
use pcap_file::pcap::{PcapPacket, PcapWriter};
use pdm::{Insertion, Limits, PdmOption, Psn, ScaledTime, look};

use crate::{FRAME, IP, frame};

/// [`BURST`], to count flows by.
#[expect(clippy::cast_possible_truncation, reason = "a burst holds 32")]
const BURST_U32: u32 = BURST as u32;

/// Octets of the options header that holds nothing but PDM.
const OPTIONS: usize = 16;

/// Where a peer's frame has its option.
const OPTION: usize = IP + 42;

/// Far enough from one flow to the next that no neighbour's cache line helps; odd, so that each of a power of two has
/// its turn.
const STRIDE: u32 = 7_919;

/// Flows in the order of their turns, a power of two of them.
fn turns(flows: u32) -> impl Iterator<Item = u32> {
    (0..flows).map(move |turn| turn.wrapping_mul(STRIDE) % flows)
}

/// One end of conversations that never pause: hosts, or their peers, whose packets are each the first answer to one of
/// the hosts'.
///
/// When each flow has had its turn the next round begins. A packet is made as net_pcap makes its own: a template is
/// copied into a fresh buffer.
pub struct Source<'a> {
    pool: &'a Pool<'a>,
    end: End,
    template: Vec<u8>,
    flows: u32,
    /// Turns so far in this round.
    turn: u32,
    /// Rounds so far: the number of each packet.
    round: u16,
    /// Bursts until the first one comes.
    late: u32,
}

#[derive(Clone, Copy)]
enum End {
    Host,
    Peer,
}

impl<'a> Source<'a> {
    /// The hosts of `flows` flows, a power of two of at least 64.
    #[must_use]
    pub fn hosts(pool: &'a Pool<'a>, flows: u32) -> Self {
        Self { pool, end: End::Host, template: frame(0).to_vec(), flows, turn: 0, round: 0, late: 0 }
    }

    /// Their peers, to be asked as often as they are. An answer comes when half of the flows have sent meanwhile.
    #[must_use]
    pub fn peers(pool: &'a Pool<'a>, flows: u32) -> Self {
        let late = in_flight(flows).div_ceil(BURST_U32);
        Self { end: End::Peer, template: marked_frame(), late, ..Self::hosts(pool, flows) }
    }

    /// Makes the next packet of what the template left in `frame`.
    fn address(&mut self, frame: &mut [u8]) {
        let flow = self.turn.wrapping_mul(STRIDE) % self.flows;
        let (address, port) = match self.end {
            End::Host => (IP + 20, IP + 41),
            End::Peer => (IP + 36, IP + 41 + OPTIONS + 2),
        };
        let [high @ .., low] = flow.to_be_bytes();
        frame[address + 1..address + 4].copy_from_slice(&high);
        frame[port] = low;
        if matches!(self.end, End::Peer) {
            frame[OPTION..OPTION + 12].copy_from_slice(&answer(flow, self.round).emit());
        }
        self.turn = (self.turn + 1) % self.flows;
        self.round = self.round.wrapping_add((self.turn == 0).into());
    }
}

impl<'a> Receive for Source<'a> {
    type Packet = Mbuf<'a>;

    fn receive(&mut self, burst: &mut Burst<Mbuf<'a>>) {
        if self.late > 0 {
            self.late -= 1;
            return;
        }
        let mut fresh = Burst::new();
        self.pool.fill(&mut fresh, &self.template).expect("the sinks give every buffer back");
        fresh.iter_mut().for_each(|packet| self.address(packet.bytes_mut()));
        burst.extend(fresh);
    }
}

/// Packets that are not answered yet once the peers of `flows` flows have begun to answer.
const fn in_flight(flows: u32) -> u32 {
    flows / 2
}

/// A peer's answer to the packet of number `round`, its own of that number, after 1.1 to 2.2 us: the flow decides.
fn answer(flow: u32, round: u16) -> PdmOption {
    let [.., high, low] = flow.to_be_bytes();
    PdmOption {
        psntp: Psn::new(round),
        psnlr: Psn::new(round),
        delta_tlr: ScaledTime { mantissa: u16::from_be_bytes([high | 0x80, low]), scale: 25 },
        delta_tls: ScaledTime::ZERO,
    }
}

/// A peer's frame to the host of flow 0, with an option.
fn marked_frame() -> Vec<u8> {
    let mut plain = frame(0);
    plain[IP + 8..IP + 40].rotate_left(16); // the addresses
    plain[IP + 40..IP + 44].rotate_left(2); // the ports
    let look = look(&plain, FRAME, IP).expect("the frame is sound");
    let place = Insertion::plan(&plain, &look.layout, &Limits::default()).expect("the frame is short");
    let mut marked = [vec![0; place.growth()], plain.to_vec()].concat();
    place.apply(&mut marked, &PdmOption::default());
    marked
}

/// Where packets end.
#[derive(Default)]
pub struct Sink<'a>(PhantomData<&'a ()>);

impl<'a> Transmit for Sink<'a> {
    type Packet = Mbuf<'a>;

    fn transmit(&mut self, burst: &mut Burst<Mbuf<'a>>) {
        dpdk::free(burst);
    }
}

/// Writes the hosts' packets of one round of `flows` flows, a power of two of them, to `path`.
///
/// # Panics
/// If it cannot be written.
pub fn write_capture(path: &Path, flows: u32) {
    let file = File::create(path).expect("the capture's folder can be written");
    let mut writer = PcapWriter::new(file).expect("the capture can be written");
    for flow in turns(flows) {
        let frame = frame(flow);
        let packet = PcapPacket::new(Duration::ZERO, 78, &frame);
        writer.write_packet(&packet).expect("the capture can be written");
    }
}

#[cfg(test)]
mod tests {
    use flow::{Key, PairId, Side};

    use super::*;
    use crate::key;

    #[test]
    fn a_peers_frame_is_marked_where_its_answer_is_written() {
        let mut marked = marked_frame();
        let answer = answer(0x1234, 7);
        marked[OPTION..OPTION + 12].copy_from_slice(&answer.emit());
        let look = look(&marked, marked.len(), IP).unwrap();
        let at = look.layout.pdm(&marked).unwrap().unwrap();
        assert_eq!((PdmOption::read(&marked, &at), marked.len()), (answer, FRAME + OPTIONS));
        assert_eq!(Key::of(&marked, &look, Side::Wire, PairId::default()), key(0));
    }

    #[test]
    fn every_flow_has_its_turn() {
        let mut flows: Vec<_> = turns(1 << 10).collect();
        flows.sort_unstable();
        assert!(flows.into_iter().eq(0..1 << 10));
    }
}
