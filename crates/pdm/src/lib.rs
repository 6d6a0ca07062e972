//! The protocol: IPv6 Performance and Diagnostic Metrics (PDM), RFC 8250.
//!
//! This crate reads and writes octets: the option and its scaled time, the walk through an IPv6 packet's headers to
//! the place where the option is or belongs, insertion, merging and stripping, and the reasons to leave a packet alone.
//! It knows no flows, no clock, no rules and no buffers but slices; it allocates nothing and panics on no input.
//!
//! A packet's way: [`ethernet::network_offset`], [`look`], then [`Insertion::plan`] and [`Insertion::apply`] (where
//! [`alone::suits`] says so, [`alone::insert`] does the same sooner), or [`PdmOption::read`] and [`strip`].

#![forbid(unsafe_code)]

pub mod alone;
pub mod ethernet;
mod insert;
mod look;
mod option;
mod psn;
mod skip;
mod splice;
mod strip;
mod time;
mod tlv;

pub use insert::{Insertion, Limits};
pub use look::{Layout, Look, Marked, PdmAt, Ports, find_pdm, look, protocol};
pub use option::{PDM_OPTION_LEN, PDM_OPTION_TYPE, PdmOption};
pub use psn::Psn;
pub use skip::Skip;
pub use strip::strip;
pub use time::{Attos, ScaledTime};
