//! Tests of the converter host: watch folders, converters, sandboxes, reports, reprocessing.
//!
//! One program, because linking one for each file takes longer than running most of them. Each
//! module says which features it needs. Nothing here may change the environment or the folder of
//! its own process.

#[cfg(all(unix, feature = "cli"))]
#[path = "../support/plant.rs"]
mod plant;

mod archive;
mod checks;
mod cleared;
mod companions;
mod comparison;
mod converter_family;
mod daemon;
mod folders;
mod getting_started;
mod guards;
mod hostile_folder;
mod intake;
mod jobs;
mod outbox;
mod promotion;
mod recursive;
mod retention;
mod sandbox;
mod sandbox_account;
mod serial_order;
mod workers;
