//! The objects that programs get: what `--json` prints is what every door answers.

mod error;
mod event;
mod failure;
mod hold;
mod job;
mod job_failures;
mod promotion;
mod reasons;
mod stats;
mod why;

pub use error::ErrorObject;
pub use event::{Envelope, bare, is_of_type, revealed};
pub use failure::{FailureObject, command_for};
pub use hold::HoldObject;
pub use job::{JobObject, JobWithFailures, ShownJob};
pub use job_failures::{CauseOfFailures, EntryFailure, Failures};
pub use promotion::{ConverterObject, PromotionObject, WaiverObject};
pub use reasons::{Kind, Kinds};
pub use stats::{By, Doubts, StatsObject, totals_in};
pub use why::{WhyObject, conclusion, why_kept};
