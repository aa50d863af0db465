//! Every kind of fact that can be recorded, with its versions. `format::leaf` converts events to
//! bytes.

mod access;
mod annotation;
mod audit;
mod conversion;
mod evidence;
mod evidence_list;
mod job;
mod lock;
mod personal;
mod promotion;
mod retention;
mod source;
mod store;
mod view;
#[cfg(feature = "host")]
mod whole_evidence;

use serde::{Deserialize, Serialize};

use crate::id::EventSeq;
use crate::time::Timestamp;

pub use access::{Accessed, Door, Handed};
pub use annotation::Annotated;
pub use audit::{
    ClockStepped, ContentsCount, Counts, Exported, PurgeRefused, Refusal, Reviewed, Scope, Verdict,
    Verified,
};
pub use conversion::{
    BundleFile, ConfigChanged, Converted, ConverterRegistered, Corrected, Reported, SubmitIntended,
    SubmitRejected,
};
pub use evidence::{
    CheckpointCadence, CheckpointSigned, CheckpointTimestamped, KeyCreated, KeyLost, KeyRotated,
};
pub use evidence_list::EvidenceList;
pub use job::{
    JobError, JobFinished, JobPriority, JobResumed, JobSelected, JobStarted, JobStop, JobStopped,
    JudgedBy,
};
pub use lock::{LockMode, RetentionLocked, RetentionUnlocked};
pub use personal::{ActorNamed, Erased, NotPersonal, PersonalField, PrivacyDeclared, Sealed};
pub(crate) use personal::{digest_of, digest_text, entry_with_values};
pub use promotion::{
    ConverterEnvironment, ConverterPromoted, ConverterWaived, GateEvidence, Grounds, WaiverRevoked,
};
pub use retention::{
    Compacted, EntryRanges, HoldPlaced, HoldReleased, HoldReviewed, PartName, PurgeFinalized,
    PurgePlanned, PurgeUndone, PurgedEntries,
};
pub use source::{Archived, BlobRef, Clearing, Source, SourceCleared};
pub use store::{
    ContinuedFrom, Lost, Recovered, Repaired, RepairedFile, StoreContinued, StoreCreated,
    StoreOpened,
};
pub use view::{ViewDropped, ViewSaved};
#[cfg(feature = "host")]
pub(crate) use whole_evidence::{whole_evidence, whole_evidence_if_any};

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
    /// The fact. Its personal values are absent, unless they were revealed.
    pub body: Body,
    /// What the leaf has in place of personal values.
    pub sealed: Vec<Sealed>,
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
            /// The versioned names of all types that this version knows.
            #[cfg(feature = "host")]
            pub(crate) const KINDS: &[&str] = &[$($kind,)*];

            /// Returns the versioned type name.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(unknown) => &unknown.kind,
                }
            }

            /// Appends the fact's own members to `line`, as a JSON object.
            pub(crate) fn write_data(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
                match self {
                    $(Self::$variant(data) => serde_json::to_writer(line, data),)*
                    Self::Unknown(unknown) => {
                        line.extend_from_slice(unknown.data.as_bytes());
                        Ok(())
                    }
                }
            }

            /// Returns the fact's own members, as a JSON object.
            pub(crate) fn data_json(&self) -> serde_json::Result<String> {
                let mut data = Vec::new();
                self.write_data(&mut data)?;
                Ok(String::from_utf8(data).expect("JSON is UTF-8"))
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
    /// From here on, a converter runs in another environment than before, or for the first time.
    ConverterEnvironment(ConverterEnvironment) = "annals.converter.environment.v1",
    /// An identity of a converter became current: it converts live files from here on.
    ConverterPromoted(ConverterPromoted) = "annals.converter.promoted.v1",
    /// Somebody decided that entries may break with a new identity of a converter.
    ConverterWaived(ConverterWaived) = "annals.converter.waived.v1",
    /// Somebody took a waiver back.
    WaiverRevoked(WaiverRevoked) = "annals.converter.waiver_revoked.v1",
    /// The configuration changed.
    ConfigChanged(ConfigChanged) = "annals.config.changed.v1",
    /// A view was saved for all who use the store.
    ViewSaved(ViewSaved) = "annals.view.saved.v1",
    /// A saved view was dropped.
    ViewDropped(ViewDropped) = "annals.view.dropped.v1",
    /// A host cleared away the file that an entry was archived from.
    SourceCleared(SourceCleared) = "annals.source.cleared.v1",
    /// Somebody added to what is known of an entry.
    Annotated(Annotated) = "annals.annotated.v1",
    /// Entries were put on hold.
    HoldPlaced(HoldPlaced) = "annals.hold.placed.v1",
    /// A hold was lifted.
    HoldReleased(HoldReleased) = "annals.hold.released.v1",
    /// Somebody looked at a hold, and it stays.
    HoldReviewed(HoldReviewed) = "annals.hold.reviewed.v1",
    /// Entries may not be purged before they have a certain age.
    RetentionLocked(RetentionLocked) = "annals.retention.locked.v1",
    /// A retention lock was removed.
    RetentionUnlocked(RetentionUnlocked) = "annals.retention.unlocked.v1",
    /// A purge was planned: which entries, and by which rules.
    PurgePlanned(PurgePlanned) = "annals.purge.planned.v1",
    /// Entries were purged.
    PurgedEntries(PurgedEntries) = "annals.purged.v1",
    /// Purged entries are back, before the purge was final.
    PurgeUndone(PurgeUndone) = "annals.purge.undone.v1",
    /// A purge that could have been undone is final: its bytes go.
    PurgeFinalized(PurgeFinalized) = "annals.purge.finalized.v1",
    /// A safety rule refused a purge.
    PurgeRefused(PurgeRefused) = "annals.purge.refused.v1",
    /// Dead bytes were reclaimed.
    Compacted(Compacted) = "annals.compacted.v1",
    /// A reprocess job began; its sequence number is the job's id.
    JobStarted(JobStarted) = "annals.job.started.v1",
    /// Entries that a reprocess job runs over.
    JobSelected(JobSelected) = "annals.job.selected.v1",
    /// Somebody paused or cancelled a reprocess job.
    JobStopped(JobStopped) = "annals.job.stopped.v1",
    /// A reprocess job that had stopped goes on.
    JobResumed(JobResumed) = "annals.job.resumed.v1",
    /// A reprocess job ended, or was stopped before its end.
    JobFinished(JobFinished) = "annals.job.finished.v1",
    /// The log is signed with this key from here on.
    KeyCreated(KeyCreated) = "annals.key.created.v1",
    /// A new key took over from the old one, with its consent.
    KeyRotated(KeyRotated) = "annals.key.rotated.v1",
    /// A new key is used because the old one is lost.
    KeyLost(KeyLost) = "annals.key.lost.v1",
    /// How often checkpoints are signed from here on.
    CheckpointCadence(CheckpointCadence) = "annals.checkpoint.cadence.v1",
    /// The log up to an earlier event was signed.
    CheckpointSigned(CheckpointSigned) = "annals.checkpoint.signed.v1",
    /// A server that others trust stated when a checkpoint was there.
    CheckpointTimestamped(CheckpointTimestamped) = "annals.checkpoint.timestamped.v1",
    /// An evidence bundle was made.
    Exported(Exported) = "annals.exported.v1",
    /// The store was checked for damage.
    Verified(Verified) = "annals.verified.v1",
    /// Somebody reviewed a range of the log.
    Reviewed(Reviewed) = "annals.reviewed.v1",
    /// Contents were handed out, or somebody was not let in.
    Accessed(Accessed) = "annals.accessed.v1",
    /// The wall clock jumped against the monotonic clock, or went back.
    ClockStepped(ClockStepped) = "annals.clock.stepped.v1",
    /// Which fields are personal from here on.
    PrivacyDeclared(PrivacyDeclared) = "annals.privacy.declared.v1",
    /// A pseudonym stands for an account from here on.
    ActorNamed(ActorNamed) = "annals.actor.named.v1",
    /// Values of a personal field were erased.
    Erased(Erased) = "annals.erased.v1",
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

#[cfg(test)]
mod tests;
