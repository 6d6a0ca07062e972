//! What the whole-system tests in `tests/tests/` stand on: the vectors, tshark, and a rig of network namespaces with
//! kernel hosts on both sides of the appliance.
//!
//! Everything here drives the real binary from outside, as a user would; nothing here knows how it works inside.
//! It is not a library for anything but these tests, and those unit tests that need something of the machine. Functions fail with an error that tells what to look at, which the
//! test that called them shows.

pub mod appliance;
pub mod capture;
pub mod delay_line;
pub mod exchange;
pub mod flood;
pub mod http;
pub mod hugepages;
pub mod lab;
pub mod namespace;
pub mod network;
pub mod program;
pub mod python;
pub mod requirement;
pub mod rig;
pub mod strace;
pub mod stream;
pub mod terminal;
pub mod tmpfs;
pub mod tools;
pub mod transfer;
pub mod tshark;
pub mod vectors;
