//! Tests of the `annals` program as people and scripts use it: verbs, owners, evidence, dates.
//!
//! One program, because linking one for each file takes longer than running most of them. Nothing
//! here may change the environment or the folder of its own process.

#[cfg(unix)]
#[path = "../support/ending.rs"]
mod ending;

mod commands;
mod dates;
mod documents;
mod evidence;
mod help;
mod hostile_store;
mod interrupted;
mod json;
#[cfg(target_os = "linux")]
mod outputs;
mod owner;
mod printed_commands;
#[cfg(unix)]
mod terminal;
mod timestamps;
