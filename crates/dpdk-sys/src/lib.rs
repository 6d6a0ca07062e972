//! DPDK's C interface as bindgen sees it: the functions the `dpdk` crate calls and the types they need. Nothing here
//! is written by hand, nothing is safe to call without reading DPDK's own documentation, and nobody but the `dpdk`
//! crate uses it.
//!
//! Inline functions go through wrappers compiled with full optimisation; `build.rs` holds the list of what is bound.

#![allow(
    clippy::all,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
