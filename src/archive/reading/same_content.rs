//! Finds contents by their hash: which entry archived it, or which attempt made it, and where it
//! was sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Result;
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::reading::why::OwnContent;
use crate::entry::{Entry, Submission};
use crate::event::Body;
use crate::id::{AttemptNo, BlobId, EntryId, Sha256};
use crate::time::Timestamp;

/// The fewest digits of a hash that are searched for.
const DIGITS_MIN: usize = 6;
/// All digits of a hash.
const DIGITS_MAX: usize = 64;

/// A content that an entry names; see [`Archive::find_contents`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundContent {
    /// The entry.
    pub entry: EntryId,
    /// Which of its contents.
    #[serde(flatten)]
    pub content: OwnContent,
    /// The digest of the content.
    pub sha256: Sha256,
    /// Its other hash.
    pub blake3: BlobId,
    /// Its length in bytes.
    pub size: u64,
    /// When it was recorded: archived, or made by the attempt.
    pub at: Timestamp,
    /// The converter that it was archived for, or that made it.
    pub converter: String,
    /// The name that it had as a file; only of sources.
    pub file: Option<String>,
    /// Where a report was sent, or is to be sent, without secrets.
    pub endpoint: Option<String>,
    /// What the receiving server calls it.
    pub report_id: Option<String>,
    /// When the answer of the server was recorded.
    pub submitted_at: Option<Timestamp>,
    /// When it was purged, alone or with its entry: since then there is only the record of it.
    pub purged_at: Option<Timestamp>,
    /// True when the content was hashed and never stored.
    pub facts_only: bool,
}

impl Archive {
    /// Finds contents by the beginning of a hash, SHA-256 or BLAKE3, from 6 digits on: sources and
    /// reports, also those that were purged. At most those of `limit` entries, the newest first.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry, OwnContent};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let found = archive.find_contents(&archived.blob.sha256.to_string(), 10)?;
    /// assert_eq!((found[0].entry, found[0].content), (archived.id, OwnContent::Source));
    /// # archive.close()
    /// # }
    /// ```
    pub fn find_contents(&self, hash: &str, limit: usize) -> Result<Vec<FoundContent>> {
        let digits = hash.to_ascii_lowercase();
        let is_hash = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hash {
            return Ok(Vec::new());
        }
        let entries = self.snapshot()?.find(&digits, limit)?;
        let mut found: Vec<FoundContent> = entries
            .iter()
            .flat_map(contents)
            .filter(|content| {
                content.sha256.to_string().starts_with(&digits)
                    || content.blake3.to_string().starts_with(&digits)
            })
            .collect();
        self.add_endpoints(&mut found)?;
        Ok(found)
    }

    /// Adds where submitted reports were sent, which only the log says.
    fn add_endpoints(&self, found: &mut [FoundContent]) -> Result<()> {
        let unknown =
            |content: &&FoundContent| content.report_id.is_some() && content.endpoint.is_none();
        let entries: BTreeSet<EntryId> = found
            .iter()
            .filter(unknown)
            .map(|content| content.entry)
            .collect();
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let mut sent: BTreeMap<(EntryId, AttemptNo, u64), String> = BTreeMap::new();
        for leaf in self.events(first.event(), None)? {
            let leaf = leaf?;
            let may_tell = leaf.line.contains("\"annals.reported.")
                || leaf.line.contains("\"annals.converted.");
            if !may_tell {
                continue;
            }
            let Ok(event) = decode(leaf.seq, leaf.bytes()) else {
                continue;
            };
            match event.body {
                Body::Reported(fact) if entries.contains(&fact.entry) => {
                    let report = (fact.entry, fact.attempt, u64::from(fact.report));
                    if let Some(endpoint) = fact.endpoint {
                        sent.insert(report, endpoint);
                    }
                }
                Body::Converted(fact) if entries.contains(&fact.entry) => {
                    for number in 0..fact.reports.len() as u64 {
                        let report = (fact.entry, fact.attempt, number);
                        let to = fact.submit.clone();
                        to.and_then(|endpoint| sent.insert(report, endpoint));
                    }
                }
                _ => {}
            }
        }
        for content in found.iter_mut() {
            if let OwnContent::Report { attempt, report } = content.content
                && content.endpoint.is_none()
            {
                content.endpoint = sent.get(&(content.entry, attempt, report)).cloned();
            }
        }
        Ok(())
    }
}

