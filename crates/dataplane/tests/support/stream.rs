//! A seeded stream of packets of some hundred flows through two pairs, in both directions: with and without options, with
//! options to merge and answers to read, of native hosts, and some to be left alone.

use dataplane::{Action, Pair, Rule};
use flow::{Instant, PairId, Settings, Side, Span};
use pdm::{Limits, PdmOption, Psn, ScaledTime, protocol};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use super::{MILLISECOND, PSN_START, rule, settings};

/// Packets that arrive while the clock stands still.
pub(crate) const EPOCH: usize = 1000;
/// Flows of the stream.
pub(crate) const FLOWS: u16 = 512;
/// How many of them talk at a time.
const TALKING: u16 = 96;
/// How long a flow may be idle.
const LIFETIME: u64 = 200 * MILLISECOND;
/// When the first rule ends.
const FIRST_RULE_ENDS: u64 = 1000 * MILLISECOND;

/// Its pairs, whose wires differ.
pub(crate) fn pairs() -> Vec<Pair> {
    let pair = |id, mtu| Pair { id: PairId::new(id), limits: Limits { mtu, max_destopts_len: 40 } };
    vec![pair(0, 1500), pair(1, 1400)]
}

/// Its rules: one that ends on the way, one that inserts nothing, and one for most flows.
pub(crate) fn rules() -> Vec<Rule> {
    let of_ports = |ports, action| Rule { local_ports: vec![ports], ..rule(action) };
    let until = Some(Instant::from_ticks(FIRST_RULE_ENDS));
    vec![
        Rule { until, ..of_ports(1000..=1999, Action::MEASURE) },
        of_ports(2000..=2999, Action::OBSERVE),
        of_ports(3000..=3999, Action::MEASURE),
    ]
}

/// How shards are to behave: flows that rest start anew, and no answer comes too late.
pub(crate) fn stream_settings() -> Settings {
    Settings { lifetime: Some(Span::from_ticks(LIFETIME)), log_packets: 1 << 14, ..settings() }
}

/// A packet of the stream.
pub(crate) struct Sample {
    /// The way that it comes by.
    pub(crate) way: usize,
    pub(crate) frame: Vec<u8>,
    /// Whether a rule selects it.
    pub(crate) selected: bool,
}

/// The flow label: packets that have it in common, and come by the same way, leave in the order in which they came.
pub(crate) fn label(frame: &[u8]) -> u32 {
    u32::from_be_bytes([0, frame[15] & 0x0f, frame[16], frame[17]])
}

/// A packet's place in the stream, which ends every frame.
pub(crate) fn place(frame: &[u8]) -> u64 {
    u64::from_be_bytes(*frame.last_chunk().unwrap())
}

/// What a packet looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Bare,
    Marked,
    /// With an option that another can be merged with.
    WithOption,
    MarkedWithOption,
    /// With options that leave no room for another.
    WithLongOption,
    MarkedTwice,
    UnknownPdm,
    /// Too long to grow.
    Long,
    /// The first of those that no rule selects.
    Fragment,
    NeighborDiscovery,
    Malformed,
    NotIpv6,
    Stranger,
}

impl Shape {
    /// One for a packet of somebody who speaks PDM, or does not.
    fn draw(dice: &mut ChaCha12Rng, speaks_pdm: bool) -> Self {
        match dice.random_range(0..100) {
            0..=64 if speaks_pdm => Self::Marked,
            0..=64 => Self::Bare,
            65..=79 if speaks_pdm => Self::MarkedWithOption,
            65..=79 => Self::WithOption,
            80..=82 => Self::WithLongOption,
            83..=85 => Self::MarkedTwice,
            86..=88 => Self::UnknownPdm,
            89 => Self::Long,
            90 => Self::Fragment,
            91 => Self::NeighborDiscovery,
            92 => Self::Malformed,
            93 => Self::NotIpv6,
            94 => Self::Stranger,
            _ => Self::Bare,
        }
    }

    fn is_selected(self) -> bool {
        self < Self::Fragment
    }

