//! (being written)
pub mod io;
pub use io::{BURST, Burst, Clock, NoHeadroom, Packet, Receive, Transmit};
