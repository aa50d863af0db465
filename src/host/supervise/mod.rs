//! The host at work: starts and ends its threads, looks into the folders, reloads its configuration.

pub(super) mod retention_worker;
pub(super) mod run;
