//! The protocol between host and converter: requests, answers, and how answers are parsed.

mod answer;
mod conversion;
mod json;
mod not_json;
mod output;
mod spelling;

pub(super) use answer::read_answer;
pub use conversion::{Conversion, PostAction};
pub(super) use conversion::{EXCERPT_BYTES_MAX, WorkerRequest, excerpt};
pub(super) use json::pairs;
pub use json::{Json, Number, Text};
pub(super) use output::understand_failure;
pub(crate) use output::{answer_for_report, understand};
pub(crate) use spelling::suggest;
