//! A plant's log was signed for years, and nobody could say whether the copy that came back from
//! the backup was all of it. Each test takes something away from a log, changes it, or uses a key
//! that it must not use, and asks for the finding that says so; beside it stands a log in which all
//! is well.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::archive::messages::Draft;
use crate::archive::{Access, Archive, Cadence, Depth, NewEntry, Options, RecordedCheckpoint};
use crate::disk::sim::{Fault, Repeat, SimDisk, Variants};
use crate::entry::Meta;
use crate::event::{Body, CheckpointSigned, CheckpointTimestamped, Counts, Exported, Scope};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::key::SecretKey;
use crate::evidence::note::KeyName;
use crate::evidence::timestamp::TimestampToken;
use crate::evidence::timestamp::tests::token;
use crate::evidence::tree::Frontier;
use crate::id::{EventSeq, Sha256};
use crate::retention::{AsOf, Policy};

fn key(archive: &Archive, seed: u8) -> Arc<SecretKey> {
    let name = KeyName::of_store(&archive.store_id());
    Arc::new(SecretKey::from_seed(name, &[seed; 32]))
}

fn options() -> Options {
    Options {
        journal_bytes: 64 << 10,
        ..Options::default()
    }
}

/// Makes a store that is signed with the key of seed 1.
fn signed_store() -> (SimDisk, Archive) {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    archive.begin_signing(key(&archive, 1)).expect("signed");
    (disk, archive)
}

fn open(disk: &SimDisk, seed: Option<u8>, copies: Option<&Path>) -> Archive {
    let reading = options().access(Access::ReadOnly);
    let reader = Archive::open_on(Arc::new(disk.clone()), reading).expect("opens");
    let signer = seed.map(|seed| key(&reader, seed) as _);
    drop(reader);
    let options = Options {
        signer,
        checkpoint_copies: copies.map(Path::to_owned),
        ..options()
    };
    Archive::open_on(Arc::new(disk.clone()), options).expect("opens")
}

fn put(archive: &Archive, content: &[u8]) {
    archive
        .put(NewEntry::new("ICT"), content)
        .expect("archived");
}

fn lines(archive: &Archive) -> Vec<String> {
    let events = archive.events(EventSeq(1), None).expect("readable");
    events.map(|leaf| leaf.expect("whole").line).collect()
}

fn kinds(archive: &Archive) -> Vec<String> {
    let kind = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        event["type"].as_str().expect("a text").to_owned()
    };
    lines(archive).iter().map(kind).collect()
}

fn count(archive: &Archive, kind: &str) -> usize {
    kinds(archive).iter().filter(|found| *found == kind).count()
}

/// The kind of events with a checkpoint.
const SIGNED: &str = "annals.checkpoint.signed.v1";

