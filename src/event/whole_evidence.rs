//! The evidence of a promotion as answers have it.

use serde::{Serialize, Serializer};

use super::promotion::GateEvidence;
use crate::id::{EventSeq, Sha256};
use crate::query::recorded_filter;

/// Evidence as an answer has it: every field is there, and the selection is an object.
#[derive(Serialize)]
struct WholeEvidence<'a> {
    #[serde(serialize_with = "recorded_filter")]
    selection: &'a str,
    selected: u64,
    tried: u64,
    unchanged: u64,
    changed: u64,
    fixed: u64,
    broken: u64,
    still_failing: u64,
    first: u64,
    untried: u64,
    waived: u64,
    verdicts: Sha256,
    waivers: &'a [EventSeq],
}

/// Writes evidence as an answer has it.
pub(crate) fn whole_evidence<S: Serializer>(
    evidence: &GateEvidence,
    to: S,
) -> Result<S::Ok, S::Error> {
    let whole = WholeEvidence {
        selection: &evidence.selection,
        selected: evidence.selected,
        tried: evidence.tried,
        unchanged: evidence.unchanged,
        changed: evidence.changed,
        fixed: evidence.fixed,
        broken: evidence.broken,
        still_failing: evidence.still_failing,
        first: evidence.first,
        untried: evidence.untried,
        waived: evidence.waived,
        verdicts: evidence.verdicts,
        waivers: &evidence.waivers,
    };
    whole.serialize(to)
}

/// As [`whole_evidence`]; null for none.
#[allow(clippy::ref_option, reason = "serde passes a reference")]
pub(crate) fn whole_evidence_if_any<S: Serializer>(
    evidence: &Option<GateEvidence>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match evidence {
        Some(evidence) => whole_evidence(evidence, to),
        None => to.serialize_none(),
    }
}
