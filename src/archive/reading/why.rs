//! Answers why the bytes of an entry are still in the store, and when they may go.

use serde::{Serialize, Serializer};

use crate::archive::handle::Archive;
use crate::archive::purging::explain::{WholeDue, whole_due};
use crate::archive::state::reclaimable::{choose_packs, dead};
use crate::complete::Complete;
use crate::entry::{Entry, Part, Retention, Submission};
use crate::event::LockMode;
use crate::id::{AttemptNo, BlobId, EntryId, PackId, Sha256};
use crate::index::View;
use crate::retention::{AsOf, Policy};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most entries that are named of those that share a content.
const SHARING_NAMED: usize = 10;
/// The most entries that are looked at to name them.
const SHARING_FOUND: usize = 1_000;

/// Why the bytes of an entry are in the store, or are there no more; see [`Archive::why_kept`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WhyKept {
    /// The entry.
    pub entry: EntryId,
    /// Everything that keeps its bytes.
    pub reasons: Vec<KeepReason>,
    /// What has to happen before its bytes can go.
    pub may_go: MayGo,
    /// The earliest time at which a rule can take it, whatever holds or waiting reports say.
    /// `None`: no known rule ever does, or one did already.
    pub earliest: Option<Timestamp>,
}

/// When the bytes of an entry can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MayGo {
    /// The entry was purged, and nothing of it is left that is not needed by others.
    Gone,
    /// The entry was purged, and its bytes wait to be freed.
    BeingFreed,
    /// The next purge by the rule takes it.
    Now,
    /// From [`WhyKept::earliest`] on.
    Later,
    /// Not before a hold is released or a report is submitted.
    Blocked,
    /// No known rule takes it.
    Never,
}

/// One thing that keeps bytes of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeepReason {
    /// The retention that was recorded with it.
    Retention {
        /// How long it is kept.
        retention: Retention,
        /// Until when; `None` is for ever.
        until: Option<Timestamp>,
        /// That time has come.
        passed: bool,
    },
    /// A hold, which is stronger than every rule.
    Hold {
        /// Its name.
        name: String,
        /// Why it was placed.
        reason: String,
        /// When.
        placed_at: Timestamp,
    },
    /// A retention lock, which is stronger than every rule.
    Lock {
        /// Its name.
        name: String,
        /// How strict it is.
        mode: LockMode,
        /// Until when; `None` is for ever.
        until: Option<Timestamp>,
    },
    /// A report that no server has accepted yet.
    WaitingReport {
        /// The attempt that made it.
        attempt: AttemptNo,
        /// Its number among the reports of the attempt.
        report: u64,
        /// Where it is to be sent.
        endpoint: String,
        /// Since when it waits.
        since: Timestamp,
    },
    /// The rules that were asked about.
    Policy {
        /// The rules in words.
        rules: Vec<String>,
        /// The one that selects the entry now.
        selects: Option<String>,
    },
    /// Content that stays when the entry is purged, because something else has the same.
    Shared {
        /// Which content of the entry.
        #[serde(serialize_with = "whole_content")]
        content: OwnContent,
        /// Its digest.
        sha256: Sha256,
        /// Its length.
        bytes: u64,
        /// How often other entries and converters name it.
        references: u64,
        /// Some of these entries, newest first.
        entries: Vec<EntryId>,
    },
    /// Content of a purged entry that nothing needs, and that was not freed yet.
    NotFreed {
        /// Which content of the entry.
        #[serde(serialize_with = "whole_content")]
        content: OwnContent,
        /// Its digest.
        sha256: Sha256,
        /// Where it lies.
        #[serde(serialize_with = "whole_place")]
        place: UnneededPlace,
    },
}

fn whole_content<S: Serializer>(content: &OwnContent, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(content, &["what", "attempt", "report"]).serialize(to)
}