fn findings(archive: &Archive) -> String {
    let report = archive.verify(Depth::Deep).expect("verified");
    let found = report.findings.iter();
    found
        .map(|found| format!("{}: {}\n", found.r#where, found.detail))
        .collect()
}

/// Records a checkpoint as if it had been signed properly.
fn forge(archive: &Archive, with: &SecretKey, size: u64, tree: &Frontier) {
    let checkpoint = Checkpoint::new(with.verifier().name().into(), size, tree.root());
    let signed = SignedCheckpoint::sign(checkpoint, &[with]).expect("signed");
    let note = signed.to_string();
    let draft = Draft::fact(Body::CheckpointSigned(CheckpointSigned { note }));
    archive.append_fact(draft).expect("recorded");
}

fn tree_of(lines: &[String]) -> Frontier {
    let mut tree = Frontier::new();
    for line in lines {
        tree.push(line.as_bytes());
    }
    tree
}

#[test]
fn a_store_without_a_key__records_nothing_about_evidence() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    put(&archive, b"one");
    assert!(archive.checkpoint().is_err());
    archive.close().expect("closed");
    let archive = open(&disk, None, None);
    assert!(
        !kinds(&archive)
            .iter()
            .any(|kind| kind.contains("checkpoint"))
    );
    let report = archive.verify(Depth::Deep).expect("verified");
    assert!(report.ok && report.evidence.key.is_none(), "{report:?}");
}

#[test]
fn a_checkpoint__has_the_root_over_the_exact_lines_before_it() {
    let (disk, archive) = signed_store();
    let mut before: Option<RecordedCheckpoint> = None;
    for n in 0..200_u32 {
        put(
            &archive,
            format!("content {n} {}", "x".repeat(900)).as_bytes(),
        );
        if n % 50 == 7 {
            let made = archive.checkpoint().expect("signed");
            let all = lines(&archive);
            let size = usize::try_from(made.signed.checkpoint().size).expect("few");
            assert_eq!(made.signed.checkpoint().root, tree_of(&all[..size]).root());
            assert_eq!(size as u64 + 1, made.event.0);
            assert_eq!(archive.checkpoint().expect("the same"), made);
            assert_ne!(before.replace(made.clone()), Some(made));
        }
    }
    archive.seal().expect("sealed");
    put(&archive, b"in the journal");
    archive.close().expect("closed");
    // The end of a store is signed, and opening it alone signs nothing.
    let archive = open(&disk, Some(1), None);
    let last = kinds(&archive);
    assert_eq!(last.last().map(String::as_str), Some(SIGNED));
    assert_eq!(findings(&archive), "");
    let newest = archive.newest();
    let report = archive.verify(Depth::Deep).expect("verified");
    assert_eq!(report.evidence.newest, Some(newest.0 - 1));
    archive.close().expect("closed");
    assert_eq!(open(&disk, Some(1), None).newest(), newest);
}

#[test]
fn checkpoints__come_by_number_and_by_time() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    let signer = key(&archive, 1);
    archive.close().expect("closed");
    let cadence = |events, time| Options {
        signer: Some(Arc::clone(&signer) as _),
        cadence: Some(Cadence::new(events, time)),
        ..options()
    };
    let hour = Duration::from_hours(1);
    let second = Duration::from_secs(1);
    for (options, puts) in [(cadence(5, hour), 40_u32), (cadence(1_000_000, second), 1)] {
        let archive = Archive::open_on(Arc::new(disk.clone()), options).expect("opens");
        let before = count(&archive, SIGNED);
        (0..puts).for_each(|n| put(&archive, &n.to_le_bytes()));
        let mut waited = 0;
        while count(&archive, SIGNED) == before {
            assert!(waited < 300, "no checkpoint after 30 s");
            std::thread::sleep(Duration::from_millis(100));
            waited += 1;
        }
        archive.close().expect("closed");
    }
    let archive = open(&disk, None, None);
    assert_eq!(count(&archive, "annals.checkpoint.cadence.v1"), 2);
    assert_eq!(findings(&archive), "");
}

#[test]
fn a_purge__is_signed_before_and_after() {
    let (_, archive) = signed_store();
    put(&archive, b"old");
    put(&archive, b"new");
    let plan = archive
        .plan_purge(&Policy::default().max_count(1), AsOf::Clock)
        .expect("planned");
    archive.purge(&plan, "too many").expect("purged");
    let kinds = kinds(&archive);
    let at = |kind: &str| kinds.iter().rposition(|found| found == kind).expect(kind);
    assert_eq!(kinds[at("annals.purge.planned.v1") - 1], SIGNED);
    assert!(at(SIGNED) > at("annals.purged.v1"), "{kinds:?}");
}

#[test]
fn a_new_key__takes_over_and_the_old_one_is_refused() {
    let (disk, archive) = signed_store();
    put(&archive, b"one");
    archive.rotate_key(key(&archive, 2)).expect("rotated");
    put(&archive, b"two");
    archive.close().expect("closed");
    let archive = open(&disk, Some(2), None);
    assert_eq!(findings(&archive), "");
    let told = archive.begin_signing(key(&archive, 1)).expect_err("ended");
    assert!(told.message().contains("is signed with the key"), "{told}");
    // The key is lost, and the next one says so.
    let third = key(&archive, 3);
    assert!(
        archive
            .replace_lost_key(Arc::clone(&third) as _, " ")
            .is_err()
    );
    archive
        .replace_lost_key(third, "the disk died")
        .expect("replaced");
    put(&archive, b"three");
    assert_eq!(findings(&archive), "");
    let report = archive.verify(Depth::Deep).expect("verified");
    assert_eq!(
        report.evidence.key,
        Some(key(&archive, 3).verifier().to_string())
    );
    // A checkpoint of a key whose use has ended.
    let all = lines(&archive);
    forge(
        &archive,
        &key(&archive, 1),
        all.len() as u64,
        &tree_of(&all),
    );
    let found = findings(&archive);
    assert!(found.contains("a key whose use had ended"), "{found}");
}

