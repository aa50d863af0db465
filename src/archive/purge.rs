//! What goes for good: a plan is made and looked at, then recorded, then its bytes are freed.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::archive::footprint::{Needs, Sizes};
use crate::archive::writer::{Request, logical_bytes};
use crate::archive::{Archive, CompactOutcome, rebuild};
use crate::entry::Entry;
use crate::index::{View, is_same_name};
use crate::retention::{AsOf, Candidate, Leaving, Planner, Policy, PurgePlan, Spared};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// What a purge did. It is on record whatever came of freeing its bytes.
#[derive(Debug)]
#[non_exhaustive]
pub struct PurgeOutcome {
    /// What is durably recorded: these entries are gone.
    pub recorded: RecordedPurge,
    /// What freeing their bytes came to. After an error the entries are gone all the same;
    /// [`Archive::compact`], the next purge and the next opening for writing free what is left.
    pub reclaim: Result<CompactOutcome>,
}

/// A purge as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedPurge {
    /// Entries that went.
    pub archives_purged: u64,
    /// When the oldest of them was archived.
    pub oldest_purged: Option<Timestamp>,
    /// When the newest of them was archived.
    pub newest_purged: Option<Timestamp>,
    /// Why, in a person's words.
    pub reason: String,
    /// The plan that was carried out.
    pub plan_id: String,
}

impl PurgeOutcome {
    /// Bytes that are used no longer: those the packs shrank by, and those of content that was still
    /// in the journal and is overwritten there. 0 when freeing them failed.
    pub fn bytes_freed(&self) -> u64 {
        self.reclaim.as_ref().map_or(0, |done| done.bytes_freed)
    }
}

/// One object of all fields; `reclaim_error` is there only when freeing the bytes failed.
impl Serialize for PurgeOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            recorded: &'a RecordedPurge,
            bytes_freed: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            reclaim_error: Option<ReclaimError<'a>>,
        }
        #[derive(Serialize)]
        struct ReclaimError<'a> {
            kind: &'a str,
            message: &'a str,
            hint: Option<&'a str>,
        }
        let error = self.reclaim.as_ref().err();
        let flat = Flat {
            recorded: &self.recorded,
            bytes_freed: self.bytes_freed(),
            reclaim_error: error.map(|error| ReclaimError {
                kind: error.kind().name(),
                message: error.message(),
                hint: error.next_step(),
            }),
        };
        flat.serialize(serializer)
    }
}

impl Archive {
    /// What `policy` would take on that day. Changes nothing.
    ///
    /// Refused when the policy has no rule, and when it asks the clock for the day and the log says that the clock may have
    /// jumped: one that is years ahead makes everything old.
    pub fn plan_purge(&self, policy: &Policy, as_of: AsOf) -> Result<PurgePlan> {
        let now = match as_of {
            AsOf::Vouched(day) => day,
            AsOf::Clock if policy.asks_the_day() => self.believable_now()?,
            AsOf::Clock => self.shared().options.clock.now(),
        };
        let view = self.shared().view();
        let selected = |entry: &Entry| {
            let wanted = policy.converter.as_ref();
            wanted.is_none_or(|name| is_same_name(&entry.converter, name))
        };
        let sizes = Sizes::new(self.shared(), &view)?;
        let mut selection = Needs::of_all(&sizes);
        // Where the whole store fits the limit, what of it is selected does too, and need not be
        // measured.
        let is_measured = policy
            .max_size
            .is_some_and(|limit| sizes.of_everything() > limit);
        let mut entries = 0;
        let mut stored = 0;
        if is_measured || policy.max_count.is_some() {
            walk_selected(&view, selected, |entry| {
                entries += 1;
                if is_measured {
                    stored += selection.add(entry)?;
                }
                Ok(())
            })?;
        }
        let mut planner = Planner::new(policy, now, view.applied(), entries, stored).map_err(|error| {
            Error::new(ErrorKind::Refused, error.to_string())
                .hint("state at least one rule, such as --older-than 90d, --expired, --max-size or --max-count")
        })?;
        let mut store = Needs::of_all(&sizes);
        walk_selected(&view, selected, |entry| {
            let candidate = Candidate {
                id: entry.id,
                archived_at: entry.archived_at,
                retention: entry.retention,
                spared: spared(entry),
                bytes: logical_bytes(entry),
            };
            planner.consider(&candidate, || {
                let of_selection = if is_measured {
                    selection.remove(entry)?
                } else {
                    0
                };
                Ok(Leaving {
                    of_selection,
                    of_store: store.remove(entry)?,
                })
            })
        })?;
        Ok(planner.finish(store.freed_at_once()))
    }

