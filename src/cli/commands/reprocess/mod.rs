//! `annals reprocess`: runs converters again on archived sources and shows what changes.

mod arguments;
mod job;
mod options;
mod outcome;
mod plan;
mod selection;
mod verb;

pub(super) use crate::service::entry::configured_rules;
pub(super) use arguments::{Args, Speed};
pub(super) use verb::{configuration, resume, retry, run};
