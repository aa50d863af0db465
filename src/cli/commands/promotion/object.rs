//! Promotions and waivers as JSON objects.

use serde::Serialize;

use crate::archive::{Promotion, Waiver};
use crate::event::{EntryRanges, GateEvidence};
use crate::id::{ConverterId, EventSeq};
use crate::service::time::Zone;
use crate::time::Timestamp;

/// A promotion as one JSON object.
#[derive(Serialize)]
pub(super) struct PromotionObject<'a> {
    event: EventSeq,
    at: Timestamp,
    by: &'a str,
    converter: &'a str,
    converter_id: ConverterId,
    before: Option<ConverterId>,
    grounds: &'static str,
    reason: &'a str,
    evidence: Option<&'a GateEvidence>,
}

impl<'a> PromotionObject<'a> {
    pub(super) fn of(promotion: &'a Promotion, zone: &Zone) -> Self {
        let fact = &promotion.fact;
        Self {
            event: promotion.event,
            at: zone.exact(promotion.at),
            by: &promotion.by.id,
            converter: &fact.converter,
            converter_id: fact.converter_id,
            before: fact.before,
            grounds: fact.grounds.name(),
            reason: &fact.reason,
            evidence: fact.evidence.as_ref(),
        }
    }
}

/// A waiver as one JSON object.
#[derive(Serialize)]
pub(super) struct WaiverObject<'a> {
    waiver: EventSeq,
    at: Timestamp,
    by: &'a str,
    candidate: Option<ConverterId>,
    until: Option<Timestamp>,
    entries: Option<&'a EntryRanges>,
    filter: Option<&'a str>,
    cause: Option<&'a str>,
    reason: &'a str,
    revoked_by: Option<EventSeq>,
}

impl<'a> WaiverObject<'a> {
    pub(super) fn of(waiver: &'a Waiver, zone: &Zone) -> Self {
        let fact = &waiver.fact;
        Self {
            waiver: waiver.event,
            at: zone.exact(waiver.at),
            by: &waiver.by.id,
            candidate: fact.candidate,
            until: fact.until.map(|until| zone.exact(until)),
            entries: Some(&fact.entries).filter(|entries| !entries.is_empty()),
            filter: fact.filter.as_deref(),
            cause: fact.cause.as_deref(),
            reason: &fact.reason,
            revoked_by: waiver.revoked,
        }
    }
}
