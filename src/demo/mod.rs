//! The demonstration: a small plant, its converters, and the commands that are shown on it.

mod builtin;
mod converters;
mod layout;
mod plant;
pub(crate) mod story;

pub(crate) use builtin::{Arguments, Kind, convert};
pub(crate) use converters::Runner;
pub(crate) use layout::lay_out;
