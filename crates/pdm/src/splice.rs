//! Changing a packet's length in its middle by moving its front, which is short, and never its payload.

/// Offset of the payload length in the fixed header.
const PAYLOAD_LENGTH: usize = 4;

/// Octets `[start, start + old)` of a packet that become `new` octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Splice {
    /// Offset of the first octet that goes.
    pub(crate) start: usize,
    /// How many octets go.
    pub(crate) old: usize,
    /// How many take their place.
    pub(crate) new: usize,
}

impl Splice {
    /// Octets that the packet's front has to gain before [`Splice::apply`].
    #[inline]
    pub(crate) fn growth(&self) -> usize {
        self.new.saturating_sub(self.old)
    }

    /// Octets that the packet's front loses after [`Splice::apply`].
    #[inline]
    pub(crate) fn shrinkage(&self) -> usize {
        self.old.saturating_sub(self.new)
    }

    /// Moves the front of the packet in `buffer`, which has already grown by [`Splice::growth`], and adjusts the payload
    /// length of the fixed header at `ip`. Returns the packet as it will be once it has lost [`Splice::shrinkage`].
    #[inline(always)]
    pub(crate) fn apply<'b>(&self, buffer: &'b mut [u8], ip: usize) -> &'b mut [u8] {
        let (growth, shrinkage) = (self.growth(), self.shrinkage());
        move_front(buffer, growth, shrinkage, self.start);
        let packet = &mut buffer[shrinkage..];
        let length = payload_length(packet, ip);
        *length = self.adjusted(u16::from_be_bytes(*length)).to_be_bytes();
        packet
    }

    /// A payload length after the change. The caller has checked that it fits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "arithmetic modulo 2^16 gives the right result that fits"
    )]
    fn adjusted(&self, length: u16) -> u16 {
        length.wrapping_add(self.new as u16).wrapping_sub(self.old as u16)
    }
}

/// Octets that [`move_front`] moves at once.
const PIECE: usize = 16;

/// Pieces without the last one, which may overlap with them.
const PIECES: usize = 3;

/// Moves `len` octets of `buffer` from offset `from` to offset `to`.
///
/// Ethernet's header with up to two tags and IPv6's have 54 to 62 octets. They are moved as four pieces of fixed size, in
/// registers: a copy of any other length has to be asked of the C library.
#[inline(always)]
fn move_front(buffer: &mut [u8], from: usize, to: usize, len: usize) {
    if (PIECES * PIECE..=(PIECES + 1) * PIECE).contains(&len) {
        let last = len - PIECE;
        let source = &buffer[from..from + len];
        let [first, second, third, fourth] = [0, PIECE, 2 * PIECE, last].map(|at| piece(&source[at..]));
        let target = &mut buffer[to..to + len];
        for (at, piece) in [(0, first), (PIECE, second), (2 * PIECE, third), (last, fourth)] {
            target[at..at + PIECE].copy_from_slice(&piece.to_ne_bytes());
        }
    } else {
        buffer.copy_within(from..from + len, to);
    }
}

/// The first [`PIECE`] octets, in a register.
#[inline(always)]
fn piece(octets: &[u8]) -> u128 {
    octets.first_chunk().map_or(0, |piece| u128::from_ne_bytes(*piece))
}

/// The payload length field of the fixed header at `ip`.
#[inline]
#[expect(clippy::expect_used, reason = "a slice of two octets is an array of as many")]
fn payload_length(packet: &mut [u8], ip: usize) -> &mut [u8; 2] {
    let field = ip + PAYLOAD_LENGTH;
    (&mut packet[field..field + 2]).try_into().expect("as long as it is")
}
