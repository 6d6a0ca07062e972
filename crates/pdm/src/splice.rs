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
    pub(crate) fn growth(&self) -> usize {
        self.new.saturating_sub(self.old)
    }

    /// Octets that the packet's front loses after [`Splice::apply`].
    pub(crate) fn shrinkage(&self) -> usize {
        self.old.saturating_sub(self.new)
    }

    /// Moves the front of the packet in `buffer`, which has already grown by [`Splice::growth`], and adjusts the payload
    /// length of the fixed header at `ip`. Returns the packet as it will be once it has lost [`Splice::shrinkage`].
    #[inline]
    pub(crate) fn apply<'b>(&self, buffer: &'b mut [u8], ip: usize) -> &'b mut [u8] {
        let (growth, shrinkage) = (self.growth(), self.shrinkage());
        buffer.copy_within(growth..growth + self.start, shrinkage);
        let packet = &mut buffer[shrinkage..];
        let field = ip + PAYLOAD_LENGTH;
        let length = u16::from_be_bytes([packet[field], packet[field + 1]]);
        packet[field..field + 2].copy_from_slice(&self.adjusted(length).to_be_bytes());
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