    /// What stands in its options header, if it has one.
    fn options(self, pdm: &PdmOption) -> Option<Vec<u8>> {
        let pdm = pdm.emit();
        match self {
            Self::Marked => Some(pdm.to_vec()),
            Self::WithOption => Some(OTHER.to_vec()),
            Self::MarkedWithOption => Some([&OTHER[..], &pdm].concat()),
            Self::WithLongOption => Some([&[0x1e, 36][..], &[0; 36]].concat()),
            Self::MarkedTwice => Some([pdm, pdm].concat()),
            Self::UnknownPdm => Some(vec![0x0f, 4, 0, 0, 0, 0]),
            _ => None,
        }
    }
}

/// An option that nobody knows.
const OTHER: [u8; 6] = [0x1e, 4, 1, 2, 3, 4];

/// A destination options header of `options` before `next`.
fn options_header(next: u8, options: &[u8]) -> Vec<u8> {
    let padding = options.len().wrapping_add(2).wrapping_neg() % 8;
    let mut header = vec![next, u8::try_from((2 + options.len() + padding) / 8 - 1).unwrap()];
    header.extend(options);
    match padding {
        0 => {}
        1 => header.push(0),
        more => header.extend([&[1, u8::try_from(more - 2).unwrap()][..], &vec![0; more - 2]].concat()),
    }
    header
}

/// What the stream knows of a flow, so that its packets make sense.
struct Talk {
    index: u16,
    /// The number of the host's next packet: the appliance's guess at it, unless the host speaks PDM itself.
    host_psn: u16,
    /// The number of the peer's next packet.
    peer_psn: u16,
    last_packet: u64,
}

impl Talk {
    fn new(index: u16) -> Self {
        Self { index, host_psn: PSN_START, peer_psn: index, last_packet: 0 }
    }

    fn pair(&self) -> usize {
        usize::from(self.index & 16 != 0)
    }

    fn protocol(&self) -> u8 {
        if self.index & 32 == 0 { protocol::UDP } else { protocol::TCP }
    }

    /// Port on the host side, which tells the flow's rule.
    fn port(&self) -> u16 {
        self.index
            + match self.index % 16 {
                0 => 1000,
                1 => 2000,
                _ => 3000,
            }
    }

    fn speaks_pdm(&self, side: Side) -> bool {
        match side {
            Side::Host => self.index % 8 == 7,
            Side::Wire => self.index % 4 != 2,
        }
    }

    /// The packet at `place` in the stream, from `side` at `now`.
    fn packet(&mut self, dice: &mut ChaCha12Rng, side: Side, now: u64, place: u64) -> Sample {
        if now - self.last_packet > LIFETIME && !self.speaks_pdm(Side::Host) {
            self.host_psn = PSN_START;
        }
        self.last_packet = now;
        let shape = Shape::draw(dice, self.speaks_pdm(side));
        let option = match side {
            Side::Host => self.question(dice, shape),
            Side::Wire => self.answer(dice),
        };
        Sample {
            way: 2 * self.pair() + usize::from(side == Side::Wire),
            frame: self.frame(side, shape, &option, place),
            selected: shape.is_selected(),
        }
    }

    /// The option that the host writes if it speaks PDM. It leaves out a number now and then.
    fn question(&mut self, dice: &mut ChaCha12Rng, shape: Shape) -> PdmOption {
        let psntp = Psn::new(self.host_psn);
        let step = match shape {
            Shape::Bare | Shape::WithOption if !self.speaks_pdm(Side::Host) => 1,
            Shape::Marked | Shape::MarkedWithOption => 1 + u16::from(dice.random_range(0..20) == 0),
            _ => 0,
        };
        self.host_psn = self.host_psn.wrapping_add(step);
        PdmOption { psntp, psnlr: Psn::new(self.peer_psn.wrapping_sub(1)), ..PdmOption::default() }
    }

