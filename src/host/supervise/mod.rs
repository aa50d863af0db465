//! Runs a host: starts and ends its threads, scans the folders, reloads the configuration.

pub(super) mod configure;
pub(super) mod gate_worker;
pub(super) mod health;
pub(super) mod idle_packing;
pub(super) mod job_worker;
mod retention_care;
pub(super) mod retention_worker;
pub(super) mod run;
pub(super) mod timestamp_worker;

#[cfg(all(test, unix))]
mod tests;
