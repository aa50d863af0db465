//! The result of a verification: one verdict, and everything that led to it.

use std::fmt;

use serde::Serialize;

use crate::export::scope::Scope;
use crate::id::Sha256;

/// What a bundle is worth. The most severe finding decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub enum Verdict {
    /// Signed by a trusted key, and everything is as it was signed.
    #[serde(rename = "INTACT")]
    Intact,
    /// Intact, and contents were erased on purpose, which is recorded.
    #[serde(rename = "INTACT-WITH-ERASURES")]
    IntactWithErasures,
    /// What is there is sound as far as it can be checked, but something is missing.
    #[serde(rename = "INCOMPLETE")]
    Incomplete,
    /// No trusted key signed it. Anybody may have made it.
    #[serde(rename = "UNTRUSTED-KEY")]
    UntrustedKey,
    /// It is older than a checkpoint that was seen before.
    #[serde(rename = "ROLLED-BACK")]
    RolledBack,
    /// It contradicts a checkpoint that was seen before: the log has two histories.
    #[serde(rename = "FORKED")]
    Forked,
    /// Something was changed, added or exchanged after it was signed.
    #[serde(rename = "TAMPERED")]
    Tampered,
    /// It cannot be read, or a later version made it.
    #[serde(rename = "UNREADABLE")]
    Unreadable,
}

impl Verdict {
    /// Returns the word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intact => "INTACT",
            Self::IntactWithErasures => "INTACT-WITH-ERASURES",
            Self::Incomplete => "INCOMPLETE",
            Self::UntrustedKey => "UNTRUSTED-KEY",
            Self::RolledBack => "ROLLED-BACK",
            Self::Forked => "FORKED",
            Self::Tampered => "TAMPERED",
            Self::Unreadable => "UNREADABLE",
        }
    }

    /// Returns whether the bundle proves what it says.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Intact | Self::IntactWithErasures)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BundleFinding {
    /// What it concerns: `bundle`, `file`, `signature`, `log`, `content` or `report`.
    pub kind: &'static str,
    /// Where it is: a file, or an event.
    pub r#where: String,
    /// What it is.
    pub detail: String,
    /// What it alone makes of the bundle.
    pub verdict: Verdict,
}

/// The most findings that are listed. A bundle that is not one may have millions.
const FINDINGS_MAX: usize = 1_000;

/// The result of verifying a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// True for `INTACT` and `INTACT-WITH-ERASURES`.
    pub ok: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Everything that is not as it should be, up to a thousand things.
    pub findings: Vec<BundleFinding>,
    /// How many findings are not listed.
    pub more_findings: u64,
    /// What a reader should know although it is nothing wrong.
    pub notes: Vec<String>,
    /// The name of the log, as the checkpoint states it.
    pub origin: String,
    /// Number of events in the log when the bundle was made.
    pub tree_size: u64,
    /// The root of the tree over them.
    pub root: Option<Sha256>,
    /// The trusted keys that signed the checkpoint.
    pub signed_by: Vec<String>,
    /// Whether the bundle has the whole log; unknown if its last event is missing.
    pub scope: Option<Scope>,
    /// Events that were checked.
    pub events: u64,
    /// Entries among them.
    pub entries: u64,
    /// Packs; a bundle has none.
    pub packs: u64,
    /// Contents that were checked.
    pub blobs: u64,
    /// Personal values that were checked against the digests of their leaves.
    pub disclosures: u64,
    /// Entries whose content was purged, and events that erased a field.
    pub erased: u64,
    /// Bytes that were read and compared.
    pub checked_bytes: u64,
}

impl Verified {
    pub(super) const fn new() -> Self {
        Self {
            ok: false,
            verdict: Verdict::Intact,
            findings: Vec::new(),
            more_findings: 0,
            notes: Vec::new(),
            origin: String::new(),
            tree_size: 0,
            root: None,
            signed_by: Vec::new(),
            scope: None,
            events: 0,
            entries: 0,
            packs: 0,
            blobs: 0,
            disclosures: 0,
            erased: 0,
            checked_bytes: 0,
        }
    }

    /// Adds a finding.
    pub(super) fn find(
        &mut self,
        verdict: Verdict,
        kind: &'static str,
        place: impl fmt::Display,
        detail: impl fmt::Display,
    ) {
        self.verdict = self.verdict.max(verdict);
        if self.findings.len() == FINDINGS_MAX {
            self.more_findings += 1;
            return;
        }
        self.findings.push(BundleFinding {
            kind,
            r#where: place.to_string(),
            detail: detail.to_string(),
            verdict,
        });
    }

    /// Ends the verification.
    pub(super) fn finish(mut self) -> Self {
        if self.verdict == Verdict::Intact && self.erased > 0 {
            self.verdict = Verdict::IntactWithErasures;
        }
        self.ok = self.verdict.is_ok();
        self
    }
}
