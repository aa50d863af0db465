//! Purges that are undone, that become final, and power cuts in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::archive::{HoldOn, NewAttempt, NewEntry, NewHold, Options, ValueState};
use crate::disk::sim::{SimDisk, Variants};
use crate::entry::Outcome;
use crate::event::PersonalField;
use crate::log::JOURNAL_BYTES_MIN;
use crate::query::{Filter, Query};
use crate::retention::{AsOf, Policy, Unsubmitted};
use crate::time::Clock;

const SECRET: &[u8] = b"serial 4711 of a unit that was purged by mistake";
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Hours since 1970, as a test sets them.
struct Hours(AtomicI64);

impl Clock for Hours {
    fn now(&self) -> Timestamp {
        let hours = self.0.load(Ordering::Relaxed);
        Timestamp::from_micros(hours * 3_600_000_000)
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn boot(&self) -> &'static str {
        "test"
    }
}

fn options(clock: &Arc<Hours>) -> Options {
    Options {
        journal_bytes: JOURNAL_BYTES_MIN,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..Options::default()
    }
}

fn store(disk: &SimDisk) -> (Archive, Arc<Hours>) {
    let clock = Arc::new(Hours(AtomicI64::new(400_000)));
    let archive = Archive::create_on(Arc::new(disk.clone()), options(&clock)).expect("a store");
    (archive, clock)
}

fn open(disk: &SimDisk, clock: &Arc<Hours>) -> Archive {
    Archive::open_on(Arc::new(disk.clone()), options(clock)).expect("opens")
}

fn put(archive: &Archive, serial: &str, content: &[u8]) -> EntryId {
    let new = NewEntry::new("ICT").serial(serial);
    archive.put(new, content).expect("archived").id
}

fn plan_all(archive: &Archive) -> PurgePlan {
    let policy = Policy {
        max_count: Some(0),
        unsubmitted: Unsubmitted::Take,
        ..Policy::default()
    };
    archive.plan_purge(&policy, AsOf::Clock).expect("a plan")
}

fn purge_all(archive: &Archive) -> String {
    let plan = plan_all(archive);
    let done = archive.purge_with_grace(&plan, "by mistake", WEEK);
    let done = done.expect("recorded");
    assert!(done.recorded.final_at.is_some());
    assert_eq!(done.bytes_freed(), 0);
    plan.plan_id
}

fn dump(archive: &Archive) -> Vec<String> {
    let mut lines = Vec::new();
    let view = archive.store().index.view();
    view.dump(|line| lines.push(line)).expect("sound");
    lines
}

fn is_anywhere(disk: &SimDisk) -> bool {
    disk.files().iter().any(|(path, _)| {
        let content = disk.content(path).expect("a file");
        content.windows(SECRET.len()).any(|window| window == SECRET)
    })
}

fn listed(archive: &Archive) -> usize {
    let snapshot = archive.snapshot().expect("there");
    snapshot
        .query(&Query::default())
        .expect("listed")
        .entries
        .len()
}

