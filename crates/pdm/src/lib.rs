//! (being written)
mod time;
pub use time::{Attos, ScaledTime};