fn whole_place<S: Serializer>(place: &UnneededPlace, to: S) -> Result<S::Ok, S::Error> {
    let fields = &["in", "pack", "bytes", "unneeded", "is_next"];
    Complete::new(place, fields).serialize(to)
}

/// A content of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OwnContent {
    /// What was archived.
    Source,
    /// A report.
    Report {
        /// The attempt that made it.
        attempt: AttemptNo,
        /// Its number among the reports of the attempt.
        report: u64,
    },
}

/// Where content lies that nothing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnneededPlace {
    /// In the journal, until it is sealed or the store is compacted.
    Journal,
    /// In a pack, which is rewritten once half of it is unneeded.
    Pack {
        /// The pack.
        pack: PackId,
        /// Bytes of its file.
        bytes: u64,
        /// How many of them are unneeded.
        unneeded: u64,
        /// The next purge or compaction frees them.
        is_next: bool,
    },
}

impl Archive {
    /// Returns why the bytes of an entry are in the store, and when they may go: the recorded
    /// retention, holds, waiting reports, content that others share, and what a purge has not freed
    /// yet. `policy` are further rules to ask about, such as those of a host; then all entries are
    /// read.
    ///
    /// ```
    /// use annals::archive::{Archive, MayGo, NewEntry};
    /// use annals::entry::Retention;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let new = NewEntry::new("ICT").retention(Retention::days(90));
    /// let id = archive.put(new, &b"content"[..])?.id;
    /// let why = archive.why_kept(id, None)?;
    /// assert_eq!(why.may_go, MayGo::Later);
    /// archive.place_hold("recall", "field failure", vec![id])?;
    /// assert_eq!(archive.why_kept(id, None)?.may_go, MayGo::Blocked);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry, `Refused` when `policy` has no rule.
    pub fn why_kept(&self, id: EntryId, policy: Option<&Policy>) -> Result<WhyKept> {
        let snapshot = self.snapshot()?;
        let entry = snapshot.entry(id)?.ok_or_else(|| {
            let said = format!("there is no entry {id}");
            Error::new(ErrorKind::NotFound, said)
        })?;
        let view = snapshot.view();
        let mut reasons = Vec::new();
        if let Some(until) = entry.final_at {
            // Until its purge is final, the entry itself needs its content.
            return Ok(WhyKept {
                entry: id,
                reasons,
                may_go: MayGo::Later,
                earliest: Some(until),
            });
        }
        if entry.purged_at.is_some() {
            self.left_of_purged(view, &entry, &mut reasons)?;
            let is_left = |reason: &KeepReason| matches!(reason, KeepReason::NotFreed { .. });
            return Ok(WhyKept {
                entry: id,
                may_go: if reasons.iter().any(is_left) {
                    MayGo::BeingFreed
                } else {
                    MayGo::Gone
                },
                reasons,
                earliest: None,
            });
        }
        let now = self.store().options.clock.now();
        let by_class = policy.map(|policy| whole_due(policy, &entry));
        let until = entry.retention.expires_at(entry.archived_at);
        reasons.push(KeepReason::Retention {
            retention: entry.retention,
            until,
            passed: until.is_some_and(|until| until <= now),
        });
        let rule = match policy {
            Some(policy) => Some(self.rule_that_selects(policy, &entry, now)?),
            None => None,
        };
        let is_selected = rule.as_ref().is_some_and(|(_, rule)| rule.is_some());
        reasons.extend(rule.map(|(rules, selects)| KeepReason::Policy { rules, selects }));
        let blocking = reasons.len();
        for hold in self.hold_dates()? {
            if entry.holds.contains(&hold.name) {
                reasons.push(KeepReason::Hold {
                    name: hold.name,
                    reason: hold.reason,
                    placed_at: hold.placed_at,
                });
            }
        }
        let locks = self.locks_now(view);
        reasons.extend(locks.on(&entry).map(|lock| KeepReason::Lock {
            name: lock.name,
            mode: lock.mode,
            until: lock.until,
        }));
        reasons.extend(waiting(&entry));
        let is_blocked = reasons.len() > blocking;
        shared(view, &entry, &mut reasons)?;
        let earliest = match by_class {
            _ if is_selected => Some(now),
            Some(WholeDue::At(due)) => Some(due),
            Some(WholeDue::NotKnown) => None,
            Some(WholeDue::NoClass) | None => until,
        };
        Ok(WhyKept {
            entry: id,
            reasons,
            may_go: match earliest {
                _ if is_blocked => MayGo::Blocked,
                Some(earliest) if earliest <= now => MayGo::Now,
                Some(_) => MayGo::Later,
                None => MayGo::Never,
            },
            earliest,
        })
    }

