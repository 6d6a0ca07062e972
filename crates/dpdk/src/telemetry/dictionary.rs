//! Answers: names and values that fit DPDK's one buffer.

use std::ffi::{CString, c_int};

use dpdk_sys::rte_tel_data;

/// Octets of JSON in DPDK's buffer of 16,384, less the command's name and what is around it.
const ROOM: usize = 16_384 - 64;
const MAX_ENTRIES: usize = dpdk_sys::RTE_TEL_MAX_DICT_ENTRIES as usize;
/// Octets of a name or a text.
const MAX_TEXT_LEN: usize = dpdk_sys::RTE_TEL_MAX_STRING_LEN as usize - 1;

/// What a command answers: up to 256 named values, and 16 KiB as JSON. What does not fit is refused here, where it can
/// be left for a next page: DPDK would lose it without a word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    entries: Vec<(CString, Entry)>,
    octets: usize,
}

/// A value in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A count.
    Number(u64),
    /// A text of up to 127 octets, cut off there. DPDK handles printable ASCII only: all else becomes `?`.
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Number(u64),
    Text(CString),
}

impl Dictionary {
    /// Adds `value` as `name`, and says whether there was room. DPDK's names are made of letters, digits, `_` and `/`,
    /// 127 at most: other characters become `_`, and the rest is cut off.
    #[must_use]
    pub fn insert(&mut self, name: &str, value: impl Into<Value>) -> bool {
        let name = c_text(name, '_', |c| c.is_ascii_alphanumeric() || c == '_' || c == '/');
        let (entry, octets) = match value.into() {
            Value::Number(number) => (Entry::Number(number), number.to_string().len()),
            Value::Text(text) => {
                let text = c_text(&text, '?', |c| c.is_ascii_graphic() || c == ' ');
                let escaped = text.as_bytes().iter().filter(|octet| b"\"\\".contains(octet)).count();
                let octets = text.as_bytes().len() + escaped + r#""""#.len();
                (Entry::Text(text), octets)
            }
        };
        let octets = self.octets + name.as_bytes().len() + r#""":,"#.len() + octets;
        let fits = octets <= ROOM && self.entries.len() < MAX_ENTRIES;
        if fits {
            self.entries.push((name, entry));
            self.octets = octets;
        }
        fits
    }

    /// Writes it into an answer of DPDK's; returns zero, or a negative error.
    ///
    /// # Safety
    /// `data` is an answer that DPDK waits for.
    pub(super) unsafe fn write(&self, data: *mut rte_tel_data) -> c_int {
        // SAFETY: the caller's.
        let started = unsafe { dpdk_sys::rte_tel_data_start_dict(data) };
        let add = |(name, entry): &(CString, Entry)| match entry {
            // SAFETY: the caller's, and the name is copied.
            Entry::Number(number) => unsafe {
                dpdk_sys::dpdk_tel_add_dict_number(data, name.as_ptr(), *number)
            },
            // SAFETY: the caller's, and name and text are copied.
            Entry::Text(text) => unsafe {
                dpdk_sys::rte_tel_data_add_dict_string(data, name.as_ptr(), text.as_ptr())
            },
        };
        self.entries.iter().map(add).fold(started, c_int::min)
    }
}

/// The beginning of `text` as DPDK takes it, with `substitute` for characters that are not `allowed`, which is ASCII
/// without zero.
fn c_text(text: &str, substitute: char, allowed: impl Fn(char) -> bool) -> CString {
    let allow = |c| if allowed(c) { c } else { substitute };
    let text: String = text.chars().take(MAX_TEXT_LEN).map(allow).collect();
    CString::new(text).unwrap_or_default() // no zero is left
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
