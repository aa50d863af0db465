//! The demonstration: a small plant, converters for it, and the story that is told on it.

mod builtin;
mod converters;
mod layout;
mod plant;
pub(crate) mod story;

pub(crate) use builtin::{Arguments, Kind, convert};
pub(crate) use converters::Runner;
pub(crate) use layout::lay_out;
