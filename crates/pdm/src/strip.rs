//! Stripping: the option out, the rest as it would be without it.

use crate::insert::length_field;
use crate::look::{Look, PdmAt};
use crate::option::{PDM_ALONE, next_after_alone};
use crate::splice::Splice;
use crate::tlv::{self, FIRST_OPTION, Tlv};

/// Takes the option at `at` out of `packet`, of which `look` tells, and returns how many octets the packet's front has
/// to lose now.
///
/// If nothing but padding is left the options header goes too. Otherwise the other options stay in order, each at its
/// old offset modulo 8 (their alignment), with minimal padding between them.
///
/// # Panics
/// If `packet` is not the one that was looked at.
#[inline(always)]
pub fn strip(packet: &mut [u8], look: &Look, at: &PdmAt) -> usize {
    let (start, len) = (at.header.get(), usize::from(at.header_len));
    let header = &mut packet[start..start + len];
    let rest = if is_alone(header) { 0 } else { close_up(header, at.option.get() - start) };
    if rest == 0 {
        packet[at.named_at.get()] = packet[start];
    } else {
        header[1] = length_field(rest);
    }
    let splice = Splice { start: start + rest, old: len - rest, new: 0 };
    splice.apply(packet, look.ip.get());
    splice.shrinkage()
}

/// Whether `header`, which holds one PDM option, holds no other.
#[inline]
fn is_alone(header: &[u8]) -> bool {
    <&[u8; PDM_ALONE]>::try_from(header).is_ok_and(|header| next_after_alone(header).is_some())
}

/// Moves the options of `header` together over the one at `gone` and pads; returns the octets the header has then, or 0
/// if it holds no option any more.
#[cold]
fn close_up(header: &mut [u8], gone: usize) -> usize {
    let mut end = FIRST_OPTION;
    let mut next = FIRST_OPTION;
    while let Some(option) = Tlv::at(header, next) {
        next = option.end();
        if option.is_padding() || option.start == gone {
            continue;
        }
        // Never past `option.start`: everything before it was moved forward or stayed.
        let start = end + (option.start - end) % 8;
        tlv::pad(&mut header[end..start]);
        header.copy_within(option.start..option.end(), start);
        end = start + option.len;
    }
    if end == FIRST_OPTION {
        return 0;
    }
    let len = end.next_multiple_of(8);
    tlv::pad(&mut header[end..len]);
    len
}
