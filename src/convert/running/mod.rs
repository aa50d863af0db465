//! Runs a converter over a source, one-shot or as a worker, and records the result.

mod attempt;
mod environment;
mod identity;
mod input;
mod request;
mod runner;
mod runs_on;
mod session;
mod worker;

pub(super) use attempt::milliseconds;
pub use attempt::{AttemptSummary, convert_entry, convert_path};
pub(crate) use attempt::{Terms, record, run_on, run_over};
pub(super) use environment::missing;
pub use environment::missing_program;
pub(super) use identity::Identity;
pub use identity::identity_of;
pub(crate) use identity::is_bundle_name;
pub use request::Request;
pub use runner::Runner;
pub use runs_on::EnvironmentCheck;
pub(super) use runs_on::{check, runs_on};
pub(crate) use session::Session;
