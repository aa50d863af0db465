//! Converters: what they are, how they are run, what one run says, and how two runs differ.
//!
//! A converter is any program. It is given a private copy of one source and answers with a report. On standard output
//! a one-shot converter writes one JSON value. It is an *answer* when it is an object whose `status` is `success`,
//! `failed`, `suspended`, `skipped` or `rejected`, and which either has a member only answers have (`report`, `reports`,
//! `error`, `warnings`, `retry_after_s`, `post_action`) or none that answers have not. Every other object, and every
//! array, is a *bare report*. A worker answers one line for each line it is given.
//!
//! Nothing here decides what happens to a watched file.

mod attempt;
mod companions;
mod compare;
mod definition;
mod folder;
mod identity;
mod input;
mod orphans;
mod process;
mod protocol;
mod reprocess;
mod runner;
mod sandbox;
mod scratch;
mod worker;

pub use attempt::{AttemptSummary, convert_entry, convert_path};
pub(crate) use attempt::{Terms, record, run_over};
pub use companions::Companions;
pub(crate) use companions::{Beside, Listing, Need, Pattern, folded};
pub use compare::{Change, Difference, Verdict, compare, compare_reports};
pub use definition::{Arguments, Bounds, Converter, MASK, MissingSecret, Mode, Sandbox, Takes};
pub(crate) use definition::{Secrets, expand};
pub(crate) use folder::{
    BEGINNING_BYTES, Item, Kind, Tarball, Tree, TreeError, archived_name, file_of, has_main_file,
    unpack,
};
pub(crate) use identity::is_bundle_name;
pub use orphans::adopt_orphans;
pub use process::Cancel;
#[cfg(feature = "testing")]
pub(crate) use protocol::understand;
pub use protocol::{Conversion, PostAction};
pub use reprocess::{
    ConverterLabel, EntryError, OnError, Params, PlannedRun, PlannedSkip, Ramp, Reprocess,
    ReprocessPlan, ReprocessResult, Resend, Selection, Step, StepOutcome, Which, plan, reprocess,
    reprocess_by_ramp, select,
};
pub(crate) use runner::Session;
pub use runner::{Request, Runner};
pub use sandbox::{Enforcement, be_launcher};
pub(crate) use scratch::{make_private, remove_abandoned};
