//! What a pcapng section says of its interfaces, and the packets of such a section.

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    Block, EnhancedPacketBlock, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, PcapNGOption,
};

use crate::capture::reader::{Fault, record};
use crate::capture::{Link, Record};

/// Block type of the packet block that was made obsolete, in both byte orders.
const OBSOLETE_PACKET: [u32; 2] = [2, 2_u32.swap_bytes()];
const NANOS: i128 = 1_000_000_000;

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Section {
    interfaces: Vec<Interface>,
}

/// An interface of a section.
#[derive(Debug)]
struct Interface {
    linktype: u32,
    /// Its clock's units in a second; `None` for a resolution that no number can hold.
    units_per_second: Option<u128>,
    /// Seconds to add to its times.
    offset: i64,
}

impl Section {
    /// Takes in what `block` says, and gives back the packet that it holds.
    pub(super) fn take(&mut self, block: &Block<'_>) -> Result<Option<Record<Vec<u8>>>, Fault> {
        match block {
            Block::SectionHeader(_) => self.interfaces.clear(),
            Block::InterfaceDescription(description) => self.interfaces.push(Interface::from(description)),
            Block::EnhancedPacket(packet) => return self.packet(packet).map(Some),
            Block::SimplePacket(_) => return Err(Fault::UnsupportedBlock),
            Block::Unknown(block) if OBSOLETE_PACKET.contains(&block.block_type) => {
                return Err(Fault::UnsupportedBlock);
            }
            _ => {}
        }
        Ok(None)
    }

    fn packet(&self, packet: &EnhancedPacketBlock<'_>) -> Result<Record<Vec<u8>>, Fault> {
        let index = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
        let interface = self.interfaces.get(index).ok_or(Fault::Damaged)?;
        let link = Link::from_linktype(interface.linktype).ok_or(Fault::UnknownLink(interface.linktype))?;
        let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let time = interface.nanos(units).ok_or(Fault::Damaged)?;
        record(time, link, packet.origlen, packet.packet_data())
    }
}

impl From<&InterfaceDescriptionBlock<'_>> for Interface {
    fn from(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let offset = block.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
        let big_endian = block.block_type != IDB_MAGIC;
        Self {
            linktype: u32::from_ne_bytes(block.linktype.0.to_ne_bytes()),
            units_per_second: units_per_second(block.if_tsresol),
            offset: offset.and_then(|option| seconds(option, big_endian)).unwrap_or(0),
        }
    }
}

impl Interface {
    /// Nanoseconds since 1970, when that is a time a `u64` can hold.
    fn nanos(&self, units: u64) -> Option<u64> {
        let nanos = u128::from(units) * NANOS.unsigned_abs() / self.units_per_second?;
        u64::try_from(i128::try_from(nanos).ok()? + i128::from(self.offset) * NANOS).ok()
    }
}

/// The meaning of `if_tsresol`: a negative power of two when its first bit is set, else of ten.
fn units_per_second(resolution: u8) -> Option<u128> {
    let (base, power) = if resolution & 0x80 == 0 { (10_u128, resolution) } else { (2, resolution & 0x7f) };
    base.checked_pow(power.into())
}

/// The value of `if_tsoffset`.
fn seconds(option: &PcapNGOption<'_>, big_endian: bool) -> Option<i64> {
    let octets = *option.value().first_chunk()?;
    Some(if big_endian { i64::from_be_bytes(octets) } else { i64::from_le_bytes(octets) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(resolution: u8, offset: i64, units: u64) -> Option<u64> {
        Interface { linktype: 1, units_per_second: units_per_second(resolution), offset }.nanos(units)
    }

    #[test]
    fn resolutions_are_powers_of_ten_or_of_two() {
        assert_eq!(nanos(6, 0, 1_500_000), Some(1_500_000_000));
        assert_eq!(nanos(9, 0, 1_500_000), Some(1_500_000));
        assert_eq!(nanos(0, 0, 3), Some(3_000_000_000));
        assert_eq!(nanos(12, 0, 1_999), Some(1));
        assert_eq!(nanos(0x80 | 10, 0, 1_536), Some(1_500_000_000));
        assert_eq!(nanos(0x80 | 127, 0, u64::MAX), Some(0));
    }

    #[test]
    fn offsets_are_seconds_and_may_be_negative() {
        assert_eq!(nanos(9, 1_700_000_000, 5), Some(1_700_000_000_000_000_005));
        assert_eq!(nanos(9, -1, 1_000_000_001), Some(1));
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        assert_eq!(nanos(9, -1, 5), None);
        assert_eq!(nanos(0, 0, u64::MAX), None);
        assert_eq!(nanos(9, i64::MAX, 0), None);
        assert_eq!(nanos(127, 0, 1), None);
    }
}
