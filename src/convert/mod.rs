//! Converters: what they are, how they are run, what one run says, and how two runs differ.
//!
//! A converter is any program. It is given a private copy of one source and answers with a report.
//! On standard output a one-shot converter writes one JSON value. It is an *answer* when it is an
//! object that has a `status`, in whatever letters; a `report`, `reports`, `retry_after_s` or
//! `post_action`; an `error` that says something; or nothing but complaints. Every other object,
//! and every array, is a *bare report*. A worker answers one line for each line it is given. What
//! an answer leaves unknown is a failure.
//!
//! Nothing here decides what happens to a watched file.

mod answer;
mod attempt;
mod blocked;
mod companions;
mod compare;
mod definition;
mod environment;
mod folder;
mod identity;
mod input;
mod json;
mod not_json;
mod orphans;
mod process;
mod protocol;
mod reprocess;
mod runner;
mod sandbox;
mod scratch;
mod spelling;
mod untried;
mod worker;

pub use attempt::{AttemptSummary, convert_entry, convert_path};
pub(crate) use attempt::{Terms, record, run_over};
pub use companions::Companions;
pub(crate) use companions::{Beside, Listing, Need, Pattern};
pub use compare::{Change, Difference, Verdict, compare, compare_reports};
pub use definition::{
    Arguments, Bounds, Converter, MASK, MissingSecret, Mode, Network, ParseRunAsError, RunAs,
    Sandbox, Takes,
};
pub(crate) use definition::{Secrets, expand};
pub use environment::missing_program;
pub(crate) use folder::{
    BEGINNING_BYTES, Item, Kind, Tarball, Tree, TreeError, archived_name, file_of, has_main_file,
    unpack,
};
pub(crate) use identity::is_bundle_name;
pub use json::{Json, Number, Text};
pub use orphans::adopt_orphans;
pub use process::Cancel;
pub(crate) use protocol::answer_for_report;
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
pub(crate) use spelling::suggest;
