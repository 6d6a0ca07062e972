//! The loop: a burst comes in, is looked at, rewritten, and goes out.
//!
//! [`Engine`] does to a burst what RFC 8250 and the rules ask for; [`Worker`] moves bursts between queues through it.
//! Both stand on the traits of [`io`], so they run on DPDK's buffers and on the heap's ([`memory`]) alike, and never see
//! DPDK itself. Time comes from a [`Clock`] that the caller brings. After start nothing here allocates, locks, logs or,
//! with idle polling set to spin, calls the system.

#![forbid(unsafe_code)]

mod engine;
mod handover;
mod io;
pub mod memory;
mod owners;
mod profile;
mod rules;
mod telling;
mod worker;

pub use engine::{Arrival, Engine, Pair};
pub use handover::{Mailbox, WorkerId, mailboxes};
pub use io::{BURST, Burst, Clock, LONGEST, NoHeadroom, Packet, Receive, Transmit, room};
pub use owners::Owners;
pub use profile::{Profile, Profiled, Unprofiled};
pub use rules::{Action, Prefix, Protocol, Rule, Rules};
pub use telling::{FlowListener, Listening, Telling};
pub use worker::{Idle, Outlet, Way, Worker};