    /// Carries a plan out: records it, then frees the bytes.
    ///
    /// Refused when the plan is empty or stale: holds or purges came after it, or it was made by
    /// another program's hand. On `Ok` the purge is durable, and [`PurgeOutcome::reclaim`] says
    /// whether its bytes are freed; on an error nothing was purged, unless
    /// the kind is `Io` or `Poisoned`: then the store must be opened again to learn it.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::retention::{AsOf, Policy};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"old"[..])?;
    /// archive.put(NewEntry::new("ICT"), &b"new"[..])?;
    /// let plan = archive.plan_purge(&Policy::default().max_count(1), AsOf::Clock)?;
    /// assert_eq!(plan.count, 1);
    /// let done = archive.purge(&plan, "more than we keep")?;
    /// // On record in any case; the bytes may still be there.
    /// assert_eq!(done.recorded.archives_purged, 1);
    /// assert!(done.reclaim.is_ok());
    /// # archive.close()
    /// # }
    /// ```
    pub fn purge(&self, plan: &PurgePlan, reason: &str) -> Result<PurgeOutcome> {
        if plan.items.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "the plan takes nothing"));
        }
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Refused, "a purge needs a reason")
                .hint("state it with --reason TEXT; it is recorded for good"));
        }
        self.refuse_stale(plan)?;
        let carried_out = Arc::new(plan.clone());
        let actor = self.actor.clone();
        self.wait(|reply| Request::Purge(carried_out, reason.to_owned(), actor, reply))?;
        Ok(PurgeOutcome {
            recorded: RecordedPurge {
                archives_purged: plan.count,
                oldest_purged: plan.oldest,
                newest_purged: plan.newest,
                reason: reason.to_owned(),
                plan_id: plan.plan_id.clone(),
            },
            reclaim: self.compact(None),
        })
    }

    /// A plan is stale once a hold was placed or released, or anything was purged, after it was made.
    fn refuse_stale(&self, plan: &PurgePlan) -> Result<()> {
        if plan.at_seq > self.newest() {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "plan {} is stale: it was made at event {}, which this store has not reached",
                    plan.plan_id, plan.at_seq
                ),
            )
            .hint("make a new plan with 'annals retention preview'"));
        }
        let newest = self.shared().view().plans_stale_since();
        if newest <= plan.at_seq {
            return Ok(());
        }
        let leaf = self.events(newest, None)?.next().transpose()?;
        let event = leaf.map(|leaf| rebuild::decode(newest, leaf.line.as_bytes()));
        let event = event.transpose()?;
        let kind = event.as_ref().map_or("unknown", |event| event.body.kind());
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "plan {} is stale: event {newest} ({kind}) came after it",
                plan.plan_id
            ),
        )
        .hint("make a new plan with 'annals retention preview' and look at it"))
    }
}

