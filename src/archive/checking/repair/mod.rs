//! Repair: what a damaged store is made of again, shown before it is done. Nothing is ever deleted:
//! what is replaced is kept in `quarantine/`, what cannot be brought back is recorded as lost.
//!
//! - [`examine`]: what has to be done, out of all that can still be read;
//! - [`inventory`], [`undo`]: what can be taken back, and taking it back;
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