#[test]
fn a_key_of_another_store__is_refused() {
    let (_, archive) = signed_store();
    let (_, other) = signed_store();
    assert!(archive.begin_signing(key(&other, 1)).is_err());
    assert!(archive.rotate_key(key(&other, 2)).is_err());
    assert!(archive.replace_lost_key(key(&other, 2), "gone").is_err());
    assert_eq!(count(&archive, "annals.key.created.v1"), 1);
    assert_eq!(findings(&archive), "");
}

#[test]
fn verify__finds_a_root_that_is_not_that_of_the_events() {
    let (_, archive) = signed_store();
    put(&archive, b"one");
    let mut all = lines(&archive);
    let (size, tree) = (all.len() as u64, tree_of(&all));
    forge(&archive, &key(&archive, 1), size, &tree);
    assert_eq!(findings(&archive), "");
    all[1].push(' ');
    forge(&archive, &key(&archive, 1), size, &tree_of(&all));
    let found = findings(&archive);
    assert!(found.contains("TAMPERED"), "{found}");
    // One that no key of the store made.
    forge(&archive, &key(&archive, 9), size, &tree);
    assert_eq!(findings(&archive).lines().count(), 2);
}

#[test]
fn verify__finds_that_a_promised_checkpoint_is_missing() {
    let (disk, archive) = signed_store();
    archive.close().expect("closed");
    let often = Options {
        signer: Some(key(&open(&disk, None, None), 1)),
        cadence: Some(Cadence::new(10, Duration::from_hours(1))),
        ..options()
    };
    let archive = Archive::open_on(Arc::new(disk.clone()), often).expect("opens");
    put(&archive, b"one");
    archive.close().expect("closed");
    let unsigned = open(&disk, None, None);
    for n in 0..1_000_u32 {
        put(&unsigned, &n.to_le_bytes());
    }
    assert_eq!(findings(&unsigned), "");
    for n in 1_000..1_100_u32 {
        put(&unsigned, &n.to_le_bytes());
    }
    let found = findings(&unsigned);
    assert!(found.contains("no checkpoint was signed"), "{found}");
}

/// A virtual machine was set back to last week. The store looked whole, and the new records got the
/// numbers of those that were gone.
#[test]
fn a_log_that_was_taken_back__is_told_from_one_that_was_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let copies = Some(folder.path());
    let (disk, archive) = signed_store();
    archive.close().expect("closed");
    let [older, unsigned, forked] = [(); 3].map(|()| disk.snapshot());
    let archive = open(&disk, Some(1), copies);
    put(&archive, b"what came last");
    archive.close().expect("closed");
    // It continues itself, as often as it is opened.
    let archive = open(&disk, Some(1), copies);
    assert!(archive.damage().is_empty(), "{:?}", archive.damage());
    put(&archive, b"more");
    drop(archive);
    assert!(open(&disk, None, copies).can_write().is_ok());
    for (disk, seed) in [(&unsigned, None), (&forked, Some(1))] {
        let archive = open(disk, seed, None);
        (0..20_u32).for_each(|n| put(&archive, &n.to_le_bytes()));
        archive.close().expect("closed");
    }
    for (disk, verdict) in [
        (&older, "ROLLED-BACK"),
        (&unsigned, "TAMPERED"),
        (&forked, "FORKED"),
    ] {
        let archive = open(disk, Some(1), copies);
        assert!(
            archive.damage()[0].contains(verdict),
            "{:?}",
            archive.damage()
        );
        let refused = archive.can_write().expect_err("reading only");
        assert!(refused.message().contains("confirm-move"), "{refused}");
        let found = findings(&archive);
        assert!(found.contains(verdict), "{found}");
        drop(archive);
        assert!(
            open(disk, Some(1), None).can_write().is_ok(),
            "nobody knows"
        );
    }
}

