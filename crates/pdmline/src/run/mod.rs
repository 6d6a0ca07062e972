//! `pdmline run`
mod activation;
mod eal;
mod preflight;
