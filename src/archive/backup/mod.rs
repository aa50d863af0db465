//! Makes backups of a store while it is written, checks them, and restores stores from them.
//!
//! A backup holds sealed files only, which never change once they have their name. A run seals the
//! journal first, so everything acknowledged before is in them. The file `BACKUP` lists what
//! belongs to the backup. It is replaced last and in one step, so the earlier backup stays whole
//! until the new one is.
//!
//! - [`make`]: the verbs;
//! - [`plan`]: what a run has to do, as a value; [`source`]: what the store holds;
//! - [`target`]: the folder of the backup; [`copy`]: one file; [`run`]: all of them, in order;
//! - [`check`]: is a backup whole; [`restore`]: a store out of it; [`folders`]: which folder is in
//!   which.

mod check;
mod copy;
mod damage;
mod folders;
mod make;
mod options;
mod outcome;
mod plan;
mod restore;
mod run;
mod source;
mod target;
#[cfg(test)]
mod tests;

pub use crate::archive::files::backup_marker::is_backup;
pub use check::verify_backup;
pub use options::{BackupCheck, BackupOptions, OnDamage, Stop};
pub use outcome::BackupOutcome;
pub use plan::{BackupPlan, PlannedFile, Why};
pub use restore::{RestoredStore, restore_store};
