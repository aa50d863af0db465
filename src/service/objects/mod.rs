//! The objects that programs get: what `--json` prints is what every door answers.

mod error;
mod event;
mod failure;
mod hold;
mod job;
mod job_failures;
mod personal;
mod promotion;
mod ran_on;
mod reasons;
mod shown_entry;
mod source_file;
mod stats;
mod timeline;
mod why;

pub use error::ErrorObject;
pub use event::{Envelope, EventTypes, bare, revealed};
pub use failure::{FailureObject, command_for};
pub use hold::HoldObject;
pub use job::{JobObject, JobWithFailures, ShownJob};
pub use job_failures::{CauseOfFailures, EntryFailure, Failures};
pub use personal::{Personal, personal_gone, personal_values};
pub use promotion::{ConverterObject, PromotionObject, WaiverObject};
pub use ran_on::{RanOn, ran_on, ran_on_lines};
pub use reasons::{Kind, Kinds};
pub use shown_entry::ShownEntry;
pub use source_file::SourceFile;
pub use stats::{By, Doubts, StatsObject};
pub use timeline::{Moment, TimelinePart, timeline};
pub use why::{WhyObject, conclusion, why_kept};
