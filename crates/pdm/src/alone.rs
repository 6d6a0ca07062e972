//! The options header that nearly all packets get: the only extension header, and PDM alone in it.

use crate::look::{FIXED_HEADER, Look, NEXT_HEADER, protocol};
use crate::option::PDM_ALONE;
use crate::splice::grow_plain;
use crate::{Limits, PdmOption};

/// Octets of it.
pub const LEN: usize = PDM_ALONE;

/// Whether the packet that `look` tells of has no extension header, and `limits` let it have this one.
#[must_use]
#[inline(always)]
pub fn suits(look: &Look, limits: &Limits) -> bool {
    let grown = FIXED_HEADER + usize::from(look.payload_len()) + LEN;
    look.is_plain() && grown <= usize::from(limits.mtu) && LEN <= usize::from(limits.max_destopts_len)
}

/// Puts it, with `option` in it, into the packet in `buffer`, the one that `look` tells of, which has grown at its front by
/// [`LEN`].
///
/// # Panics
/// If `buffer` is not that packet.
#[inline(always)]
pub fn insert(buffer: &mut [u8], look: &Look, option: &PdmOption) {
    let packet = grow_plain(buffer, look.ip(), look.payload_len());
    packet[NEXT_HEADER] = protocol::DESTINATION_OPTIONS;
    packet[FIXED_HEADER..].copy_from_slice(&option.emit_alone(look.protocol));
}
