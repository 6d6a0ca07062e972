//! (being written)
mod time;
pub use time::{Instant, Span, TickRate};
