//! Repairs a damaged store, after showing what would be done. Nothing is deleted: replaced files
//! are kept in `quarantine/`, and losses are recorded as events.
//!
//! - [`examine`]: what has to be done, out of all that can still be read;
//! - [`inventory`], [`undo`]: undoing a repair;
//! - [`run`]: the verbs; [`plan`]: what a repair would do;
//! - [`act`]: the files, one by one through [`files`]; [`account`]: what the mended store still
//!   lacks, and the events that say so.

mod account;
mod act;
mod examine;
mod files;
mod inventory;
mod plan;
mod run;
mod undo;

pub use plan::{Mend, MendKind, RepairOutcome, RepairPlan};
pub use run::Repair;
pub use undo::{PutBack, RepairUndo, UndoPlan};
