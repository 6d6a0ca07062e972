//! Changing a packet's length in its middle by moving its front, which is short, and never its payload.

use crate::look::{FIXED_HEADER, NEXT_HEADER, PAYLOAD_LENGTH};
use crate::option::PDM_ALONE;

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
    pub(crate) fn apply<'b>(&self, buffer: &'b mut [u8], ip: usize) -> &'b mut [u8] {
        let (growth, shrinkage) = (self.growth(), self.shrinkage());
        buffer.copy_within(growth..growth + self.start, shrinkage);
        let packet = &mut buffer[shrinkage..];
        let [high, low] = [0, 1].map(|octet| packet[ip + PAYLOAD_LENGTH + octet]);
        let length = self.adjusted(u16::from_be_bytes([high, low]));
        packet[ip + PAYLOAD_LENGTH..][..2].copy_from_slice(&length.to_be_bytes());
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

/// Octets of a packet to the end of its only extension header, if that holds PDM alone.
const MARKED: usize = FIXED_HEADER + PDM_ALONE;

/// Makes room for an options header that holds PDM alone directly after the fixed header at `ip`, in the packet in
/// `buffer`, which has already grown by as much and had `payload_len` octets of payload. Returns the packet from there on, to
/// the end of what it makes room for.
#[inline(always)]
pub(crate) fn grow_plain(buffer: &mut [u8], ip: usize, payload_len: u16) -> &mut [u8; MARKED] {
    let front = &mut buffer[..ip + MARKED];
    move_front(front, PDM_ALONE, 0);
    let packet = packet_at_the_end_of(front);
    packet[PAYLOAD_LENGTH..NEXT_HEADER].copy_from_slice(&(payload_len.wrapping_add(GROWTH)).to_be_bytes());
    packet
}

/// Removes such a header from `packet`, which has `payload_len` octets of payload with it. `next` follows it. Returns how many
/// octets its front has to lose now.
#[inline(always)]
pub(crate) fn shrink_plain(packet: &mut [u8], ip: usize, payload_len: u16, next: u8) -> usize {
    let front = &mut packet[..ip + MARKED];
    move_front(front, 0, PDM_ALONE);
    let fixed = packet_at_the_end_of::<FIXED_HEADER>(front);
    fixed[PAYLOAD_LENGTH..NEXT_HEADER].copy_from_slice(&(payload_len.wrapping_sub(GROWTH)).to_be_bytes());
    fixed[NEXT_HEADER] = next;
    PDM_ALONE
}

/// By how much a payload gets longer when it gets an options header that holds PDM alone.
const GROWTH: u16 = 16;
const _: () = assert!(GROWTH as usize == PDM_ALONE);

/// The last octets of `front`.
#[inline(always)]
#[expect(clippy::expect_used, reason = "a front has more octets than a packet in it")]
fn packet_at_the_end_of<const OCTETS: usize>(front: &mut [u8]) -> &mut [u8; OCTETS] {
    front.last_chunk_mut().expect("the front is longer")
}

/// Octets that are moved at once, in a register.
const PIECE: usize = 32;

/// Moves all of `front` but [`PDM_ALONE`] octets from offset `from` to offset `to`, one of which is 0 and the other one
/// [`PDM_ALONE`].
///
/// Ethernet's header with up to two tags and IPv6's have 54 to 62 octets. They are moved as two pieces, which may overlap: a
/// copy of any other length has to be asked of the C library.
#[inline(always)]
fn move_front(front: &mut [u8], from: usize, to: usize) {
    let len = front.len() - PDM_ALONE;
    if !(PIECE + PDM_ALONE..=2 * PIECE).contains(&len) {
        return move_any_front(front, from, to);
    }
    // The piece ahead goes first, to where the other one, as so many octets are between them, has nothing left to be read.
    let (first, last) = (0, len - PIECE);
    let [ahead, behind] = if to < from { [first, last] } else { [last, first] };
    front.copy_within(from + ahead..from + ahead + PIECE, to + ahead);
    front.copy_within(from + behind..from + behind + PIECE, to + behind);
}

/// The same for a front of any length.
#[cold]
#[inline(never)]
fn move_any_front(front: &mut [u8], from: usize, to: usize) {
    front.copy_within(from..from + front.len() - PDM_ALONE, to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_of_any_length_is_moved_either_way() {
        for len in FIXED_HEADER..=FIXED_HEADER + 40 {
            let octets: Vec<u8> = (1..).take(len).collect();
            let gap = [0; PDM_ALONE];
            let mut grown = [&gap[..], &octets].concat();
            move_front(&mut grown, PDM_ALONE, 0);
            assert_eq!(grown[..len], octets, "{len} to the front");
            let mut shrunk = [&octets[..], &gap].concat();
            move_front(&mut shrunk, 0, PDM_ALONE);
            assert_eq!(shrunk[PDM_ALONE..], octets, "{len} to the back");
        }
    }
}