/// Somebody gave the wrong age, and a year of results was gone for good.
#[test]
fn a_purge_that_is_undone__brings_back_everything() {
    let disk = SimDisk::new();
    let (archive, clock) = store(&disk);
    let id = put(&archive, "SN1", SECRET);
    let mut attempt = NewAttempt::new(Outcome::Success, "ICT");
    attempt.reports = vec![b"its report".to_vec()];
    attempt.submit = Some("https://mes.example".into());
    archive.record_attempt(id, attempt).expect("recorded");
    let before = archive.snapshot().expect("there").entry(id).expect("read");
    let waiting = || archive.store().index.view().waiting();
    assert_eq!(waiting(), 1);
    let plan = purge_all(&archive);
    assert_eq!((listed(&archive), waiting()), (0, 0));
    let pending = archive.pending_purges().expect("listed");
    assert_eq!((pending.len(), pending[0].entries), (1, 1));
    assert!(pending[0].bytes_freed > 0);
    let meanwhile = archive.snapshot().expect("there").entry(id).expect("read");
    let meanwhile = meanwhile.expect("there");
    assert!(meanwhile.purged_at.is_some() && meanwhile.final_at.is_some());
    archive.compact(None).expect("compacted");
    archive.close().expect("closed");
    let archive = open(&disk, &clock);
    let undone = archive.undo_purge(&plan, "it was the wrong age");
    assert_eq!(undone.expect("undone").entries, 1);
    let after = archive.snapshot().expect("there").entry(id).expect("read");
    assert_eq!(after, before);
    assert_eq!(archive.store().index.view().waiting(), 1);
    assert!(archive.pending_purges().expect("listed").is_empty());
    let twice = archive
        .undo_purge(&plan, "again")
        .expect_err("undone already");
    assert_eq!(twice.kind(), ErrorKind::Refused, "{twice}");
    let unknown = archive
        .undo_purge("0000", "no such plan")
        .expect_err("none");
    assert_eq!(unknown.kind(), ErrorKind::NotFound, "{unknown}");
}

/// A grace period that nobody ends kept the bytes for ever in other tools.
#[test]
fn a_purge_whose_time_is_over__is_final_at_the_next_occasion() {
    type Occasion = fn(Archive, &SimDisk, &Arc<Hours>) -> Archive;
    let occasions: [Occasion; 3] = [
        |archive, disk, clock| {
            archive.close().expect("closed");
            open(disk, clock)
        },
        |archive, _, _| {
            archive.compact(None).expect("compacted");
            archive
        },
        |archive, _, _| {
            let (entries, freed) = archive.finalize_due().expect("recorded");
            assert_eq!(entries, 1);
            freed.expect("freed");
            archive
        },
    ];
    for occasion in occasions {
        let disk = SimDisk::new();
        let (archive, clock) = store(&disk);
        put(&archive, "SN1", SECRET);
        let plan = purge_all(&archive);
        clock.0.fetch_add(7 * 24 - 1, Ordering::Relaxed);
        assert_eq!(archive.finalize_due().expect("nothing").0, 0);
        archive.compact(None).expect("compacted");
        assert!(is_anywhere(&disk));
        clock.0.fetch_add(1, Ordering::Relaxed);
        // From this moment on, whoever comes first.
        let late = archive.undo_purge(&plan, "too late").expect_err("final");
        assert_eq!(late.kind(), ErrorKind::Refused, "{late}");
        let archive = occasion(archive, &disk, &clock);
        archive.compact(None).expect("compacted");
        assert!(archive.pending_purges().expect("listed").is_empty());
        assert!(!is_anywhere(&disk), "its bytes are gone");
        let late = archive.undo_purge(&plan, "too late").expect_err("final");
        assert!(late.message().contains("final"), "{late}");
    }
}

/// A clock that jumped ahead must not make a purge final.
#[test]
fn a_clock_in_doubt__makes_no_purge_final() {
    let disk = SimDisk::new();
    let (archive, clock) = store(&disk);
    put(&archive, "SN1", SECRET);
    let plan = purge_all(&archive);
    clock.0.fetch_add(400 * 24, Ordering::Relaxed);
    let doubt = archive.finalize_due().expect_err("in doubt");
    assert_eq!(doubt.kind(), ErrorKind::Refused);
    archive.compact(None).expect("compacted");
    assert!(is_anywhere(&disk));
    clock.0.fetch_sub(400 * 24, Ordering::Relaxed);
    assert_eq!(
        archive.undo_purge(&plan, "back").expect("undone").entries,
        1
    );
}

#[test]
fn a_purge_that_is_finalized_early__says_why_and_frees_its_bytes() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    put(&archive, "SN1", SECRET);
    let plan = purge_all(&archive);
    let silent = archive.finalize_purge(&plan, " ").expect_err("no reason");
    assert_eq!(silent.kind(), ErrorKind::Refused);
    let freed = archive.finalize_purge(&plan, "the disk is full");
    assert!(freed.expect("final").expect("freed").bytes_freed > 0);
    assert!(!is_anywhere(&disk));
    let undo = archive.undo_purge(&plan, "too late").expect_err("final");
    assert_eq!(undo.kind(), ErrorKind::Refused);
}

