//! Memory in pages of one kind.

use std::{fs, io};

use memmap2::{Advice, MmapMut, MmapOptions};

/// What pages a table lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Huge ones that were set aside.
    SetAside,
    /// Those that the kernel finds when it is advised to take huge ones.
    Advised,
    /// Small ones: for comparison.
    Small,
}

/// A huge page: 2^21 octets.
const HUGE_BITS: u8 = 21;

impl Pages {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::SetAside, Self::Advised, Self::Small];

    /// The kind as results name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SetAside => "hugepages",
            Self::Advised => "MADV_HUGEPAGE",
            Self::Small => "4 KiB pages",
        }
    }

    /// At least `octets` zeroed octets, all of them touched.
    ///
    /// # Panics
    /// If there is no such memory.
    #[must_use]
    pub fn map(self, octets: usize) -> MmapMut {
        let mut memory = match self {
            Self::SetAside => set_aside(octets),
            Self::Advised => advised(octets, Advice::HugePage),
            Self::Small => advised(octets, Advice::NoHugePage),
        }
        .expect("there is memory");
        memory.fill(0);
        memory
    }
}

fn set_aside(octets: usize) -> io::Result<MmapMut> {
    let whole = octets.next_multiple_of(1 << HUGE_BITS);
    MmapOptions::new().len(whole).huge(Some(HUGE_BITS)).map_anon()
}

fn advised(octets: usize, advice: Advice) -> io::Result<MmapMut> {
    let memory = MmapMut::map_anon(octets)?;
    memory.advise(advice)?;
    Ok(memory)
}

/// Where the kernel is told how many huge pages to set aside.
const SET_ASIDE: &str = "/proc/sys/vm/nr_hugepages";

/// Huge pages that are set aside, beside those that were, until this is dropped.
#[derive(Debug)]
pub struct SetAside {
    pages: usize,
}

impl SetAside {
    /// Sets aside what regions of so many octets need.
    ///
    /// # Panics
    /// If the user may not, or too little memory is free.
    #[must_use]
    pub fn for_regions(octets: impl IntoIterator<Item = usize>) -> Self {
        let pages = octets.into_iter().map(|octets| octets.div_ceil(1 << HUGE_BITS)).sum();
        let wanted = count() + pages;
        set_count(wanted).expect("huge pages are set aside by root: run this bench as root");
        let set_aside = Self { pages };
        assert!(count() >= wanted, "free some memory: {pages} huge pages cannot be set aside");
        set_aside
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        // It could be raised, so it can be lowered; and a bench that panics should not panic twice.
        let _ = set_count(count().saturating_sub(self.pages));
    }
}

fn count() -> usize {
    let count = fs::read_to_string(SET_ASIDE).expect("the kernel has huge pages");
    count.trim().parse().expect("a count is a number")
}

fn set_count(pages: usize) -> io::Result<()> {
    fs::write(SET_ASIDE, pages.to_string())
}
