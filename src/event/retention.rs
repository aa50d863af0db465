//! Facts about holds, purges and compaction.

use serde::{Deserialize, Serialize};

use crate::entry::Part;
use crate::id::{AttemptNo, EntryId, EventSeq, PackId};
use crate::query::Filter;
use crate::time::Timestamp;

/// Entry ids as ascending, disjoint, inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryRanges(Vec<(EntryId, EntryId)>);

impl EntryRanges {
    /// Returns the ranges that contain exactly `ids`, which may come in any order.
    pub fn of(ids: impl IntoIterator<Item = EntryId>) -> Self {
        let mut ids: Vec<EntryId> = ids.into_iter().collect();
        ids.sort_unstable();
        let mut ranges: Vec<(EntryId, EntryId)> = Vec::new();
        for id in ids {
            match ranges.last_mut() {
                Some((_, last)) if id.0 <= last.0.saturating_add(1) => *last = id,
                _ => ranges.push((id, id)),
            }
        }
        Self(ranges)
    }

    /// Returns the ranges, ascending.
    pub fn ranges(&self) -> &[(EntryId, EntryId)] {
        &self.0
    }

    /// Returns the same ids in parts of at most `most` ranges.
    pub(crate) fn parts(&self, most: usize) -> impl Iterator<Item = Self> + '_ {
        self.0.chunks(most).map(|part| Self(part.to_vec()))
    }

    /// Returns true when the ranges contain no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true when `id` is in one of the ranges.
    pub fn contains(&self, id: EntryId) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= id);
        after > 0 && id <= self.0[after - 1].1
    }

    /// Returns every number in the ranges, ascending. Ranges from a log may be absurdly wide, so
    /// the caller must bound the iteration.
    pub fn iter(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.0
            .iter()
            .flat_map(|(first, last)| (first.0..=last.0).map(EntryId))
    }
}

/// See [`Body::HoldPlaced`](crate::event::Body::HoldPlaced).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldPlaced {
    /// The hold's name. An entry may have several holds.
    pub name: String,
    /// Why.
    pub reason: String,
    /// On which entries.
    pub entries: EntryRanges,
    /// When somebody is to look whether the hold is still needed. It never releases anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Timestamp>,
    /// Also on every entry from the first later event after which it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future: Option<Filter>,
}

/// See [`Body::HoldReviewed`](crate::event::Body::HoldReviewed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldReviewed {
    /// The hold's name.
    pub name: String,
    /// Why it stays.
    pub reason: String,
    /// When somebody is to look again.
    pub review: Timestamp,
}

/// See [`Body::HoldReleased`](crate::event::Body::HoldReleased).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldReleased {
    /// The hold's name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// See [`Body::PurgePlanned`](crate::event::Body::PurgePlanned).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgePlanned {
    /// The id of the plan: a digest of its content.
    pub plan_id: String,
    /// The newest event the plan took into account.
    pub at_seq: EventSeq,
    /// The time the rules were applied for.
    pub effective_now: Timestamp,
    /// The rules, in words.
    pub rules: Vec<String>,
    /// Number of entries to purge.
    pub count: u64,
    /// Number of parts that go of entries that stay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parts: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Number of entries that a rule selected but a hold kept.
    pub held_skipped: u64,
    /// Number of entries that a rule selected but that stay because they wait to be converted, or
    /// their reports to be submitted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_skipped: u64,
    /// Number of entries that a rule selected but a retention lock kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub locked_skipped: u64,
    /// Why, in a person's words.
    pub reason: String,
    /// Until when the purge can be undone; absent when it is final at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<Timestamp>,
}

/// See [`Body::PurgedEntries`](crate::event::Body::PurgedEntries). A large purge is recorded as
/// several events, each complete by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgedEntries {
    /// The plan that was carried out.
    pub plan_id: String,
    /// The rule that selected these entries.
    pub rule: String,
    /// The class of the policy that the rule belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The retention locks that were bypassed for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypassed: Vec<String>,
    /// What of them went; the entries themselves if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartName>,
    /// The newest attempt whose reports went, if only reports did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<AttemptNo>,
    /// Why, in a person's words.
    pub reason: String,
    /// The entries.
    pub entries: EntryRanges,
    /// How many they are.
    pub count: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Until when the purge can be undone; absent when it is final at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<Timestamp>,
}

/// See [`Body::PurgeUndone`](crate::event::Body::PurgeUndone). A large purge is undone by several
/// events, each complete by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgeUndone {
    /// The plan that had been carried out.
    pub plan_id: String,
    /// Why, in a person's words.
    pub reason: String,
    /// The entries that are back.
    pub entries: EntryRanges,
    /// How many they are.
    pub count: u64,
}

/// See [`Body::PurgeFinalized`](crate::event::Body::PurgeFinalized). A large purge is finalized by
/// several events, each complete by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgeFinalized {
    /// The plan that was carried out.
    pub plan_id: String,
    /// Why somebody did not wait for the end of the grace period; absent when it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entries whose bytes go.
    pub entries: EntryRanges,
    /// How many they are.
    pub count: u64,
}

impl PurgedEntries {
    /// Returns what of the entries went.
    pub fn what(&self) -> Part {
        let through = self.through.unwrap_or(AttemptNo(u32::MAX));
        match self.part {
            None => Part::Entry,
            Some(PartName::Source) => Part::Source,
            Some(PartName::Reports) => Part::Reports { through },
            Some(PartName::Superseded) => Part::Superseded { through },
        }
    }
}

/// The name of a part that goes while the rest of an entry stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartName {
    /// The source.
    Source,
    /// Reports.
    Reports,
    /// Reports that later attempts replaced.
    Superseded,
}

impl PartName {
    /// Returns the name of `part`; `None` for the whole entry.
    pub const fn of(part: Part) -> Option<Self> {
        match part {
            Part::Entry => None,
            Part::Source => Some(Self::Source),
            Part::Reports { .. } => Some(Self::Reports),
            Part::Superseded { .. } => Some(Self::Superseded),
        }
    }
}

/// See [`Body::Compacted`](crate::event::Body::Compacted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compacted {
    /// Packs that are not needed once this event is recorded.
    pub removed: Vec<PackId>,
    /// Packs that hold the live content of the removed ones.
    pub written: Vec<PackId>,
    /// Bytes by which the store shrinks.
    pub bytes_freed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}