/// Content that came in again during the grace period must outlive the end of it.
#[test]
fn content_that_a_later_entry_shares__stays_when_the_purge_is_final() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    put(&archive, "SN1", SECRET);
    let plan = purge_all(&archive);
    let again = archive.put(NewEntry::new("ICT"), SECRET).expect("archived");
    assert!(again.duplicate);
    let freed = archive.finalize_purge(&plan, "over").expect("final");
    freed.expect("freed");
    archive.compact(None).expect("compacted");
    let mut read = Vec::new();
    std::io::Read::read_to_end(
        &mut archive.read(&again.blob.blake3).expect("there"),
        &mut read,
    )
    .expect("read");
    assert_eq!(read, SECRET);
}

/// A hold on entries to come was placed while an entry of them was purged.
#[test]
fn an_entry_that_comes_back__is_under_the_holds_it_matches() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    let id = put(&archive, "SN1", SECRET);
    let plan = purge_all(&archive);
    let on = HoldOn::NowAndFuture(Filter::default().serial("SN1"));
    assert_eq!(
        archive
            .hold(NewHold::new("case", "a claim", on))
            .expect("held"),
        0
    );
    archive
        .undo_purge(&plan, "needed for the claim")
        .expect("undone");
    let entry = archive.snapshot().expect("there").entry(id).expect("read");
    assert_eq!(entry.expect("there").holds, ["case"]);
    assert_eq!(plan_all(&archive).held_skipped, 1);
}

/// A preview that was made before somebody undid a purge says nothing of what came back.
#[test]
fn a_plan_from_before_an_undo__is_stale() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    put(&archive, "SN1", SECRET);
    let plan = purge_all(&archive);
    put(&archive, "SN2", b"another");
    let preview = plan_all(&archive);
    archive.undo_purge(&plan, "back").expect("undone");
    let stale = archive.purge(&preview, "old preview").expect_err("stale");
    assert!(stale.message().contains("stale"), "{stale}");
}

/// Two people undo at the same time, or one finalizes while the other undoes.
#[test]
fn of_two_who_end_a_purge_at_once__one_is_refused() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    for serial in ["SN1", "SN2", "SN3"] {
        put(&archive, serial, serial.as_bytes());
    }
    let plan = purge_all(&archive);
    let ended: Vec<bool> = std::thread::scope(|scope| {
        let ends: Vec<_> = (0..4)
            .map(|nth| {
                let (archive, plan) = (&archive, &plan);
                scope.spawn(move || match nth % 2 {
                    0 => archive.undo_purge(plan, "back").is_ok(),
                    _ => archive.finalize_purge(plan, "over").is_ok(),
                })
            })
            .collect();
        ends.into_iter()
            .map(|end| end.join().expect("no panic"))
            .collect()
    });
    assert_eq!(ended.iter().filter(|ended| **ended).count(), 1, "{ended:?}");
    assert!([0, 3].contains(&listed(&archive)));
    assert_eq!(
        archive
            .snapshot()
            .expect("there")
            .stats()
            .expect("counted")
            .pending,
        0
    );
}

