//! The report of a verification.

use serde::Serialize;

use crate::time::Timestamp;

/// How closely to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// Lengths, headers, footers, and that every content has a place: no content is read.
    Quick,
    /// Every byte: all events, the tree over them, all content against both its hashes, and the
    /// index against the log.
    Deep,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// True when nothing was found.
    pub ok: bool,
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
    /// Events that were checked.
    pub events: u64,
    /// Packs that were checked.
    pub packs: u64,
    /// Blobs that were checked.
    pub blobs: u64,
    /// Bytes of content and of events that were read and compared.
    pub checked_bytes: u64,
    /// Losses that a repair recorded. They are no findings.
    pub known_losses: KnownLosses,
    /// Personal values that were erased by design. They are no findings.
    pub erased: u64,
    /// What was signed.
    pub evidence: EvidenceSummary,
    /// What was chosen to be checked; `None` when everything was.
    pub selection: Option<SelectionChecked>,
}

/// The part of a store that was checked, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SelectionChecked {
    /// Entries that were checked.
    pub entries: u64,
    /// How many of them were purged, so that there is no content to check.
    pub purged: u64,
    /// Events of these entries of which a signed checkpoint proves that they are in the log.
    pub proven: u64,
    /// What was not looked at, in words.
    pub not_checked: Vec<String>,
}

/// What of the log is signed. A quick look counts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct EvidenceSummary {
    /// The verifier key in use; `None` when the log is not signed.
    pub key: Option<String>,
    /// How many events the newest checkpoint covers that was compared with them.
    pub newest: Option<u64>,
    /// Checkpoints in the log.
    pub checkpoints: u64,
    /// Checkpoints whose events a repair replaced, so that they cannot be compared any more.
    pub unchecked: u64,
    /// Time stamps over checkpoints.
    pub timestamps: u64,
    /// The newest time stamp that is over a checkpoint of this log.
    pub timestamped: Option<Timestamped>,
}

/// A time stamp over a checkpoint. That its server signed it is not verified here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Timestamped {
    /// How many events the checkpoint covers.
    pub size: u64,
    /// When they were there, as the server states it.
    pub time: Timestamp,
    /// When a newer stamp must have been made.
    pub renew_before: Option<Timestamp>,
    /// The server that was asked.
    pub server: String,
}

/// What a repair could not bring back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct KnownLosses {
    /// Events that were replaced by a stand-in, or that cannot be read. A quick look does not count
    /// the replaced ones.
    pub events: u64,
    /// Contents that entries name.
    pub contents: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of damage: `log`, `evidence`, `pack`, `blob` or `index`.
    pub kind: String,
    /// Where it is.
    pub r#where: String,
    /// What it is.
    pub detail: String,
}

impl VerifyReport {
    pub(in crate::archive) const fn new() -> Self {
        Self {
            ok: true,
            findings: Vec::new(),
            events: 0,
            packs: 0,
            blobs: 0,
            checked_bytes: 0,
            known_losses: KnownLosses {
                events: 0,
                contents: 0,
            },
            erased: 0,
            evidence: EvidenceSummary {
                key: None,
                newest: None,
                checkpoints: 0,
                unchecked: 0,
                timestamps: 0,
                timestamped: None,
            },
            selection: None,
        }
    }

    /// Adds what another part of the verification found.
    pub(in crate::archive) fn join(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.events += other.events;
        self.packs += other.packs;
        self.blobs += other.blobs;
        self.checked_bytes += other.checked_bytes;
        self.known_losses.events += other.known_losses.events;
        self.known_losses.contents += other.known_losses.contents;
        self.erased += other.erased;
        if other.evidence != EvidenceSummary::default() {
            self.evidence = other.evidence;
        }
    }

    /// Adds a finding.
    pub(in crate::archive) fn find(
        &mut self,
        kind: &str,
        place: impl ToString,
        detail: impl ToString,
    ) {
        self.findings.push(Finding {
            kind: kind.to_owned(),
            r#where: place.to_string(),
            detail: detail.to_string(),
        });
    }
}
