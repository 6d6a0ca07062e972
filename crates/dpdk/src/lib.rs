//! A small safe layer over DPDK: EAL as a guard, buffer pools, ports and their queues, owning buffers, workers on
//! cores, telemetry, and the time stamp counter as a clock. It implements what `dataplane` asks of packets, queues and
//! clocks.
//!
//! It is not a general binding: what pdmline does not need is not here. It knows nothing of PDM, of flows, or of
//! configuration files, and prints nothing.
//!
//! Whatever comes out of EAL borrows the [`Eal`] guard, so nothing outlives it. Receiving, transmitting and the
//! accessors of [`Mbuf`] neither allocate nor lock, log or call the system.

#![allow(unsafe_code, reason = "this crate is where DPDK's C interface is made safe")]

mod calibration;
mod clock;
pub mod cores;
mod device;
mod eal;
mod error;
pub mod fanout;
mod interface;
mod log;
mod mbuf;
mod packet_sockets;
mod pool;
mod port;
mod queue;
mod ring;
mod spread;
mod steering;
mod telemetry;
mod version;
mod worker;

pub use calibration::{Calibration, Reading};
pub use clock::{Calibrator, TscClock};
pub use eal::Eal;
pub use error::Error;
pub use interface::Interface;
pub use mbuf::{Mbuf, free};
pub use pool::{HEADROOM, Pool, PoolConfig};
pub use port::{Port, PortConfig, Stats};
pub use queue::{QueuePair, Queues, RxQueue, TxQueue};
pub use ring::{Joint, joined};
pub use spread::{Spread, SpreadHash};
pub use steering::Steering;
pub use telemetry::{Dictionary, Telemetry, Value};
pub use version::Version;
pub use worker::{Scope, Worker};
