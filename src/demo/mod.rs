//! The demonstration: a small plant, converters for it, and the story that is told on it.

pub(crate) mod builtin;
pub(crate) mod converters;
pub(crate) mod layout;
pub(crate) mod plant;
pub(crate) mod story;