    /// Returns the rules of a policy in words, and the one that selects all of the entry now.
    fn rule_that_selects(
        &self,
        policy: &Policy,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(Vec<String>, Option<String>)> {
        let plan = self.plan_purge(policy, AsOf::Vouched(now))?;
        let mut items = plan.items.into_iter();
        let found = items.find(|item| item.id == entry.id && item.part == Part::Entry);
        Ok((plan.rules, found.map(|item| item.rule)))
    }

    /// Adds what is still there of the contents of a purged entry.
    fn left_of_purged(
        &self,
        view: &View,
        entry: &Entry,
        reasons: &mut Vec<KeepReason>,
    ) -> Result<()> {
        let packs = view.packs()?;
        let next: Vec<PackId> = choose_packs(&packs).iter().map(|pack| pack.id).collect();
        for own in contents(entry) {
            let row = view.blob(&own.blob)?;
            if let Some(row) = row
                && row.refs > 0
            {
                reasons.push(sharing(view, entry, &own, u64::from(row.refs))?);
                continue;
            }
            let place = if self.store().journal.contains(&own.blob) {
                Some(UnneededPlace::Journal)
            } else {
                let parts = view.children(&own.blob)?;
                let mut blobs = std::iter::once(&own.blob).chain(parts.iter());
                let pack = blobs.find_map(|blob| {
                    let row = view.blob(blob).ok()??;
                    (row.refs == 0).then_some(row.place?.pack)
                });
                packs
                    .iter()
                    .find(|row| Some(row.id) == pack)
                    .map(|row| UnneededPlace::Pack {
                        pack: row.id,
                        bytes: row.bytes,
                        unneeded: dead(row),
                        is_next: next.contains(&row.id),
                    })
            };
            reasons.extend(place.map(|place| KeepReason::NotFreed {
                content: own.content,
                sha256: own.sha256,
                place,
            }));
        }
        Ok(())
    }
}

/// A content of an entry with its names.
struct Own {
    content: OwnContent,
    blob: BlobId,
    sha256: Sha256,
    bytes: u64,
}

fn contents(entry: &Entry) -> Vec<Own> {
    let mut contents = vec![Own {
        content: OwnContent::Source,
        blob: entry.blake3,
        sha256: entry.sha256,
        bytes: entry.size,
    }];
    for attempt in &entry.attempts {
        let reports = (0..).zip(&attempt.reports);
        contents.extend(reports.map(|(number, report)| Own {
            content: OwnContent::Report {
                attempt: attempt.attempt,
                report: number,
            },
            blob: report.blake3,
            sha256: report.sha256,
            bytes: report.size,
        }));
    }
    contents
}

fn waiting(entry: &Entry) -> impl Iterator<Item = KeepReason> + '_ {
    entry.attempts.iter().flat_map(|attempt| {
        let reports = (0..).zip(&attempt.reports);
        reports.filter_map(|(number, report)| match &report.submission {
            Some(Submission::Waiting { since, endpoint }) => Some(KeepReason::WaitingReport {
                attempt: attempt.attempt,
                report: number,
                endpoint: endpoint.clone(),
                since: *since,
            }),
            _ => None,
        })
    })
}