/// Undoing a purge brought the entry back without the name that it was found by.
#[test]
fn personal_values__come_back_with_their_entry_and_go_when_the_purge_is_final() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    let fields = [PersonalField::Meta("operator".into())];
    archive
        .declare_personal(&fields, Some("law"))
        .expect("declared");
    let name = "Somebody Somewhere";
    let new = NewEntry::new("ICT").meta("operator", name);
    let id = archive.put(new, &b"content"[..]).expect("archived").id;
    let operator = || {
        let entry = archive.snapshot().expect("there").entry(id).expect("read");
        entry.expect("there").meta.get("operator").cloned()
    };
    let plan = purge_all(&archive);
    archive.compact(None).expect("compacted");
    archive.undo_purge(&plan, "needed").expect("undone");
    assert_eq!(operator().as_deref(), Some(name));
    let live = dump(&archive);
    archive.rebuild().expect("rebuilt");
    assert_eq!(dump(&archive), live);
    let plan = purge_all(&archive);
    let freed = archive.finalize_purge(&plan, "over").expect("final");
    freed.expect("freed");
    assert_eq!(operator(), None);
    let values = archive.personal_values(id).expect("listed");
    assert!(
        matches!(values[0].state, ValueState::Purged(_)),
        "{values:?}"
    );
    let is_left = disk.files().iter().any(|(path, _)| {
        let content = disk.content(path).expect("a file");
        content
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    });
    assert!(!is_left, "nothing has the name any more");
    let live = dump(&archive);
    archive.rebuild().expect("rebuilt");
    assert_eq!(dump(&archive), live);
}

/// On a full disk a purge with grace frees nothing. It must be recorded, and to end it early must
/// work without any room.
#[test]
fn on_a_full_disk__a_grace_period_can_be_ended_early() {
    let disk = SimDisk::new();
    let (archive, _) = store(&disk);
    for nth in 0..40_u64 {
        let mut noise = vec![0; 3_000];
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&nth.to_le_bytes())
            .finalize_xof()
            .fill(&mut noise);
        put(&archive, "SN1", &noise);
    }
    archive.seal().expect("sealed");
    disk.set_capacity(Some(disk.used_bytes()));
    let plan = purge_all(&archive);
    archive.compact(None).expect("nothing to do");
    let packs = || -> u64 {
        let files = disk.files();
        let packs = files.iter().filter(|(path, _)| path.starts_with("packs"));
        packs.map(|(_, bytes)| bytes).sum()
    };
    assert!(packs() > 120_000, "the grace period keeps it");
    let freed = archive.finalize_purge(&plan, "the disk is full");
    freed.expect("final").expect("freed");
    assert_eq!(packs(), 0);
}

/// At every moment of a purge with grace and its undo, a power cut leaves all entries, none, or a
/// purge that can be undone; and the index is that of its log.
#[test]
fn after_a_power_cut_at_any_moment__nothing_is_lost_before_its_time() {
    let disk = SimDisk::new();
    let (archive, clock) = store(&disk);
    for serial in ["SN1", "SN2", "SN3"] {
        put(&archive, serial, SECRET);
    }
    archive.close().expect("closed");
    let archive = open(&disk, &clock);
    let begun = disk.ops();
    let plan = purge_all(&archive);
    archive.compact(None).expect("compacted");
    archive.undo_purge(&plan, "back").expect("undone");
    purge_all(&archive);
    archive.close().expect("closed");
    let variants = Variants {
        each: 2,
        random: 1,
        ..Variants::default()
    };
    let (mut with_all, mut with_none) = (0, 0);
    for image in disk.crash_images(begun.., &variants) {
        let archive = open(&image.disk, &clock);
        let pending = archive.pending_purges().expect("listed");
        let waits: u64 = pending.iter().map(|purge| purge.entries).sum();
        assert_eq!(listed(&archive) as u64 + waits, 3, "{image}");
        (with_all, with_none) = match waits {
            0 => (with_all + 1, with_none),
            _ => (with_all, with_none + 1),
        };
        for purge in pending {
            let undone = archive.undo_purge(&purge.plan_id, "after the cut");
            undone.unwrap_or_else(|error| panic!("{image}: {error}"));
        }
        assert_eq!(listed(&archive), 3, "{image}");
        let live = dump(&archive);
        archive.rebuild().expect("rebuilt");
        assert_eq!(dump(&archive), live, "{image}");
    }
    assert!(with_all > 5 && with_none > 5, "{with_all} {with_none}");
}
