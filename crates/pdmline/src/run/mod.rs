//! `pdmline run`
mod activation;
mod eal;
mod memory;
mod preflight;
mod rules;
mod signals;
