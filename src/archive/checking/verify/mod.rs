//! Comparing log, packs and index with each other and with what they promise. Changes nothing.
//!
//! - [`run`]: the verb, [`selection`]: the verb for some entries; [`report`]: what it finds;
//!   [`record`]: that on record;
//! - [`log_check`], [`evidence_check`], [`contents`], [`index_check`]: the parts of the look.

mod contents;
mod evidence_check;
pub(in crate::archive) mod index_check;
mod log_check;
mod record;
pub(in crate::archive) mod report;
mod run;
mod selection;

pub use report::{
    Depth, EvidenceSummary, Finding, KnownLosses, SelectionChecked, Timestamped, VerifyReport,
};
