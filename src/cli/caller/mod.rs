//! The caller of a run: its process environment, and its streams.

mod env;
mod streams;

pub(super) use env::{CallerEnv, absolute, zone_name};
pub use streams::{Stdin, Streams};
