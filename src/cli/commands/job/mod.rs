//! `annals job`: shows reprocess jobs, and pauses, resumes and cancels them.

mod changes;
mod list;
mod retry;
mod show;
mod state;
mod verb;
mod watch;

pub(crate) use verb::{Args, run};
