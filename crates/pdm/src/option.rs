//! The option's twelve octets (RFC 8250, section 3.2).

use crate::look::PdmAt;
use crate::tlv::PADN;
use crate::{Psn, ScaledTime};

/// The option's type: skip it if unknown, and it does not change on the way (RFC 8250, section 5).
pub const PDM_OPTION_TYPE: u8 = 0x0f;

/// The option's length field: its octets after type and length.
pub const PDM_OPTION_LEN: u8 = 10;

/// Octets of the whole option.
pub(crate) const OPTION_OCTETS: usize = 12;

/// Octets of an options header that holds PDM alone, padded to a multiple of 8.
pub(crate) const PDM_ALONE: usize = 16;

/// What an options header names that holds PDM alone in its first place; `None` if it is another.
#[inline]
pub(crate) fn next_after_alone(header: &[u8; PDM_ALONE]) -> Option<u8> {
    match *header {
        // Pad1 twice, or PadN without octets.
        [next, 1, PDM_OPTION_TYPE, PDM_OPTION_LEN, .., 0 | 1, 0] => Some(next),
        _ => None,
    }
}

/// The fields of a PDM option, under the RFC's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PdmOption {
    /// PSN This Packet.
    pub psntp: Psn,
    /// PSN Last Received: 0 until one was.
    pub psnlr: Psn,
    /// Delta Time Last Received, DELTATLR with SCALEDTLR: this packet's sending less the last one's receipt.
    pub delta_tlr: ScaledTime,
    /// Delta Time Last Sent, DELTATLS with SCALEDTLS: the last packet's receipt less the sending before it.
    pub delta_tls: ScaledTime,
}

impl PdmOption {
    /// The option that [`crate::look`] found in `frame`; all zero if it is not there.
    #[must_use]
    #[inline]
    pub fn read(frame: &[u8], at: &PdmAt) -> Self {
        frame
            .get(at.option()..)
            .and_then(|octets| octets.first_chunk::<OPTION_OCTETS>())
            .map(Self::parse)
            .unwrap_or_default()
    }

    /// The fields in an option's octets; type and length are not looked at.
    #[must_use]
    #[inline]
    pub fn parse(octets: &[u8; OPTION_OCTETS]) -> Self {
        let [_, _, scale_dtlr, scale_dtls, psntp @ .., l0, l1, r0, r1, s0, s1] = *octets;
        Self {
            psntp: Psn::new(u16::from_be_bytes(psntp)),
            psnlr: Psn::new(u16::from_be_bytes([l0, l1])),
            delta_tlr: ScaledTime { mantissa: u16::from_be_bytes([r0, r1]), scale: scale_dtlr },
            delta_tls: ScaledTime { mantissa: u16::from_be_bytes([s0, s1]), scale: scale_dtls },
        }
    }

    /// The option's octets, type and length with them.
    #[must_use]
    #[inline]
    pub fn emit(&self) -> [u8; OPTION_OCTETS] {
        let [_, _, option @ .., _, _] = self.emit_alone(0);
        option
    }

    /// An options header that holds the option alone and names `next`: next header, length, the option, PadN without octets.
    #[inline]
    pub(crate) fn emit_alone(&self, next: u8) -> [u8; PDM_ALONE] {
        zerocopy::transmute!(self.words_alone(next).map(u64::to_be_bytes))
    }

    /// The same as two numbers, which are passed on in registers.
    #[inline(always)]
    pub(crate) fn words_alone(&self, next: u8) -> [u64; 2] {
        // Put together as numbers: octets stored one by one would keep whoever loads them together waiting.
        const START: u64 = u64::from_be_bytes([0, 1, PDM_OPTION_TYPE, PDM_OPTION_LEN, 0, 0, 0, 0]);
        let [scale_dtlr, scale_dtls] = [self.delta_tlr.scale, self.delta_tls.scale].map(u64::from);
        let [psntp, psnlr] = [self.psntp, self.psnlr].map(|psn| u64::from(psn.get()));
        let [delta_tlr, delta_tls] = [self.delta_tlr.mantissa, self.delta_tls.mantissa].map(u64::from);
        let first = u64::from(next) << 56 | START | scale_dtlr << 24 | scale_dtls << 16 | psntp;
        let last = psnlr << 48 | delta_tlr << 32 | delta_tls << 16 | u64::from(PADN) << 8;
        [first, last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8250, appendix C.1.3: host B's answer, 4 s after it received packet 25.
    const ANSWER: PdmOption = PdmOption {
        psntp: Psn::new(12),
        psnlr: Psn::new(25),
        delta_tlr: ScaledTime { mantissa: 0xde0b, scale: 46 },
        delta_tls: ScaledTime::ZERO,
    };

    #[test]
    fn the_octets_of_the_rfcs_example() {
        let octets = [0x0f, 10, 46, 0, 0, 12, 0, 25, 0xde, 0x0b, 0, 0];
        assert_eq!(ANSWER.emit(), octets);
        assert_eq!(ANSWER.emit_alone(17), *[&[17, 1], &octets[..], &[1, 0]].concat());
        assert_eq!(PdmOption::parse(&octets), ANSWER);
    }
}
