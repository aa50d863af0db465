//! `annals reprocess`: runs converters again on archived sources and shows what changes.

mod arguments;
mod job;
mod outcome;
mod plan;
mod verb;

pub(super) use arguments::{Args, Speed};
pub(super) use verb::{configuration, resume, retry, run};
