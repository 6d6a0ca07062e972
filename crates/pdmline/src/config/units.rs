//! Values with a range of their own.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Fault;

/// An instance's name: it becomes EAL's file prefix and the name of files, so it is short and plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance(String);

impl Instance {
    const MAX_LEN: usize = 32;

    pub(super) fn new(name: &str) -> Result<Self, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts_well && name.len() <= Self::MAX_LEN && name.chars().all(plain) {
            return Ok(Self(name.into()));
        }
        Err(Fault::value(
            "instance",
            format!(
                "{name:?} cannot name files; write 1 to {} of a-z A-Z 0-9 - _, a letter or digit first",
                Self::MAX_LEN
            ),
        ))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A CPU as the kernel counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Core(u16);

impl Core {
    /// The most CPUs a kernel's affinity mask is asked about here.
    const LAST: i64 = 1023;

    pub(super) fn new(key: &str, number: i64) -> Result<Self, Fault> {
        within(key, number, 0..=Self::LAST, "the number of a CPU").map(Self)
    }

    pub(crate) fn number(self) -> u32 {
        self.0.into()
    }
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The largest IPv6 packet of a link in octets, header and payload; at least the 1280 that IPv6 asks of every link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mtu(u16);

impl Mtu {
    const MIN: i64 = 1280;
    const MAX: i64 = u16::MAX as i64;

    pub(super) fn new(key: &str, octets: i64) -> Result<Self, Fault> {
        within(key, octets, Self::MIN..=Self::MAX, "octets of an IPv6 packet").map(Self)
    }

    pub(crate) fn octets(self) -> u16 {
        self.0
    }
}

/// `number` if it lies in `range`, in the type the caller wants.
pub(super) fn within<T: TryFrom<i64>>(
    key: &str,
    number: i64,
    range: RangeInclusive<i64>,
    what: &str,
) -> Result<T, Fault> {
    let wrong = || {
        Fault::value(
            key,
            format!("{number} is out of range; write {what}, {} to {}", range.start(), range.end()),
        )
    };
    if !range.contains(&number) {
        return Err(wrong());
    }
    T::try_from(number).map_err(|_| wrong())
}

/// A time such as `60s` or `1h 30m` that lies in `range`.
pub(super) fn duration(key: &str, text: &str, range: RangeInclusive<Duration>) -> Result<Duration, Fault> {
    let wrong = |why: String| {
        let (least, most) =
            (humantime::format_duration(*range.start()), humantime::format_duration(*range.end()));
        Fault::value(key, format!("{text:?} {why}; write a time from {least} to {most}, such as \"{least}\""))
    };
    let time = humantime::parse_duration(text).map_err(|_| wrong("is not a time".into()))?;
    if range.contains(&time) { Ok(time) } else { Err(wrong("is out of range".into())) }
}

/// A size such as `64MiB` that lies in `range` (octets).
pub(super) fn size(key: &str, text: &str, range: RangeInclusive<u64>) -> Result<usize, Fault> {
    let wrong = |why: &str| {
        let (least, most) = (bytesize::ByteSize(*range.start()), bytesize::ByteSize(*range.end()));
        Fault::value(key, format!("{text:?} {why}; write a size from {least} to {most}, such as \"64MiB\""))
    };
    let octets = text.parse::<bytesize::ByteSize>().map_err(|_| wrong("is not a size"))?.as_u64();
    if !range.contains(&octets) {
        return Err(wrong("is out of range"));
    }
    usize::try_from(octets).map_err(|_| wrong("is more than this machine can address"))
}
