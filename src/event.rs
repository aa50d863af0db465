//! Every kind of fact that can be recorded, with its versions. `format::leaf` converts events to
//! bytes.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::entry::{Meta, Outcome, Retention, Unit};
use crate::id::{
    AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, PackId, Sha256, StoreId,
};
use crate::setters::setters;
use crate::time::Timestamp;

/// One recorded fact with its place and circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Its position in the log. Events are ordered by this alone, never by time.
    pub seq: EventSeq,
    /// Wall time when it was recorded.
    pub time: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// The reading of the machine's monotonic clock.
    pub clock: ClockReading,
    /// The fact.
    pub body: Body,
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// A person, a service, or annals itself.
    pub kind: ActorKind,
    /// The account's name.
    pub id: String,
}

impl Actor {
    /// Returns the actor of this kind and name.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }

    /// Returns the actor for what annals does by itself.
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: "annals".to_owned(),
        }
    }
}

/// The kinds of [`Actor`], under their CloudEvents `authtype` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActorKind {
    /// A person at a keyboard.
    User,
    /// A program such as the converter host.
    ServiceAccount,
    /// annals itself.
    System,
}

/// A reading of the monotonic clock: within one boot, differences are trustworthy even when the
/// wall clock jumps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockReading {
    /// The id of the machine's current run.
    pub boot: String,
    /// Milliseconds since that run began.
    pub mono_ms: u64,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $variant:ident($data:ty) = $kind:literal,)*) => {
        /// The fact an event states, by its versioned type.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Body {
            $($(#[$doc])* $variant($data),)*
            /// An event type that this version does not know. It is kept verbatim and has no effect
            /// on the index.
            Unknown(Unknown),
        }

        impl Body {
            /// Returns the versioned type name.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(unknown) => &unknown.kind,
                }
            }

            /// Returns the fact's own members, as a JSON object.
            pub(crate) fn data_json(&self) -> serde_json::Result<String> {
                match self {
                    $(Self::$variant(data) => serde_json::to_string(data),)*
                    Self::Unknown(unknown) => Ok(unknown.data.clone()),
                }
            }

            /// Returns the fact of type `kind` in `data`, a JSON object.
            pub(crate) fn from_json(kind: &str, data: &str) -> serde_json::Result<Self> {
                Ok(match kind {
                    $($kind => Self::$variant(serde_json::from_str(data)?),)*
                    _ => Self::Unknown(Unknown {
                        kind: kind.to_owned(),
                        data: data.to_owned(),
                    }),
                })
            }
        }
    };
}

bodies! {
    /// The store was made; always event 1.
    StoreCreated(StoreCreated) = "annals.store.created.v1",
    /// A process began to write; recorded with its first other event.
    StoreOpened(StoreOpened) = "annals.store.opened.v1",
    /// From here on, another copy of the store continues the log.
    StoreContinued(StoreContinued) = "annals.store.continued.v1",
    /// A torn tail was cut when the store was opened.
    Recovered(Recovered) = "annals.recovered.v1",
    /// A stand-in for an event that was lost with its file; it has the lost event's number.
    Lost(Lost) = "annals.lost.v1",
    /// A damaged store was repaired.
    Repaired(Repaired) = "annals.repaired.v1",
    /// A source was archived; its sequence number is the entry's id.
    Archived(Archived) = "annals.archived.v1",
    /// A converter ran over an entry.
    Converted(Converted) = "annals.converted.v1",
    /// A report is about to be sent for the first time, or is to be sent again after it was
    /// rejected.
    SubmitIntended(SubmitIntended) = "annals.submit.intended.v1",
    /// A server refused a report.
    SubmitRejected(SubmitRejected) = "annals.submit.rejected.v1",
    /// A server accepted a report.
    Reported(Reported) = "annals.reported.v1",
    /// A converter's identity and bundle were recorded.
    ConverterRegistered(ConverterRegistered) = "annals.converter.registered.v1",
    /// The configuration changed.
    ConfigChanged(ConfigChanged) = "annals.config.changed.v1",
    /// Entries were put on hold.
    HoldPlaced(HoldPlaced) = "annals.hold.placed.v1",
    /// A hold was lifted.
    HoldReleased(HoldReleased) = "annals.hold.released.v1",
    /// A purge was planned: which entries, and by which rules.
    PurgePlanned(PurgePlanned) = "annals.purge.planned.v1",
    /// Entries were purged.
    PurgedEntries(PurgedEntries) = "annals.purged.v1",
    /// Dead bytes were reclaimed.
    Compacted(Compacted) = "annals.compacted.v1",
    /// A reprocess job began; its sequence number is the job's id.
    JobStarted(JobStarted) = "annals.job.started.v1",
    /// A reprocess job ended.
    JobFinished(JobFinished) = "annals.job.finished.v1",
}

