//! `annals host init`: asks what a host needs to know, and writes a configuration that runs.

mod answers;
mod ask;
mod unit;
mod write;

pub(super) use write::init;
