//! `annals job`: shows reprocess jobs, and pauses, resumes and cancels them.

mod changes;
mod failures;
mod list;
mod object;
mod retry;
mod show;
mod verb;
mod watch;

pub(crate) use verb::{Args, run};
