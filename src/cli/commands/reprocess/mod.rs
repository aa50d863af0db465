//! `annals reprocess`: converters again, over any selection, and what that changes.

mod arguments;
mod job;
mod options;
mod outcome;
mod plan;
mod selection;
mod verb;

pub(super) use arguments::Args;
pub(super) use verb::run;
