//! Runs converters, reads their answers, and compares two runs.
//!
//! A converter is any program. It is given a private copy of one source and answers with a report.
//!
//! A one-shot converter writes one JSON value to standard output. The value is an *answer* when it
//! is an object that has
//!
//! - a `status`, in upper or lower case,
//! - a `report`, `reports`, `retry_after_s` or `post_action`,
//! - an `error` that is neither empty nor zero nor false, or
//! - nothing but complaints.
//!
//! Every other object, and every array, is a *bare report*. A worker answers one line for each line
//! it is given. An answer that does not say clearly how the conversion ended is a failure.
//!
//! This module does not decide what happens to a watched file.

mod compare;
mod converter;
mod folder;
mod gate;
mod guard;
mod identity_digits;
mod process;
mod protocol;
mod reprocess;
mod running;
mod sandbox;
mod scratch;

#[cfg(feature = "serve")]
pub(crate) use compare::parse_xml;
pub use compare::{
    Change, ChangeInContext, ChangeKind, ChangePattern, ChangeSummary, ChangedPlace, CompareRules,
    Counted, Difference, Focus, Generated, IgnoredByRule, Judgement, Level, ParsePatternError,
    ParseToleranceError, PathPattern, Proposal, ProposedRule, RuleBook, RuleError, Run, Sibling,
    Tolerance, Verdict, compare, compare_in_context, compare_reports, compare_with, judge,
};
pub use converter::{
    Arguments, Bounds, Companions, Converter, Expect, Expected, MASK, MissingSecret, Mode, Network,
    OnSuspicious, Order, ParseRunAsError, ParseSerialInNameError, RunAs, Sandbox, SerialInName,
    Takes,
};
pub(crate) use converter::{Beside, Listing, Need, Pattern, Secrets, expand};
pub(crate) use folder::{
    BEGINNING_BYTES, Item, Kind, Tarball, Tree, TreeError, archived_name, file_of, has_main_file,
    unpack,
};
pub use gate::{
    BrokenEntry, GateOptions, GateReport, GateVerdict, Waivers, gate, register, sample,
};
pub use guard::measure;
pub(crate) use guard::{examine, examine_alone};
pub use identity_digits::{IdentityDigits, ParseIdentityError};
pub use process::{Cancel, adopt_orphans};
#[cfg(feature = "testing")]
pub(crate) use protocol::understand;
pub use protocol::{Conversion, Json, Number, PostAction, Text};
pub(crate) use protocol::{answer_for_report, suggest};
pub use reprocess::{
    Against, Begun, ConverterLabel, EntryError, JobChange, OnCancel, OnError, Params, PlannedRun,
    PlannedSkip, Ramp, Reprocess, ReprocessPlan, ReprocessResult, Resend, Selection, Step,
    StepOutcome, StepResult, Trial, Which, begin, job_changes, judge_attempts, plan, reprocess,
    reprocess_by_ramp, select, try_entry,
};
pub use running::{
    AttemptSummary, EnvironmentCheck, Request, Runner, convert_entry, convert_path, identity_of,
    missing_program,
};
pub(crate) use running::{Session, Terms, is_bundle_name, record, run_on, run_over};
pub use sandbox::{Enforcement, be_launcher};
#[cfg(feature = "serve")]
pub(crate) use scratch::safe_name;
pub(crate) use scratch::{make_private, remove_abandoned};
