//! Runs converters again over archived entries, and compares the results.

mod blocked;
mod by_serial;
mod changes;
mod choice;
mod choosing;
mod in_order;
mod job;
mod options;
mod pace;
mod plan;
mod result;
mod runners;
mod select;
mod step;
mod trial;
mod untried;
mod work;

pub use changes::{JobChange, job_changes, judge_attempts};
pub use job::{Begun, Ramp, begin, reprocess, reprocess_by_ramp};
pub use options::{Against, OnCancel, OnError, Params, Reprocess, Resend, Which};
pub use plan::{ConverterLabel, PlannedRun, PlannedSkip, ReprocessPlan, plan};
pub use result::{EntryError, ReprocessResult};
pub use select::{Selection, select};
pub use step::{Step, StepOutcome, StepResult};
pub use trial::{Trial, try_entry};
