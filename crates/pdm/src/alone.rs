//! The options header that nearly all packets get: the only extension header, and PDM alone in it.

use crate::look::{FIXED_HEADER, Layout, NEXT_HEADER, protocol};
use crate::option::PDM_ALONE;
use crate::splice::grow_plain;
use crate::{Limits, PdmOption};

/// Octets of it.
pub const LEN: usize = PDM_ALONE;

/// Whether a packet of `layout` has no extension header, and `limits` let it have this one.
#[must_use]
#[inline(always)]
pub fn suits(layout: &Layout, limits: &Limits) -> bool {
    let grown = FIXED_HEADER + usize::from(layout.payload_len()) + LEN;
    layout.is_plain() && grown <= usize::from(limits.mtu) && LEN <= usize::from(limits.max_destopts_len)
}

/// Puts it, with `option` in it, into the packet in `buffer`, which was one of `layout` before it has grown at its
/// front by [`LEN`].
///
/// # Panics
/// If `buffer` is not that packet.
#[inline(always)]
pub fn insert(buffer: &mut [u8], layout: &Layout, option: &PdmOption) {
    let packet = grow_plain(buffer, layout.ip(), layout.payload_len());
    packet[NEXT_HEADER] = protocol::DESTINATION_OPTIONS;
    packet[FIXED_HEADER..].copy_from_slice(&option.emit_alone(layout.protocol()));
}
