//! Promotions and waivers as JSON objects.

use serde::Serialize;

use crate::archive::{Promotion, Waiver};
use crate::event::{ConverterRegistered, EntryRanges, GateEvidence, whole_evidence};
use crate::id::{ConverterId, EventSeq};
use crate::query::recorded_filter;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// The evidence of a promotion, with every field.
#[derive(Debug, Serialize)]
struct WholeEvidence<'a>(#[serde(serialize_with = "whole_evidence")] &'a GateEvidence);

/// A promotion as one JSON object.
#[derive(Debug, Serialize)]
pub struct PromotionObject<'a> {
    /// The event that recorded it.
    event: EventSeq,
    /// When.
    at: Timestamp,
    /// Who.
    by: &'a str,
    /// The converter.
    converter: &'a str,
    /// The identity that is current since.
    converter_id: ConverterId,
    /// The identity that was current before.
    before: Option<ConverterId>,
    /// Whether a test, a person or the first run decided.
    grounds: &'static str,
    /// Why.
    reason: &'a str,
    /// What the test found.
    evidence: Option<WholeEvidence<'a>>,
}

impl<'a> PromotionObject<'a> {
    /// Returns the object of a promotion, with its time in `zone`.
    pub fn of(promotion: &'a Promotion, zone: &Zone) -> Self {
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
            evidence: fact.evidence.as_ref().map(WholeEvidence),
        }
    }
}

/// The filter of a waiver, as an object.
#[derive(Debug, Serialize)]
struct RecordedFilter<'a>(#[serde(serialize_with = "recorded_filter")] &'a str);

/// A waiver as one JSON object.
#[derive(Debug, Serialize)]
pub struct WaiverObject<'a> {
    /// The event that recorded it.
    waiver: EventSeq,
    /// When.
    at: Timestamp,
    /// Who.
    by: &'a str,
    /// The only identity that it is for.
    candidate: Option<ConverterId>,
    /// When it ends.
    until: Option<Timestamp>,
    /// The entries that it is for.
    entries: Option<&'a EntryRanges>,
    /// The filter of the entries that it is for.
    filter: Option<RecordedFilter<'a>>,
    /// The words of the errors that it is for.
    cause: Option<&'a str>,
    /// Why.
    reason: &'a str,
    /// The event that revoked it.
    revoked_by: Option<EventSeq>,
}

impl<'a> WaiverObject<'a> {
    /// Returns the object of a waiver, with its times in `zone`.
    pub fn of(waiver: &'a Waiver, zone: &Zone) -> Self {
        let fact = &waiver.fact;
        Self {
            waiver: waiver.event,
            at: zone.exact(waiver.at),
            by: &waiver.by.id,
            candidate: fact.candidate,
            until: fact.until.map(|until| zone.exact(until)),
            entries: Some(&fact.entries).filter(|entries| !entries.is_empty()),
            filter: fact.filter.as_deref().map(RecordedFilter),
            cause: fact.cause.as_deref(),
            reason: &fact.reason,
            revoked_by: waiver.revoked,
        }
    }
}

/// What is recorded of a converter: promotions, waivers and identities.
#[derive(Debug, Serialize)]
pub struct ConverterObject<'a> {
    /// Its name.
    converter: &'a str,
    /// The identity that was promoted last.
    current: Option<ConverterId>,
    /// The promotions, the oldest first.
    promotions: Vec<PromotionObject<'a>>,
    /// The waivers, the oldest first.
    waivers: Vec<WaiverObject<'a>>,
    /// The identities that can be promoted.
    identities: Vec<Identity<'a>>,
}

/// An identity that is recorded, and so can be promoted.
#[derive(Debug, Serialize)]
struct Identity<'a> {
    converter_id: ConverterId,
    version: Option<&'a str>,
    environment: &'a str,
}

impl<'a> ConverterObject<'a> {
    /// Returns the object of a converter, with times in `zone`. `recorded` are its identities.
    pub fn new(
        converter: &'a str,
        current: Option<ConverterId>,
        promotions: &'a [Promotion],
        waivers: &'a [Waiver],
        recorded: &'a [ConverterRegistered],
        zone: &Zone,
    ) -> Self {
        let promotions = promotions.iter();
        let waivers = waivers.iter();
        Self {
            converter,
            current,
            promotions: promotions
                .map(|one| PromotionObject::of(one, zone))
                .collect(),
            waivers: waivers.map(|one| WaiverObject::of(one, zone)).collect(),
            identities: recorded.iter().map(Identity::of).collect(),
        }
    }
}

impl<'a> Identity<'a> {
    fn of(recorded: &'a ConverterRegistered) -> Self {
        Self {
            converter_id: recorded.converter_id,
            version: recorded.version.as_deref(),
            environment: &recorded.environment,
        }
    }
}