/// Adds the contents of a live entry that something else names, too.
fn shared(view: &View, entry: &Entry, reasons: &mut Vec<KeepReason>) -> Result<()> {
    let all: Vec<Own> = contents(entry)
        .into_iter()
        .filter(|own| match own.content {
            OwnContent::Source => entry.has_source(),
            OwnContent::Report { attempt, .. } => entry.reports_purge(attempt).is_none(),
        })
        .collect();
    let mut told = Vec::new();
    for own in &all {
        let Some(row) = view.blob(&own.blob)? else {
            continue;
        };
        let named_here = all.iter().filter(|other| other.blob == own.blob).count() as u64;
        let references = u64::from(row.refs).saturating_sub(named_here);
        if references > 0 && !told.contains(&own.blob) {
            told.push(own.blob);
            reasons.push(sharing(view, entry, own, references)?);
        }
    }
    Ok(())
}

fn sharing(view: &View, entry: &Entry, own: &Own, references: u64) -> Result<KeepReason> {
    let others = view.find(&own.blob.to_string(), SHARING_FOUND)?;
    let needs = |other: &&Entry| other.contents_left().any(|(blob, _)| blob == own.blob);
    let others = others.iter().filter(needs);
    let others = others.map(|other| other.id).filter(|id| *id != entry.id);
    Ok(KeepReason::Shared {
        content: own.content,
        sha256: own.sha256,
        bytes: own.bytes,
        references,
        entries: others.take(SHARING_NAMED).collect(),
    })
}

