//! Insertion: where the option goes, and putting it there (RFC 8250, section 3.3).

use crate::look::{Look, protocol};
use crate::option::{OPTION_OCTETS, PDM_ALONE};
use crate::splice::Splice;
use crate::tlv::{self, FIRST_OPTION};
use crate::{PdmOption, Skip};

/// Octets of the fixed header.
const FIXED_HEADER: usize = 40;

/// How far a packet may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most octets of IPv6 header and payload.
    pub mtu: u16,
    /// The most octets of the options header that holds the option: routers and hosts drop longer ones.
    pub max_destopts_len: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mtu: 1500, max_destopts_len: 40 }
    }
}

/// A place for the option in one packet, found and checked but not yet filled.
///
/// The option goes into the destination options header directly before the upper layer, which it makes if there is
/// none: never into one before a routing header, which other nodes read too, and never into a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insertion {
    ip: usize,
    splice: Splice,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A header of its own.
    Alone(Naming),
    /// Another option's header.
    Merged(Merge),
}

/// How the headers around a new one are chained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Naming {
    /// Offset of the octet that has to name the new header.
    at: usize,
    /// What the new header names.
    upper: u8,
}

/// Where the option goes in a header that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Merge {
    /// Offset of the header.
    header: usize,
    /// Its octets afterwards.
    header_len: usize,
    /// Its octets before the splice, which stay.
    kept: usize,
    /// Offset of the option in it: even, so that its 16-bit fields stand on natural boundaries.
    option: usize,
}

impl Insertion {
    /// Finds the place in `frame`, of which `look` tells.
    ///
    /// # Errors
    /// [`Skip::OptionHeaderTooLong`], then [`Skip::Oversize`], by `limits`.
    #[inline(always)]
    pub fn plan(frame: &[u8], look: &Look, limits: &Limits) -> Result<Self, Skip> {
        let (splice, place, header_len) = match look.options {
            None => (
                Splice { start: look.upper.get(), old: 0, new: PDM_ALONE },
                Place::Alone(Naming { at: look.names_upper.get(), upper: look.protocol }),
                PDM_ALONE,
            ),
            Some(header) => {
                let octets = frame.get(header.get()..look.upper.get()).unwrap_or_default();
                let merge = Merge::at_the_end_of(octets, header.get());
                (merge.splice(octets.len()), Place::Merged(merge), merge.header_len)
            }
        };
        if header_len > usize::from(limits.max_destopts_len) {
            return Err(Skip::OptionHeaderTooLong);
        }
        let total = FIXED_HEADER + usize::from(look.payload_len) + splice.new - splice.old;
        if total > usize::from(limits.mtu) && splice.new > splice.old {
            return Err(Skip::Oversize);
        }
        Ok(Self { ip: look.ip.get(), splice, place })
    }

    /// Octets that the packet's front has to gain before [`Insertion::apply`].
    #[must_use]
    #[inline]
    pub fn growth(&self) -> usize {
        self.splice.growth()
    }

    /// Octets that the packet's front has to lose after [`Insertion::apply`]: a header full of padding gets shorter.
    #[must_use]
    #[inline]
    pub fn shrinkage(&self) -> usize {
        self.splice.shrinkage()
    }

    /// Writes `option` into the packet in `buffer`, the one this was planned for, grown at its front by
    /// [`Insertion::growth`].
    ///
    /// # Panics
    /// If `buffer` is not that packet.
    #[inline(always)]
    pub fn apply(&self, buffer: &mut [u8], option: &PdmOption) {
        let packet = self.splice.apply(buffer, self.ip);
        match &self.place {
            Place::Alone(naming) => {
                let header = &mut packet[self.splice.start..self.splice.start + PDM_ALONE];
                header.copy_from_slice(&option.emit_alone(naming.upper));
                packet[naming.at] = protocol::DESTINATION_OPTIONS;
            }
            Place::Merged(merge) => merge.apply(packet, option),
        }
    }
}

impl Merge {
    /// At the end of the header in `octets`, which starts at `header`, in the place of its trailing padding.
    #[cold]
    fn at_the_end_of(octets: &[u8], header: usize) -> Self {
        let kept = tlv::options(octets)
            .filter(|option| !option.is_padding())
            .last()
            .map_or(FIRST_OPTION, |o| o.end());
        let option = kept.next_multiple_of(2);
        Self { header, header_len: (option + OPTION_OCTETS).next_multiple_of(8), kept, option }
    }

    /// What becomes of a header of `old_len` octets.
    fn splice(&self, old_len: usize) -> Splice {
        Splice { start: self.header + self.kept, old: old_len - self.kept, new: self.header_len - self.kept }
    }

    #[cold]
    fn apply(&self, packet: &mut [u8], option: &PdmOption) {
        let header = &mut packet[self.header..self.header + self.header_len];
        let end = self.option + OPTION_OCTETS;
        tlv::pad(&mut header[self.kept..self.option]);
        header[self.option..end].copy_from_slice(&option.emit());
        tlv::pad(&mut header[end..]);
        header[1] = length_field(self.header_len);
    }
}

/// The length field of an extension header of `octets` octets, 8 to 2,048 in steps of 8: its 8-octet units but the
/// first.
pub(crate) fn length_field(octets: usize) -> u8 {
    u8::try_from((octets / 8).saturating_sub(1)).unwrap_or(u8::MAX)
}
