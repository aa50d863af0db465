//! Who asks for a run of the program: the process it was asked in, and its streams.

mod env;
mod streams;

pub(super) use env::{CallerEnv, absolute, zone_name};
pub use streams::{Stdin, Streams};
