//! `annals host`: runs the converter host, checks its configuration, shows its status.

mod arguments;
mod check;
mod configuration;
mod init;
mod listening;
mod run;
mod service;
mod single_pass;
mod status;
mod stores;
mod summary;
mod until_stopped;
mod verb;

pub(super) use arguments::Args;
pub(super) use verb::run;