/// Hands out the live entries that are selected, oldest first, until one cannot be worked on.
fn walk_selected(
    view: &View,
    selected: impl Fn(&Entry) -> bool,
    mut each: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let mut done = Ok(());
    view.walk_oldest(|entry| {
        if selected(&entry) {
            done = each(&entry);
        }
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    done
}

/// What keeps an entry whatever the rules say.
fn spared(entry: &Entry) -> Option<Spared> {
    if !entry.holds.is_empty() {
        Some(Spared::Held)
    } else if entry.waits_for_submission() {
        Some(Spared::Waiting)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{NewAttempt, NewEntry, Options};
    use crate::disk::sim::{Fault, Repeat, SimDisk};
    use crate::entry::Outcome;
    use crate::id::{BlobId, EntryId};
    use crate::log::JOURNAL_BYTES_MIN;

    const SECRET: &[u8] = b"serial 4711 of a unit that must be forgotten";

    fn archive(disk: &SimDisk) -> Archive {
        let options = Options {
            journal_bytes: JOURNAL_BYTES_MIN,
            ..Options::default()
        };
        Archive::create_on(Arc::new(disk.clone()), options).expect("a store")
    }

    fn put(archive: &Archive, content: &[u8]) {
        put_as(archive, "ICT", content);
    }

    fn put_as(archive: &Archive, converter: &str, content: &[u8]) {
        let new = NewEntry {
            converter: converter.into(),
            ..NewEntry::default()
        };
        archive.put(new, content).expect("archived");
    }

    fn is_anywhere(disk: &SimDisk, wanted: &[u8]) -> bool {
        disk.files().iter().any(|(path, _)| {
            let content = disk.content(path).expect("a file");
            content.windows(wanted.len()).any(|window| window == wanted)
        })
    }

    /// Purged content used to linger in journal files that had been sealed and recycled before the purge.
    #[test]
    fn purged_content_is_nowhere_on_the_disk_however_it_got_there() {
        let disk = SimDisk::new();
        let archive = archive(&disk);
        put(&archive, SECRET);
        archive.seal().expect("sealed");
        // Once more in the journal, which is not sealed when the purge comes.
        put(&archive, SECRET);
        assert!(
            is_anywhere(&disk, SECRET),
            "the test looks in the right place"
        );
        let policy = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        archive.purge(&plan, "asked for").expect("purged");
        assert!(!is_anywhere(&disk, SECRET));
        archive.close().expect("closed");
    }

    /// A file that is used again holds what it held before, behind what was written since. When all of that is sealed by then,
    /// a purge of it does not turn to another file.
    #[test]
    fn purged_content_does_not_linger_in_the_journal_file_that_is_being_written() {
        let disk = SimDisk::new();
        let archive = archive(&disk);
        put(&archive, b"what comes before is overwritten first");
        put(&archive, SECRET);
        // On to another file, and back.
        archive.seal().expect("sealed");
        put(&archive, b"in between");
        archive.seal().expect("sealed");
        assert!(is_anywhere(&disk, SECRET), "behind the end of the file");
        let plan = archive.plan_purge(&all_but(1), AsOf::Clock);
        let plan = plan.expect("a plan");
        archive.purge(&plan, "asked for").expect("purged");
        assert!(!is_anywhere(&disk, SECRET));
        archive.close().expect("closed");
    }

    /// What was archived since changes nothing that a plan decided on.
    #[test]
    fn a_plan_is_good_after_more_was_archived_and_in_no_store_that_has_not_come_as_far() {
        let one = archive(&SimDisk::new());
        put(&one, b"first");
        let plan = one.plan_purge(&all_but(0), AsOf::Clock).expect("a plan");
        put(&one, b"second");
        let mut ahead = plan.clone();
        ahead.at_seq = one.newest().next();
        let refused = one.purge(&ahead, "asked for").expect_err("from nowhere");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        assert!(refused.message().contains("has not reached"), "{refused}");
        let purged = one.purge(&plan, "asked for").expect("purged");
        assert_eq!(purged.recorded.archives_purged, 1);
    }

    /// A seal compresses all that was archived since the last one. A nightly purge of what is months old waited for it.
    #[test]
    fn a_purge_seals_the_journal_only_when_something_that_goes_is_in_it() {
        let disk = SimDisk::new();
        let archive = archive(&disk);
        put(&archive, SECRET);
        archive.seal().expect("sealed");
        put(&archive, b"second");
        let segments = || {
            let files = disk.files().into_iter();
            files
                .filter(|(path, _)| path.starts_with("events/"))
                .count()
        };
        for (left, goes, sealed) in [(1, SECRET, 1), (0, b"second", 2)] {
            assert!(is_anywhere(&disk, goes));
            let plan = archive.plan_purge(&all_but(left), AsOf::Clock);
            archive
                .purge(&plan.expect("a plan"), "asked for")
                .expect("purged");
            assert!(!is_anywhere(&disk, goes), "{left} left");
            assert_eq!(segments(), sealed);
        }
    }

    /// The power went when a purge was recorded and nothing was freed yet. The next one, of something else, ends it.
    #[test]
    fn a_purge_ends_what_one_before_it_could_not() {
        let disk = SimDisk::new();
        let cut_off = archive(&disk);
        put(&cut_off, b"long sealed");
        cut_off.seal().expect("sealed");
        put_as(&cut_off, "FCT", SECRET);
        let plan_for = |archive: &Archive, converter: &str| {
            let policy = Policy {
                converter: Some(converter.into()),
                ..all_but(0)
            };
            let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
            assert_eq!(plan.count, 1);
            plan
        };
        let plan = Arc::new(plan_for(&cut_off, "FCT"));
        cut_off
            .wait(|reply| Request::Purge(plan, "asked for".into(), None, reply))
            .expect("recorded");
        let disk = disk.snapshot();
        assert!(is_anywhere(&disk, SECRET));
        let archive = Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opens");
        let plan = plan_for(&archive, "ICT");
        archive.purge(&plan, "asked for").expect("purged");
        assert!(!is_anywhere(&disk, SECRET));
    }

    /// What stands before content in the journal, and in a pack.
    const RECORD: u64 = 60;
    /// And the share of each of three in what a pack has beside records.
    const PACKED: u64 = 28 + 52 + (128 + 64) / 3;

    fn noise(seed: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new()
            .update(&[seed])
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    /// Two entries with one content, and a third with a report.
    fn three(archive: &Archive) {
        put(archive, &noise(1, 1_000));
        put(archive, &noise(1, 1_000));
        put(archive, &noise(2, 500));
        let newest = archive.newest();
        let attempt = NewAttempt {
            reports: vec![noise(3, 300)],
            ..NewAttempt::new(Outcome::Success, "ICT")
        };
        archive
            .record_attempt(EntryId(newest.0), attempt)
            .expect("recorded");
    }

    fn all_but(left: u64) -> Policy {
        Policy {
            max_count: Some(left),
            ..Policy::default()
        }
    }

    fn freed(archive: &Archive, policy: &Policy) -> Vec<u64> {
        let plan = archive.plan_purge(policy, AsOf::Clock).expect("a plan");
        plan.items.iter().map(|item| item.bytes_freed).collect()
    }

    #[test]
    fn a_plan_says_for_each_entry_what_goes_with_it_and_not_before() {
        for sealed in [false, true] {
            let archive = archive(&SimDisk::new());
            three(&archive);
            if sealed {
                archive.seal().expect("sealed");
            }
            let record = if sealed { PACKED } else { RECORD };
            let all = [0, 1_000 + record, 800 + 2 * record];
            assert_eq!(freed(&archive, &all_but(0)), all);
            assert_eq!(freed(&archive, &all_but(1)), all[..2]);
            assert_eq!(freed(&archive, &all_but(3)), all[..0]);
            // A limit on size is one on what is stored: the content that two of them have counts
            // once.
            let by_size = |bytes| Policy {
                max_size: Some(bytes),
                ..Policy::default()
            };
            let stored = 1_800 + 3 * record;
            assert_eq!(freed(&archive, &by_size(stored)), all[..0]);
            assert_eq!(freed(&archive, &by_size(stored - 1)), all[..2]);
            assert_eq!(freed(&archive, &by_size(800 + 2 * record)), all[..2]);
            assert_eq!(freed(&archive, &by_size(799)), all);
        }
    }

    #[test]
    fn a_purge_says_what_it_freed_in_the_journal_and_in_packs() {
        let archive = archive(&SimDisk::new());
        three(&archive);
        let plan = archive
            .plan_purge(&all_but(0), AsOf::Clock)
            .expect("a plan");
        let done = archive.purge(&plan, "test").expect("purged");
        assert_eq!(done.bytes_freed(), 1_800 + 3 * RECORD);
        assert_eq!(done.recorded.archives_purged, 3);

        three(&archive);
        archive.seal().expect("sealed");
        let packs: u64 = archive
            .snapshot()
            .expect("there")
            .stats()
            .expect("counted")
            .stored_bytes;
        put(&archive, &noise(4, 700));
        let plan = archive
            .plan_purge(&all_but(0), AsOf::Clock)
            .expect("a plan");
        let done = archive.purge(&plan, "test").expect("purged");
        assert!(packs >= 1_800 + 3 * PACKED, "{packs}");
        assert_eq!(done.bytes_freed(), packs + 700 + RECORD);
    }

    /// A hold that was placed and lifted again is nothing the entries themselves remember.
    #[test]
    fn a_plan_is_stale_once_anybody_spoke_of_holds_and_where_it_was_not_made() {
        let archive = archive(&SimDisk::new());
        three(&archive);
        let kind = |done: Result<PurgeOutcome>| done.map_err(|error| error.kind()).err();
        let plan = archive
            .plan_purge(&all_but(0), AsOf::Clock)
            .expect("a plan");
        let ahead = PurgePlan {
            at_seq: archive.newest().next(),
            ..plan.clone()
        };
        assert_eq!(
            kind(archive.purge(&ahead, "test")),
            Some(ErrorKind::Refused)
        );
        let first = EntryId(plan.items[0].id.0);
        archive
            .place_hold("audit", "why", vec![first])
            .expect("placed");
        archive.release_hold("audit", "over").expect("released");
        assert_eq!(kind(archive.purge(&plan, "test")), Some(ErrorKind::Refused));
        let fresh = archive
            .plan_purge(&all_but(0), AsOf::Clock)
            .expect("a plan");
        assert_eq!(kind(archive.purge(&fresh, "test")), None);
    }

    #[test]
    fn a_policy_without_a_rule_takes_nothing_and_says_how_to_state_one() {
        let archive = archive(&SimDisk::new());
        three(&archive);
        let policy = Policy {
            converter: Some("ICT".into()),
            ..Policy::default()
        };
        let refused = archive.plan_purge(&policy, AsOf::Clock).expect_err("none");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        let hint = refused.next_step().expect("a hint");
        assert!(hint.contains("at least one rule"), "{hint}");
    }

    #[test]
    fn a_purge_of_nothing_or_without_a_reason_is_refused() {
        let archive = archive(&SimDisk::new());
        three(&archive);
        let newest = archive.newest();
        let refused = |left, reason| {
            let plan = archive.plan_purge(&all_but(left), AsOf::Clock);
            let refused = archive.purge(&plan.expect("a plan"), reason);
            let refused = refused.expect_err("carried out");
            assert_eq!(refused.kind(), ErrorKind::Refused);
            refused.message().to_owned()
        };
        assert_eq!(refused(3, "test"), "the plan takes nothing");
        for reason in ["", " \t\n"] {
            assert_eq!(refused(0, reason), "a purge needs a reason");
        }
        assert_eq!(archive.newest(), newest);
    }

    /// An index that cannot be read must not make a plan shorter.
    #[test]
    fn a_plan_that_cannot_be_made_to_its_end_is_none() {
        let disk = SimDisk::new();
        let made = archive(&disk);
        // More than a page of the index holds.
        for nth in 0..150_u32 {
            put(&made, &nth.to_le_bytes());
        }
        made.seal().expect("sealed");
        made.close().expect("closed");
        let plan_failing_at = |calls: Option<u64>, older_than: i64| {
            let disk = disk.snapshot();
            let options = Options {
                index_cache_bytes: 0,
                access: crate::archive::Access::ReadOnly,
                ..Options::default()
            };
            let archive = Archive::open_on(Arc::new(disk.clone()), options).expect("opened");
            let before = disk.calls();
            if let Some(calls) = calls {
                disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            }
            let policy = Policy {
                older_than_micros: Some(older_than),
                ..Policy::default()
            };
            let day = archive.shared().options.clock.now().plus_days(1);
            let plan = archive.plan_purge(&policy, AsOf::Vouched(day));
            assert_eq!(disk.struck(), u64::from(calls.is_some()));
            (plan, disk.calls() - before)
        };
        let (walked, walking) = plan_failing_at(None, 1_000 * 86_400_000_000);
        assert_eq!(walked.expect("a plan").count, 0);
        let (taken, taking) = plan_failing_at(None, 1);
        assert_eq!(taken.expect("a plan").count, 150);
        assert!(
            taking > walking,
            "{taking} calls, {walking} without what goes along"
        );
        for calls in [0, taking / 2, taking - 1] {
            let (plan, _) = plan_failing_at(Some(calls), 1);
            let kind = plan.map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::Io), "call {calls}");
        }
    }

    /// A view is a moment; content can move from the journal to packs behind it, and what it knows of no more counts as nothing.
    #[test]
    fn content_a_view_does_not_know_or_lost_sight_of_frees_nothing() {
        let archive = archive(&SimDisk::new());
        put(&archive, &noise(1, 1_000));
        let view = archive.shared().view();
        let freed = |content: &[u8]| {
            let sizes = Sizes::new(archive.shared(), &view).expect("readable");
            let mut store = Needs::of_all(&sizes);
            store.release(BlobId::of(content)).expect("readable")
        };
        assert_eq!(freed(&noise(2, 500)), 0);
        assert_eq!(freed(&noise(1, 1_000)), 1_000 + RECORD);
        archive.seal().expect("sealed");
        assert_eq!(freed(&noise(1, 1_000)), 0);
    }
}