/// An event of a type this version does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unknown {
    /// Its type.
    pub kind: String,
    /// Its data, exactly as in the leaf.
    pub data: String,
}

/// See [`Body::StoreCreated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreCreated {
    /// The store's id, which never changes.
    pub store: StoreId,
    /// Version of the on-disk format.
    pub format: u16,
    /// Version of the program.
    pub program: String,
}

/// See [`Body::StoreOpened`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreOpened {
    /// Version of the program.
    pub program: String,
    /// Name of the machine.
    pub host: String,
    /// Process number.
    pub pid: u32,
    /// When an event counts as durable; always "group-fdatasync" for now.
    pub sync: String,
}

/// See [`Body::StoreContinued`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreContinued {
    /// What this copy was made from.
    pub from: ContinuedFrom,
    /// The last event that both copies share.
    pub event: EventSeq,
    /// The root of the hash tree over all events up to that one, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Sha256>,
    /// Name of the machine the other copy was on.
    pub host: String,
    /// Folder the other copy was in.
    pub folder: String,
    /// Name of the machine this copy is on.
    pub at_host: String,
    /// Folder this copy is in.
    pub at_folder: String,
}

/// What a copy of a store was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContinuedFrom {
    /// A backup, by `restore-store`.
    Backup,
    /// The store's own files, copied or moved.
    Copy,
}

/// See [`Body::Recovered`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recovered {
    /// The journal file.
    pub journal: String,
    /// Where the torn bytes began.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
    /// Digest of the bytes that were cut.
    pub sha256: Sha256,
    /// Where the cut bytes are kept, relative to the store. Absent when the disk was full.
    pub quarantine: Option<String>,
}

/// See [`Body::Lost`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The file that should have held it.
    pub file: String,
    /// True when the file written last is gone. Then it is unknown whether this event existed and
    /// whether others followed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub and_later: bool,
}

/// See [`Body::Repaired`]. A large repair is recorded as several events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repaired {
    /// Files that were replaced or taken out, as they were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<RepairedFile>,
    /// Lost events, as ascending inclusive ranges. In place of each is a [`Body::Lost`], or its own
    /// line that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<(EventSeq, EventSeq)>,
    /// True when the journal file written last was gone. What it held after the last of the lost
    /// events is lost, and how much that was is unknown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end_is_lost: bool,
    /// Content that entries name and that no longer exists anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<BlobId>,
    /// Entries made from content whose own events are among the lost ones.
    #[serde(default, skip_serializing_if = "EntryRanges::is_empty")]
    pub found: EntryRanges,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A file in the state before a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepairedFile {
    /// Its path relative to the store.
    pub path: String,
    /// Where its bytes are kept, relative to the store. Absent when there was no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
}

/// Where a source came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// File name; bytes that are not UTF-8 stand as U+FFFD.
    pub name: String,
    /// Full path; bytes that are not UTF-8 stand as U+FFFD.
    pub path: String,
    /// The bytes of the name in hexadecimal, where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_hex: Option<String>,
    /// Modification time. A time outside the years 0000 to 9999 is replaced by the nearest one
    /// inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Modification time in whole seconds since 1970, where `modified` cannot express it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_s: Option<i64>,
}

setters! { Source {
    /// Sets the file name.
    name: into [String];
    /// Sets the full path.
    path: into [String];
    /// Sets the bytes of a name that is not UTF-8, in hexadecimal.
    name_hex: some [String];
    /// Sets the modification time.
    modified: opt [Timestamp];
    /// Sets the modification time in seconds since 1970, where `modified` cannot tell it.
    modified_s: opt [i64];
} }

