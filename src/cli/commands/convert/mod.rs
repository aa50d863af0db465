//! `annals convert`: runs one conversion by hand, or tests a new identity of a converter.

mod configured;
mod gate;
mod result;
mod unrecorded;
mod verb;

pub(super) use verb::{Args, run};
