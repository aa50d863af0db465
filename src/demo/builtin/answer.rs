//! Converts one file and returns the answer of the converter protocol.

use serde::Serialize;
use serde_json::Value;

use super::kind::Kind;
use super::source::{Arguments, Refusal, Source, Unit};
use super::{ict, jsonl, junit};

/// Converts `data` and returns the protocol's answer as one line of JSON.
///
/// Every input has an answer, whatever its bytes are.
pub(crate) fn convert(kind: Kind, arguments: &Arguments, data: &[u8]) -> String {
    let source = Source { data, arguments };
    let mut unit = Unit::default();
    let result = match kind {
        Kind::Ict => ict::convert(&source, &mut unit, ict::Reading::Records),
        Kind::IctV1 => ict::convert(&source, &mut unit, ict::Reading::AllButTwoLines),
        Kind::Junit => junit::convert(&source, &mut unit),
        Kind::Jsonl => jsonl::convert(&source, &mut unit),
    };
    let (status, report, error) = match result {
        Ok(report) => ("success", Some(report), None),
        Err(Refusal::Failed(error)) => ("failed", None, Some(error)),
        Err(Refusal::Rejected(error)) => ("rejected", None, Some(error)),
        Err(Refusal::Skipped(error)) => ("skipped", None, Some(error)),
    };
    let answer = Answer {
        status,
        report,
        error,
        unit,
    };
    serde_json::to_string(&answer).expect("text keys and finite numbers are always JSON")
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    report: Option<Value>,
    error: Option<String>,
    #[serde(flatten)]
    unit: Unit,
}