    /// The option that the peer writes, about one of the host's last packets. Some of its numbers get lost, come twice,
    /// come late, or start anew.
    fn answer(&mut self, dice: &mut ChaCha12Rng) -> PdmOption {
        let psntp = Psn::new(match dice.random_range(0..100) {
            0 => self.peer_psn.wrapping_sub(1),
            1 => self.peer_psn.wrapping_sub(2),
            _ => self.peer_psn,
        });
        self.peer_psn = self.peer_psn.wrapping_add(match dice.random_range(0..200) {
            0..=3 => 3,
            4 => 20_000,
            _ => 1,
        });
        // From an instant to seconds, told more and less exactly.
        let (mantissa_bits, scale) = (dice.random_range(1..=12), dice.random_range(34..52));
        PdmOption {
            psntp,
            psnlr: Psn::new(self.host_psn.wrapping_sub(dice.random_range(1..4))),
            delta_tlr: ScaledTime { mantissa: dice.random_range(0..1 << mantissa_bits), scale },
            ..PdmOption::default()
        }
    }

    fn frame(&self, side: Side, shape: Shape, option: &PdmOption, place: u64) -> Vec<u8> {
        let (next, mut payload) = self.headers(side, shape, option);
        payload.extend(place.to_be_bytes());
        let address = |network, host: u16| {
            let [high, low] = host.to_be_bytes();
            [0x20, 1, 0x0d, 0xb8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, high, low]
        };
        let local = address(if shape == Shape::Stranger { 0x0c } else { 0x0a }, self.index);
        let remote = address(0x0b, self.index % 16);
        let kind = if shape.is_selected() { 0 } else { shape as u32 };
        let past_the_end = usize::from(shape == Shape::Malformed);
        let mut frame = vec![2; 12];
        frame.extend(if shape == Shape::NotIpv6 { [8, 0] } else { [0x86, 0xdd] });
        frame.extend((6 << 28 | kind << 12 | u32::from(self.index)).to_be_bytes());
        frame.extend(u16::try_from(payload.len() + past_the_end).unwrap().to_be_bytes());
        frame.extend([next, 64]);
        frame.extend(match side {
            Side::Host => [local, remote].concat(),
            Side::Wire => [remote, local].concat(),
        });
        frame.extend(payload);
        frame
    }

    /// What follows the fixed header, and what it is.
    fn headers(&self, side: Side, shape: Shape, option: &PdmOption) -> (u8, Vec<u8>) {
        let protocol = self.protocol();
        let ports = match side {
            Side::Host => [self.port(), 80],
            Side::Wire => [80, self.port()],
        };
        let mut upper = ports.map(u16::to_be_bytes).concat();
        upper.extend([0; 4]);
        match shape {
            Shape::Fragment => (44, [&[protocol, 0, 0, 1, 0, 0, 0, 0][..], &upper].concat()),
            Shape::NeighborDiscovery => (protocol::ICMPV6, vec![135, 0, 0, 0, 0, 0, 0, 0]),
            Shape::Long => (protocol, [upper, vec![0; 1440]].concat()),
            _ => match shape.options(option) {
                Some(options) => (60, [options_header(protocol, &options), upper].concat()),
                None => (protocol, upper),
            },
        }
    }
}

/// The stream.
pub(crate) struct Stream {
    dice: ChaCha12Rng,
    talks: Vec<Talk>,
    now: u64,
    packets: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: ChaCha12Rng::seed_from_u64(seed),
            talks: (0..FLOWS).map(Talk::new).collect(),
            now: 0,
            packets: 0,
        }
    }

    /// Moves the clock on, which then stands still for [`EPOCH`] packets. Each flow's come from one side: packets that
    /// meet have no order.
    pub(crate) fn next_epoch(&mut self) -> (u64, Vec<Sample>) {
        self.now += self.dice.random_range(MILLISECOND..20 * MILLISECOND);
        let sides: Vec<_> = self.talks.iter().map(|_| side(self.dice.random())).collect();
        let first = self.dice.random_range(0..FLOWS);
        let samples = (0..EPOCH).map(|_| {
            let talking = usize::from((first + self.dice.random_range(0..TALKING)) % FLOWS);
            self.packets += 1;
            self.talks[talking].packet(&mut self.dice, sides[talking], self.now, self.packets)
        });
        (self.now, samples.collect())
    }
}

fn side(is_host: bool) -> Side {
    if is_host { Side::Host } else { Side::Wire }
}