/// A power cut between the record of a new key and the next checkpoint left a log that neither key
/// could continue.
#[test]
fn after_a_power_cut_at_any_moment__the_log_holds_and_one_of_the_keys_goes_on() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    let made = disk.ops();
    let mut acknowledged = Vec::new();
    archive.begin_signing(key(&archive, 1)).expect("signed");
    put(&archive, b"one");
    let first = archive.checkpoint().expect("signed");
    acknowledged.push((disk.ops(), first.event));
    let rotated = archive.rotate_key(key(&archive, 2)).expect("rotated");
    acknowledged.push((disk.ops(), rotated));
    put(&archive, b"two");
    archive.close().expect("closed");
    let mut opened_with = [0; 2];
    let variants = Variants {
        each: 2,
        random: 1,
        ..Variants::default()
    };
    for image in disk.crash_images(made.., &variants) {
        let at = |seed| Options {
            signer: Some(key_of(&disk, seed)),
            ..options()
        };
        let tried =
            [1, 2].map(|seed| Archive::open_on(Arc::new(image.disk.clone()), at(seed)).ok());
        let number = usize::from(tried[0].is_none());
        let archive = tried.into_iter().flatten().next();
        let archive = archive.unwrap_or_else(|| panic!("{image}: no key goes on"));
        opened_with[number] += 1;
        let durable = acknowledged.iter().filter(|(ops, _)| *ops <= image.cut);
        for (_, event) in durable {
            assert!(archive.newest() >= *event, "{image}: event {event} is lost");
        }
        put(&archive, b"after the cut");
        archive
            .checkpoint()
            .unwrap_or_else(|error| panic!("{image}: {error}"));
        let found = findings(&archive);
        assert_eq!(found, "", "{image}");
    }
    assert!(opened_with[0] > 5 && opened_with[1] > 5, "{opened_with:?}");
}

fn key_of(disk: &SimDisk, seed: u8) -> Arc<SecretKey> {
    let reading = options().access(Access::ReadOnly);
    let reader = Archive::open_on(Arc::new(disk.snapshot()), reading).expect("opens");
    key(&reader, seed)
}

/// A full disk keeps a checkpoint from being signed. What is archived is acknowledged as before,
/// and the next checkpoint covers it.
#[test]
fn a_disk_that_fails_while_signing__loses_nothing() {
    for call in 0..60 {
        let (disk, archive) = signed_store();
        put(&archive, b"one");
        disk.fail_at(call, Fault::Os(28), Repeat::Once);
        let signed = archive.checkpoint();
        disk.heal();
        drop(archive);
        let archive = open(&disk, Some(1), None);
        if let Ok(signed) = signed {
            assert!(archive.newest() >= signed.event, "call {call}");
        }
        put(&archive, b"two");
        archive.checkpoint().expect("signed");
        assert_eq!(findings(&archive), "", "call {call}");
        assert_eq!(count(&archive, "annals.archived.v1"), 2, "call {call}");
    }
}

/// What a plant does with its log while the disk goes bad. It may fail.
type Deed = fn(&Archive) -> crate::Result<()>;

const DEEDS: [(&str, Deed); 3] = [
    ("checkpoint", |archive| archive.checkpoint().map(drop)),
    ("rotate", |archive| {
        archive.rotate_key(key(archive, 2)).map(drop)
    }),
    ("export", |archive| {
        let exported = Exported {
            format: 1,
            filters: Meta::new(),
            scope: Scope::Whole,
            upto: EventSeq(1),
            counts: Counts::default(),
            root: Sha256::from_bytes([0; 32]),
            contents: None,
        };
        archive.record_export(exported).map(drop)
    }),
];