impl Source {
    /// Records when a file was modified, whatever time its file system reports.
    pub fn set_modified(&mut self, time: SystemTime) {
        let told = Timestamp::from(time);
        self.modified = Some(told);
        let is_outside = told <= Timestamp::MIN || told >= Timestamp::MAX;
        self.modified_s = is_outside.then(|| whole_seconds(time));
    }
}

/// Returns the seconds since 1970, rounded down.
fn whole_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            0_i64
                .saturating_sub_unsigned(before.as_secs())
                .saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

/// A blob an event names, with both digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// The blob's id.
    pub blake3: BlobId,
    /// The digest auditors can check.
    pub sha256: Sha256,
    /// Bytes of its plaintext.
    pub size: u64,
}

/// See [`Body::Archived`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Archived {
    /// The converter the source is meant for.
    pub converter: String,
    /// The version that converter claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_version: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// Its content.
    pub blob: BlobRef,
    /// Bytes the content takes in the store, as first written.
    pub stored_size: u64,
    /// True when the content was in the store already.
    pub duplicate: bool,
    /// What is known of the unit.
    #[serde(default, skip_serializing_if = "Unit::is_empty")]
    pub unit: Unit,
    /// Free facts.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    /// The converter's arguments, secret ones masked.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub arguments: Meta,
    /// How long it is kept.
    #[serde(default)]
    pub retention: Retention,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// See [`Body::Converted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Converted {
    /// The entry it ran over.
    pub entry: EntryId,
    /// Which of the entry's attempts this is.
    pub attempt: AttemptNo,
    /// How it ended.
    pub outcome: Outcome,
    /// The converter's name.
    pub converter: String,
    /// The version it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_version: Option<String>,
    /// The identity of the converter that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_id: Option<ConverterId>,
    /// Its arguments, secret ones masked.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub arguments: Meta,
    /// How long it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The warnings that it reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The restrictions enforced on its processes, in a few words each. Absent when there were
    /// none, and in older events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sandbox: Vec<String>,
    /// What it detected about the unit.
    #[serde(default, skip_serializing_if = "Unit::is_empty")]
    pub unit: Unit,
    /// The reports it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<BlobRef>,
    /// Where the reports are to be sent, without secrets; absent when they are not to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit: Option<String>,
    /// The reprocess job it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// See [`Body::Reported`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reported {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The name the server gave it.
    pub report_id: String,
    /// Where it was sent, without secrets; absent when a person recorded the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The idempotency key it was sent under; absent when a person recorded the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// See [`Body::SubmitIntended`]. Recorded once for each report, however often it is sent. A report
/// without this event was never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmitIntended {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The idempotency key that every attempt to send it uses.
    pub key: String,
    /// Where it is sent, without secrets.
    pub endpoint: String,
}

/// See [`Body::SubmitRejected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmitRejected {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The idempotency key it was sent under.
    pub key: String,
    /// Where it was sent, without secrets.
    pub endpoint: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The server's answer, truncated when it is long, with secrets masked.
    pub text: String,
}

/// One file of a converter's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// Its name relative to the bundle's folder, with `/` between parts.
    pub name: String,
    /// Its content.
    pub blob: BlobRef,
}

/// See [`Body::ConverterRegistered`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConverterRegistered {
    /// The identity of the converter.
    pub converter_id: ConverterId,
    /// Its name.
    pub name: String,
    /// The version it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it is called.
    pub command: Vec<String>,
    /// How it runs: "oneshot" (one process a conversion) or "worker" (a long-lived process).
    /// "-folder" follows where it takes folders, and "-companions" where it takes files with
    /// companions.
    pub mode: String,
    /// A note on its environment, such as the interpreter's version.
    pub environment: String,
    /// Its files.
    pub bundle: Vec<BundleFile>,
}

/// See [`Body::ConfigChanged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfigChanged {
    /// What changed.
    pub what: String,
    /// The value before, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value now, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

setters! { ConfigChanged {
    /// Sets the value before, secrets masked.
    old: some [String];
    /// Sets the value now, secrets masked.
    new: some [String];
} }

