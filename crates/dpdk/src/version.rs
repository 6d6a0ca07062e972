//! Which DPDK: the one that this program was built with, and the one that it runs with.

use std::fmt;

use crate::Error;

/// A version of DPDK: a release, such as 22.11, and how many times it was corrected since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    year: u32,
    month: u32,
    minor: u32,
}

impl Version {
    /// The one whose headers this program was built with.
    pub const BUILT_WITH: Self =
        Self { year: dpdk_sys::RTE_VER_YEAR, month: dpdk_sys::RTE_VER_MONTH, minor: dpdk_sys::RTE_VER_MINOR };

    /// The one whose libraries run.
    #[must_use]
    pub fn running() -> Self {
        // SAFETY: they return constants, with or without EAL.
        unsafe {
            Self {
                year: dpdk_sys::rte_version_year(),
                month: dpdk_sys::rte_version_month(),
                minor: dpdk_sys::rte_version_minor(),
            }
        }
    }

    /// Refuses to go on if a program that was built with `self` cannot work with `running`: inline functions and layouts
    /// of headers are part of it, and stay as they are within a release only.
    pub(crate) fn must_fit(self, running: Self) -> Result<(), Error> {
        if (self.year, self.month) == (running.year, running.month) {
            return Ok(());
        }
        Err(Error::OtherRelease { built_with: self, running })
    }
}

/// As DPDK has it: `DPDK 22.11.11`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DPDK {}.{:02}.{}", self.year, self.month, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(year: u32, month: u32, minor: u32) -> Version {
        Version { year, month, minor }
    }

    #[test]
    fn tests_run_with_the_dpdk_they_were_built_with() {
        assert_eq!(Version::running(), Version::BUILT_WITH);
        // SAFETY: a string constant of the library's.
        let name = unsafe { std::ffi::CStr::from_ptr(dpdk_sys::rte_version()) };
        assert_eq!(Version::running().to_string(), name.to_str().unwrap());
    }

    #[test]
    fn corrections_of_a_release_fit_and_other_releases_do_not() {
        let built_with = version(22, 11, 11);
        for running in [version(22, 11, 11), version(22, 11, 0), version(22, 11, 12)] {
            assert!(built_with.must_fit(running).is_ok(), "{running}");
        }
        for running in [version(22, 7, 11), version(23, 11, 11), version(24, 11, 4)] {
            assert!(built_with.must_fit(running).is_err(), "{running}");
        }
    }

    #[test]
    fn a_misfit_says_what_to_do() {
        let refused = version(24, 11, 4).must_fit(version(23, 7, 0)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "built with DPDK 24.11.4, this program cannot work with the libraries of DPDK 23.07.0 that it finds here: \
             build it anew on this machine, or give it those (LD_LIBRARY_PATH)"
        );
    }
}
