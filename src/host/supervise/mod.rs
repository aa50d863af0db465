//! The host at work: starts and ends its threads, looks into the folders, reloads its configuration.

pub(super) mod configure;
pub(super) mod health;
pub(super) mod retention_worker;
pub(super) mod run;

#[cfg(all(test, unix))]
mod tests;
