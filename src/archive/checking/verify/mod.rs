//! Comparing log, packs and index with each other and with what they promise. Changes nothing.
//!
//! - [`run`]: the verb; [`report`]: what it finds;
//! - [`log_check`], [`evidence_check`], [`contents`], [`index_check`]: the parts of the look.

mod contents;
mod evidence_check;
pub(in crate::archive) mod index_check;
mod log_check;
pub(in crate::archive) mod report;
mod run;

pub use report::{Depth, EvidenceSummary, Finding, KnownLosses, VerifyReport};