fn contents(entry: &Entry) -> Vec<FoundContent> {
    let mut contents = vec![FoundContent {
        entry: entry.id,
        content: OwnContent::Source,
        sha256: entry.sha256,
        blake3: entry.blake3,
        size: entry.size,
        at: entry.archived_at,
        converter: entry.converter.clone(),
        file: Some(entry.source_name.clone()),
        endpoint: None,
        report_id: None,
        submitted_at: None,
        purged_at: entry.source_purge().map(|gone| gone.at).or(entry.purged_at),
        facts_only: entry.facts_only,
    }];
    for attempt in &entry.attempts {
        let gone = entry.reports_purge(attempt.attempt).map(|gone| gone.at);
        let reports = (0..).zip(&attempt.reports);
        contents.extend(reports.map(|(number, report)| FoundContent {
            entry: entry.id,
            content: OwnContent::Report {
                attempt: attempt.attempt,
                report: number,
            },
            sha256: report.sha256,
            blake3: report.blake3,
            size: report.size,
            at: attempt.at,
            converter: attempt.converter.clone(),
            file: None,
            endpoint: match &report.submission {
                Some(
                    Submission::Waiting { endpoint, .. } | Submission::Rejected { endpoint, .. },
                ) => Some(endpoint.clone()),
                None => None,
            },
            report_id: report.report_id.clone(),
            submitted_at: report.reported_at,
            purged_at: gone.or(entry.purged_at),
            facts_only: false,
        }));
    }
    contents
}

#[cfg(test)]
mod tests {
    //! A customer sent a report back and asked whether it is the one that the plant had submitted.

    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewAttempt, NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::entry::Outcome;
    use crate::retention::{AsOf, Policy};

    #[test]
    fn a_report__is_found_by_its_hash_and_told_where_it_went() {
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk, Options::default()).expect("a store");
        let id = archive
            .put(NewEntry::new("ICT"), &b"source"[..])
            .expect("archived")
            .id;
        let report = b"{\"sn\":1}".to_vec();
        for _ in 0..2 {
            let attempt = NewAttempt::new(Outcome::Success, "ICT")
                .reports(vec![b"other".to_vec(), report.clone()])
                .submit("http://server/x");
            archive.record_attempt(id, attempt).expect("recorded");
        }
        let digest = Sha256::of(&report).to_string();
        let of = |hash: &str| archive.find_contents(hash, 10).expect("searched");
        let found = of(&digest.to_uppercase());
        let attempts: Vec<_> = found.iter().map(|found| found.content).collect();
        let made_by = |attempt| OwnContent::Report {
            attempt: AttemptNo(attempt),
            report: 1,
        };
        assert_eq!(attempts, [made_by(1), made_by(2)]);
        assert_eq!(found[0].endpoint.as_deref(), Some("http://server/x"));
        assert_eq!(found[0].report_id, None);
        assert_eq!(of(&digest[..8]), found);
        assert_eq!(of(&BlobId::of(&report).to_string()), found);
        for wrong in ["", "abc", "SN1042", &"0".repeat(64), &digest[..5]] {
            assert_eq!(of(wrong), [], "{wrong}");
        }
        assert_eq!(
            of(&Sha256::of(b"source").to_string())[0].content,
            OwnContent::Source
        );
        // The record of it stays when its bytes are gone.
        let policy = Policy::default()
            .max_count(0_u64)
            .unsubmitted(crate::retention::Unsubmitted::Take);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        archive.purge(&plan, "test").expect("purged");
        let gone = of(&digest);
        assert_eq!(gone.len(), 2);
        assert!(gone[0].purged_at.is_some());
    }
}
