//! Running converters again: what is asked, the plan of it, and the threads that do it.

mod changes_object;
mod findings;
mod plans;
mod preview;
mod request;
mod runner;
mod selection;
mod stepping;

pub use changes_object::{ChangesObject, Example, PlaceObject};
pub use findings::{Findings, OutcomeObject};
pub use plans::{FrozenPlan, PlanObject, Planned, Plans};
pub use preview::{Preview, PreviewEnd, PreviewObject};
pub use request::{JobRequest, Speed, configured_converters, options_of};
pub use runner::JobRunner;
pub use selection::{named, refuse_unknown, selection};
pub use stepping::{ChangeGroup, ShownReport, Stepped, configured, identity_now, step};