/// The disk failed while a checkpoint was recorded. The copy on another disk was of a checkpoint
/// that the log never had, and after the power cut the store was called rolled back.
#[test]
fn a_disk_that_fails_and_then_loses_power__leaves_no_copy_that_is_ahead_of_the_log() {
    let plainest = Variants {
        each: 1,
        torn_at: Vec::new(),
        random: 1,
        seed: 1,
    };
    for (deed, act) in DEEDS {
        let mut failed = 0;
        for call in 0..16 {
            let folder = tempfile::tempdir().expect("a folder");
            let (disk, archive) = signed_store();
            archive.close().expect("closed");
            let archive = open(&disk, Some(1), Some(folder.path()));
            put(&archive, b"one");
            archive.checkpoint().expect("signed");
            put(&archive, b"two");
            disk.fail_at(call, Fault::Os(28), Repeat::Sticky);
            failed += usize::from(act(&archive).is_err());
            let ops = disk.ops();
            let images: Vec<_> = disk.crash_images(ops..=ops, &plainest).collect();
            let before: Vec<_> = std::fs::read_dir(folder.path())
                .expect("readable")
                .map(|entry| entry.expect("readable").path())
                .map(|path| (path.clone(), std::fs::read(path).expect("readable")))
                .collect();
            // What the store does in the end happens to a disk that nobody looks at any more.
            drop(archive);
            for image in images {
                let own = tempfile::tempdir().expect("a folder");
                for (path, content) in &before {
                    let to = own.path().join(path.file_name().expect("a name"));
                    std::fs::write(to, content).expect("written");
                }
                let archive = open(&image.disk, None, Some(own.path()));
                let damage = archive.damage();
                assert!(damage.is_empty(), "{deed} {call} {image}: {damage:?}");
                assert_eq!(count(&archive, "annals.archived.v1"), 2, "{deed} {call}");
                assert_eq!(findings(&archive), "", "{deed} {call} {image}");
            }
        }
        assert!(failed > 1, "{deed} failed {failed} times");
    }
}

/// A full disk keeps a hand-over or an export from being recorded. What is archived stays, one of
/// the keys goes on, and the next checkpoint covers everything.
#[test]
fn a_full_disk_during_a_hand_over_or_an_export__loses_nothing() {
    for (deed, act) in DEEDS {
        for repeat in [Repeat::Once, Repeat::Sticky] {
            for call in 0..16 {
                let (disk, archive) = signed_store();
                put(&archive, b"one");
                disk.fail_at(call, Fault::Os(28), repeat);
                let done = act(&archive).is_ok();
                drop(archive);
                disk.heal();
                let at = |seed| Options {
                    signer: Some(key_of(&disk, seed)),
                    ..options()
                };
                let tried = [2, 1].map(|seed| {
                    Archive::open_on(Arc::new(disk.clone()), at(seed)).map_err(|error| error.kind())
                });
                let is_new = tried[0].is_ok();
                assert!(!done || is_new == (deed == "rotate"), "{deed} {call}");
                let archive = tried.into_iter().find_map(Result::ok);
                let archive = archive.unwrap_or_else(|| panic!("{deed} {call}: no key goes on"));
                put(&archive, b"two");
                archive.checkpoint().expect("signed");
                assert_eq!(findings(&archive), "", "{deed} {call}");
                assert_eq!(count(&archive, "annals.archived.v1"), 2, "{deed} {call}");
            }
        }
    }
}

/// A stamp of a server is shown beside a log that it is not about.
#[test]
fn a_timestamp__is_compared_with_the_checkpoint_that_it_names() {
    let (_, archive) = signed_store();
    put(&archive, b"one");
    let checkpoint = archive.checkpoint().expect("signed");
    let over = |text: &str| {
        let token = token(text.as_bytes(), b"20260301083000Z", None);
        TimestampToken::parse(&token).expect("a token")
    };
    let other = over("another text");
    assert!(
        archive
            .record_timestamp(&checkpoint, &other, "https://tsa.example")
            .is_err()
    );
    let stamp = over(&checkpoint.signed.to_string());
    let recorded = archive.record_timestamp(&checkpoint, &stamp, "https://tsa.example");
    let recorded = recorded.expect("recorded");
    assert_eq!(findings(&archive), "");
    let report = archive.verify(Depth::Deep).expect("verified");
    let told = report.evidence.timestamped.expect("a stamp");
    assert_eq!(
        (told.size, told.time),
        (checkpoint.signed.checkpoint().size, stamp.time())
    );
    // The next checkpoint covers the stamp.
    let next = archive.checkpoint().expect("signed").signed;
    assert!(next.checkpoint().size >= recorded.0);
    for (checkpoint, token) in [
        (checkpoint.event, other.to_base64()),
        (EventSeq(1), stamp.to_base64()),
        (checkpoint.event, "no base64".to_owned()),
    ] {
        let fact = CheckpointTimestamped {
            checkpoint,
            server: "https://tsa.example".to_owned(),
            token,
        };
        let draft = Draft::fact(Body::CheckpointTimestamped(fact));
        archive.append_fact(draft).expect("recorded");
    }
    assert_eq!(findings(&archive).lines().count(), 3);
}
