//! `annals promotion`: shows which identities of converters are current, and changes that.

mod change;
mod show;
mod verb;
mod waive;

pub(super) use verb::{Args, run};