impl ConfigChanged {
    /// Returns a change of `what`, from nothing to nothing.
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            old: None,
            new: None,
        }
    }
}

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

/// See [`Body::HoldPlaced`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldPlaced {
    /// The hold's name. An entry may have several holds.
    pub name: String,
    /// Why.
    pub reason: String,
    /// On which entries.
    pub entries: EntryRanges,
}

/// See [`Body::HoldReleased`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldReleased {
    /// The hold's name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// See [`Body::PurgePlanned`].
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
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Number of entries that a rule selected but a hold kept.
    pub held_skipped: u64,
    /// Number of entries that a rule selected but that stay because reports wait to be submitted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_skipped: u64,
    /// Why, in a person's words.
    pub reason: String,
}

/// See [`Body::PurgedEntries`]. A large purge is recorded as several events, each complete by
/// itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgedEntries {
    /// The plan that was carried out.
    pub plan_id: String,
    /// The rule that selected these entries.
    pub rule: String,
    /// Why, in a person's words.
    pub reason: String,
    /// The entries.
    pub entries: EntryRanges,
    /// How many they are.
    pub count: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
}

/// See [`Body::Compacted`].
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

/// See [`Body::JobStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobStarted {
    /// What kind of job; always "reprocess" for now.
    pub kind: String,
    /// The selection, as it was asked for.
    pub selection: String,
    /// Which converter: "recorded", "current", or a name.
    pub converter_version: String,
    /// Which arguments: "recorded" or "current".
    pub params: String,
    /// How many entries were selected.
    pub total: u64,
    /// Why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

setters! { JobStarted {
    /// Sets the selection, as it was asked for.
    selection: into [String];
    /// Sets which converter: "recorded", "current", or a name.
    converter_version: into [String];
    /// Sets which arguments: "recorded" or "current".
    params: into [String];
    /// Sets why, in a person's words.
    reason: some [String];
} }

impl JobStarted {
    /// Returns the start of a job over `total` entries.
    pub fn new(kind: impl Into<String>, total: u64) -> Self {
        Self {
            kind: kind.into(),
            selection: String::new(),
            converter_version: "current".to_owned(),
            params: "recorded".to_owned(),
            total,
            reason: None,
        }
    }
}

/// See [`Body::JobFinished`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobFinished {
    /// The job.
    pub job: JobId,
    /// Entries tried.
    pub processed: u64,
    /// Attempts that succeeded.
    pub successful: u64,
    /// Attempts that did not.
    pub failed: u64,
    /// Entries that were left out.
    pub skipped: u64,
    /// Reports equal to the report before.
    pub unchanged: u64,
    /// Reports that differ from the report before.
    pub changed: u64,
    /// Entries that failed before and succeed now.
    pub fixed: u64,
    /// Entries that succeeded before and fail now.
    pub broken: u64,
    /// True when it was stopped before it was complete.
    #[serde(default)]
    pub interrupted: bool,
    /// Why entries were not tried, or have no attempt although they were tried. At most as many as
    /// fit an event.
    #[serde(default)]
    pub errors: Vec<JobError>,
    /// Number of further entries without an attempt.
    #[serde(default)]
    pub more_errors: u64,
}

setters! { JobFinished {
    /// Sets the job.
    job: [JobId];
    /// Sets how many entries were tried.
    processed: [u64];
    /// Sets how many attempts succeeded.
    successful: [u64];
    /// Sets how many attempts did not succeed.
    failed: [u64];
    /// Sets how many entries were left out.
    skipped: [u64];
    /// Sets how many reports are equal to the one before.
    unchanged: [u64];
    /// Sets how many reports differ from the one before.
    changed: [u64];
    /// Sets how many entries failed before and succeed now.
    fixed: [u64];
    /// Sets how many entries succeeded before and fail now.
    broken: [u64];
    /// Sets whether it was stopped before its end.
    interrupted: [bool];
    /// Sets why entries have no attempt.
    errors: [Vec<JobError>];
    /// Sets how many further entries have no attempt.
    more_errors: [u64];
} }

/// Entries of a job that have no attempt, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobError {
    /// Why.
    pub error: String,
    /// Which entries.
    pub entries: EntryRanges,
}

#[cfg(test)]
mod tests;
