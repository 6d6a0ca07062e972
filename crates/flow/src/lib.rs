//! Who is talking: flow keys, one worker's shard of the flow table, and the PDM state of a flow (RFC 8250, section 3.2).
//!
//! A [`Shard`] has a fixed capacity, chosen at start from the memory it is given, and belongs to one worker. This crate
//! knows packets only as [`pdm::Look`] and [`pdm::PdmOption`], and time only as what the caller passes in: no clock, no
//! rules, no buffers, no counters but the table's own. It allocates nothing.
//!
//! Octets of a shard's memory become entries through `zerocopy`; the one piece of `unsafe` is a prefetch.

mod entry;
mod error;
mod facts;
mod flow;
mod hash;
mod index;
mod key;
mod log;
mod loss;
mod measure;
mod past;
mod prefetch;
mod record;
mod shard;
mod survey;
mod table;
mod time;

pub use error::Error;
pub use flow::Flow;
pub use hash::{Hash, KeyHasher};
pub use key::{Ends, Key, PairId, Side, in_register};
pub use loss::Progress;
pub use measure::{Answer, ClockTolerance, RoundTrip};
pub use record::{Delay, Ended, Ending, FlowRecord};
pub use shard::{Census, FlowId, Full, Horizon, PsnStart, Settings, Shard, WhenFull};
pub use survey::{Survey, WorstBy};
pub use time::{Instant, Span, TickRate};
