//! Insertion: where the option goes, and putting it there (RFC 8250, section 3.3).

use std::mem;

use crate::look::{FIXED_HEADER, Headers, Layout, Shape, protocol};
use crate::option::{OPTION_OCTETS, PDM_ALONE};
use crate::splice::Splice;
use crate::tlv::{self, FIRST_OPTION};
use crate::{PdmOption, Skip, alone};

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
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A header of its own, and the only one, in a packet of this layout.
    Only(Layout),
    /// A header of its own after others.
    Last(Last),
    /// Another option's header.
    Merged(Merge),
}

/// How the headers before a new one go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    /// Offset of the new header.
    start: usize,
    /// Offset of the octet that has to name it.
    named_at: usize,
}

/// Where the option goes in a header that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Merge {
    /// Offset of the header.
    header: usize,
    /// Its octets before.
    old_len: usize,
    /// Its octets afterwards.
    header_len: usize,
    /// Its octets before the splice, which stay.
    kept: usize,
    /// Offset of the option in it: even, so that its 16-bit fields stand on natural boundaries.
    option: usize,
}

impl Insertion {
    /// Finds the place in `frame`, which is one of `layout`.
    ///
    /// # Errors
    /// [`Skip::OptionHeaderTooLong`], then [`Skip::Oversize`], by `limits`.
    #[inline(always)]
    pub fn plan(frame: &[u8], layout: &Layout, limits: &Limits) -> Result<Self, Skip> {
        let ip = layout.ip();
        let place = match layout.shape() {
            Shape::Plain => Place::Only(*layout),
            Shape::Alone => Place::merged(frame, ip + FIXED_HEADER, ip + FIXED_HEADER + PDM_ALONE),
            Shape::Other => Place::after(frame, &layout.headers(frame)?),
        };
        if place.header_len() > usize::from(limits.max_destopts_len) {
            return Err(Skip::OptionHeaderTooLong);
        }
        let Splice { old, new, .. } = place.splice(ip);
        let total = FIXED_HEADER + usize::from(layout.payload_len()) + new - old;
        if new > old && total > usize::from(limits.mtu) {
            return Err(Skip::Oversize);
        }
        Ok(Self { ip, place })
    }

    /// Octets that the packet's front has to gain before [`Insertion::apply`].
    #[must_use]
    #[inline]
    pub fn growth(&self) -> usize {
        self.place.splice(self.ip).growth()
    }

    /// Octets that the packet's front has to lose after [`Insertion::apply`]: a header full of padding gets shorter.
    #[must_use]
    #[inline]
    pub fn shrinkage(&self) -> usize {
        self.place.splice(self.ip).shrinkage()
    }

    /// Writes `option` into the packet in `buffer`, the one this was planned for, grown at its front by
    /// [`Insertion::growth`].
    ///
    /// # Panics
    /// If `buffer` is not that packet.
    #[inline(always)]
    pub fn apply(&self, buffer: &mut [u8], option: &PdmOption) {
        match &self.place {
            Place::Only(layout) => alone::insert(buffer, layout, option),
            Place::Last(last) => {
                let packet = self.place.splice(self.ip).apply(buffer, self.ip);
                let next = mem::replace(&mut packet[last.named_at], protocol::DESTINATION_OPTIONS);
                packet[last.start..last.start + PDM_ALONE].copy_from_slice(&option.emit_alone(next));
            }
            Place::Merged(merge) => merge.apply(self.place.splice(self.ip).apply(buffer, self.ip), option),
        }
    }
}

impl Place {
    /// After or in the last of `headers`.
    #[cold]
    fn after(frame: &[u8], headers: &Headers) -> Self {
        if headers.end_with_options {
            Self::merged(frame, headers.names_upper, headers.upper)
        } else {
            Self::Last(Last { start: headers.upper, named_at: headers.names_upper })
        }
    }

    /// In the options header between `start` and `end`.
    #[cold]
    fn merged(frame: &[u8], start: usize, end: usize) -> Self {
        Self::Merged(Merge::at_the_end_of(frame.get(start..end).unwrap_or_default(), start))
    }

    /// Octets of the options header afterwards.
    #[inline]
    const fn header_len(&self) -> usize {
        match self {
            Self::Only(_) | Self::Last(_) => PDM_ALONE,
            Self::Merged(merge) => merge.header_len,
        }
    }

    /// What goes and what comes in a packet whose fixed header is at `ip`.
    #[inline]
    const fn splice(&self, ip: usize) -> Splice {
        match self {
            Self::Only(_) => Splice { start: ip + FIXED_HEADER, old: 0, new: PDM_ALONE },
            Self::Last(last) => Splice { start: last.start, old: 0, new: PDM_ALONE },
            Self::Merged(merge) => merge.splice(),
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
        let header_len = (option + OPTION_OCTETS).next_multiple_of(8);
        Self { header, old_len: octets.len(), header_len, kept, option }
    }

    const fn splice(&self) -> Splice {
        let (old, new) = (self.old_len - self.kept, self.header_len - self.kept);
        Splice { start: self.header + self.kept, old, new }
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