#[cfg(test)]
mod tests {
    //! A plant is asked why a file is still there, or why the disk did not get smaller. Each test
    //! makes one of the reasons, and asks.

    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewAttempt, NewEntry, Options};
    use crate::disk::sim::SimDisk;

    fn store() -> Archive {
        Archive::create_on(Arc::new(SimDisk::new()), Options::default()).expect("a store")
    }

    fn put(archive: &Archive, retention: Retention, content: &[u8]) -> EntryId {
        let new = NewEntry::new("ICT").retention(retention);
        archive.put(new, content).expect("archived").id
    }

    fn why(archive: &Archive, id: EntryId) -> WhyKept {
        archive.why_kept(id, None).expect("an answer")
    }

    fn purge(archive: &Archive, left: u64) {
        let policy = Policy::default().max_count(left);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        archive.purge(&plan, "test").expect("purged");
    }

    #[test]
    fn the_recorded_retention__says_when_it_may_go() {
        let archive = store();
        let kept = put(&archive, Retention::days(30), b"a");
        let forever = put(&archive, Retention::Forever, b"b");
        let answer = why(&archive, kept);
        let entry = archive.snapshot().expect("there").entry(kept);
        let archived = entry.expect("read").expect("there").archived_at;
        assert_eq!(answer.may_go, MayGo::Later);
        assert_eq!(answer.earliest, Some(archived.plus_days(30)));
        let answer = why(&archive, forever);
        assert_eq!((answer.may_go, answer.earliest), (MayGo::Never, None));
        let unknown = archive.why_kept(EntryId(99), None).expect_err("no entry");
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_rule_of_the_host__takes_it_before_its_time() {
        let archive = store();
        let old = put(&archive, Retention::days(30), b"a");
        let new = put(&archive, Retention::days(30), b"b");
        let policy = Policy::default().expired(true).max_count(1_u64);
        let of = |id| archive.why_kept(id, Some(&policy)).expect("an answer");
        assert_eq!(of(old).may_go, MayGo::Now);
        assert_eq!(of(new).may_go, MayGo::Later);
        let rules = vec!["expired".to_owned(), "max-count 1".to_owned()];
        let selects = Some("max-count 1".to_owned());
        assert!(
            of(old)
                .reasons
                .contains(&KeepReason::Policy { rules, selects })
        );
    }

    #[test]
    fn holds_and_waiting_reports__come_before_every_rule() {
        let archive = store();
        let id = put(&archive, Retention::days(30), b"a");
        archive
            .place_hold("recall", "field failure", vec![id])
            .expect("held");
        let held = why(&archive, id);
        assert_eq!(held.may_go, MayGo::Blocked);
        let is_hold = |reason: &KeepReason| {
            matches!(reason, KeepReason::Hold { name, reason, .. }
                if name == "recall" && reason == "field failure")
        };
        assert!(held.reasons.iter().any(is_hold), "{held:?}");
        archive.release_hold("recall", "settled").expect("released");
        assert_eq!(why(&archive, id).may_go, MayGo::Later);
        let attempt = NewAttempt::new(crate::entry::Outcome::Success, "ICT")
            .reports(vec![b"report".to_vec()])
            .submit("http://server/x");
        archive.record_attempt(id, attempt).expect("recorded");
        let waiting = why(&archive, id);
        assert_eq!(waiting.may_go, MayGo::Blocked);
        let is_waiting = |reason: &KeepReason| {
            matches!(reason, KeepReason::WaitingReport { endpoint, report: 0, .. }
                if endpoint == "http://server/x")
        };
        assert!(waiting.reasons.iter().any(is_waiting), "{waiting:?}");
    }

    #[test]
    fn a_purge_that_can_be_undone__says_until_when() {
        let archive = store();
        let id = put(&archive, Retention::Forever, b"a");
        let policy = Policy::default().max_count(0_u64);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        let day = std::time::Duration::from_secs(86_400);
        let done = archive.purge_with_grace(&plan, "test", day);
        let until = done.expect("purged").recorded.final_at;
        let answer = why(&archive, id);
        assert_eq!((answer.may_go, answer.earliest), (MayGo::Later, until));
        assert!(answer.reasons.is_empty(), "{answer:?}");
    }

    /// A person purged an entry and saw the same bytes come back for another one.
    #[test]
    fn content_that_others_share__stays_with_them() {
        let archive = store();
        let first = put(&archive, Retention::Forever, b"the same");
        let second = put(&archive, Retention::Forever, b"the same");
        let shares = |answer: &WhyKept, with: EntryId| {
            answer.reasons.iter().any(|reason| {
                matches!(reason, KeepReason::Shared { references: 1, entries, .. }
                    if *entries == [with])
            })
        };
        assert!(shares(&why(&archive, first), second));
        purge(&archive, 1);
        let gone = why(&archive, first);
        assert_eq!(gone.may_go, MayGo::Gone);
        assert!(shares(&gone, second), "{gone:?}");
        assert!(!shares(&why(&archive, second), first));
        purge(&archive, 0);
        let gone = why(&archive, first);
        assert_eq!((gone.may_go, &gone.reasons[..]), (MayGo::Gone, &[][..]));
    }

    /// The disk did not get smaller, because a pack is only rewritten once half of it is unneeded.
    #[test]
    fn what_a_purge_left_in_a_pack__is_named() {
        let archive = store();
        let small = put(&archive, Retention::Forever, &[7; 10]);
        let noise = |seed: u8| -> Vec<u8> {
            let mut bytes = vec![0; 40_000];
            let mut out = blake3::Hasher::new().update(&[seed]).finalize_xof();
            out.fill(&mut bytes);
            bytes
        };
        let large = put(&archive, Retention::Forever, &noise(1));
        archive.seal().expect("sealed");
        purge(&archive, 1);
        let answer = why(&archive, small);
        assert_eq!(answer.may_go, MayGo::BeingFreed, "{answer:?}");
        let [KeepReason::NotFreed { place, .. }] = &answer.reasons[..] else {
            panic!("{answer:?}");
        };
        assert!(
            matches!(place, UnneededPlace::Pack { is_next: false, unneeded, bytes, .. }
                if unneeded < bytes),
            "{place:?}"
        );
        assert_eq!(why(&archive, large).may_go, MayGo::Never);
    }
}
