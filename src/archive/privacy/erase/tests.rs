//! Erasures on a simulated disk: what is left of a value, and what must stay as it was.

use std::path::Path;
use std::sync::Arc;

use base64_of::spellings;

use crate::archive::{
    Access, Annotation, Archive, Depth, NewAttempt, NewEntry, NewLock, Options, ValueState,
};
use crate::blob::pack_reader::{PackReader, blobs};
use crate::disk::Disk;
use crate::disk::sim::{Fault, Repeat, SimDisk};
use crate::entry::{Outcome, Unit};
use crate::event::{Actor, ActorKind, LockMode, PersonalField};
use crate::format::disclosure;
use crate::id::{EntryId, EventSeq};
use crate::log::JOURNAL_BYTES_MIN;
use crate::query::{Filter, Query};
use crate::retention::{AsOf, Policy};
use crate::{ErrorKind, Result};

const KARI: &str = "Kari-Nordmann-4711";

fn operator() -> PersonalField {
    PersonalField::Meta("operator".to_owned())
}

fn options() -> Options {
    Options {
        journal_bytes: JOURNAL_BYTES_MIN,
        actor: Actor::new(ActorKind::User, "host-account"),
        ..Options::default()
    }
}

fn store(disk: &SimDisk, personal: &[PersonalField]) -> Archive {
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("a store");
    archive.declare_personal(personal, None).expect("declared");
    archive
}

fn open(disk: &SimDisk) -> Archive {
    Archive::open_on(Arc::new(disk.clone()), options()).expect("opens")
}

/// Archives a source of an operator.
fn put(archive: &Archive, operator: &str, content: &str) -> EntryId {
    let new = NewEntry::new("ICT").meta("operator", operator);
    archive.put(new, content.as_bytes()).expect("archived").id
}

fn erase(archive: &Archive, field: &PersonalField, ids: &[EntryId]) -> Result<()> {
    let plan = archive.plan_erasure(field, ids)?;
    archive.erase(&plan, "asked for")?.reclaim
}

mod base64_of {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// Returns how a text may be spelled in a disclosure, without the letters at either end that
    /// depend on what stands beside it.
    pub(super) fn spellings(text: &str) -> Vec<String> {
        let shifted = (0..3).map(|before| {
            let padded = format!("{}{text}", "x".repeat(before));
            let encoded = URL_SAFE_NO_PAD.encode(padded);
            encoded[4..encoded.len() - 4].to_owned()
        });
        shifted.chain([text.to_owned()]).collect()
    }
}

/// Returns the files of a disk that hold a value: as it is, in a disclosure, or in a packed record.
fn files_with(disk: &SimDisk, value: &str) -> Vec<String> {
    let spelled = spellings(value);
    let is_in = |bytes: &[u8]| {
        let holds = |text: &String| bytes.windows(text.len()).any(|at| at == text.as_bytes());
        spelled.iter().any(holds)
    };
    let mut found = Vec::new();
    for (path, _) in disk.files() {
        let mut holds = is_in(&disk.content(&path).expect("a file"));
        if path.ends_with(".pack") {
            let pack = PackReader::open(disk, Path::new(&path)).expect("a pack");
            for entry in pack.listed().expect("listed") {
                let plain = pack.read_plain(entry.offset, entry.len, &entry.id);
                holds |= is_in(&plain.expect("sound").bytes);
            }
        }
        if holds {
            found.push(path);
        }
    }
    found
}

fn lines(archive: &Archive) -> Vec<String> {
    let leaves = archive.events(EventSeq(1), None).expect("readable");
    leaves.map(|leaf| leaf.expect("whole").line).collect()
}

fn found_by(archive: &Archive, filter: Filter) -> usize {
    let snapshot = archive.snapshot().expect("there");
    let query = Query {
        filter,
        ..Query::default()
    };
    snapshot.query(&query).expect("answered").entries.len()
}

/// The live index and one made from the log agree, and nothing is damaged.
fn assert_sound(archive: &Archive) -> u64 {
    let report = archive.verify(Depth::Deep).expect("verified");
    assert!(report.ok, "{:?}", report.findings);
    report.erased
}

/// A scavenge of another store kept the old chunk where it was the smaller one, so deleted personal
/// data stayed for years. Here, no file has the value, wherever it was.
#[test]
fn an_erased_value__is_in_no_file() {
    for sealed in [false, true] {
        let disk = SimDisk::new();
        let archive = store(&disk, &[operator()]);
        let id = put(&archive, KARI, "one");
        let other = put(&archive, "Ola", "two");
        if sealed {
            archive.seal().expect("sealed");
            let places = files_with(&disk, KARI).join(" ");
            assert!(
                places.contains(".pack") && places.contains("index"),
                "{places}"
            );
        } else {
            assert!(files_with(&disk, KARI).join(" ").contains("journal"));
        }
        let before = lines(&archive);
        assert!(before.iter().all(|line| !line.contains(KARI)));
        assert_eq!(found_by(&archive, Filter::default().text("nordmann")), 1);
        erase(&archive, &operator(), &[id]).expect("erased");
        assert_eq!(
            files_with(&disk, KARI),
            Vec::<String>::new(),
            "sealed: {sealed}"
        );
        assert_eq!(found_by(&archive, Filter::default().text("nordmann")), 0);
        let meta = vec![("operator".to_owned(), KARI.to_owned())];
        assert_eq!(found_by(&archive, Filter::default().meta(meta)), 0);
        let entry = archive.snapshot().expect("there").entry(id);
        assert!(entry.expect("read").expect("listed").meta.is_empty());
        // What it does not concern is as it was, down to each line of the log.
        assert_eq!(lines(&archive)[..before.len()], before);
        let entry = archive.snapshot().expect("there").entry(other);
        assert_eq!(
            entry.expect("read").expect("listed").meta["operator"],
            "Ola"
        );
        assert_eq!(assert_sound(&archive), 1);
        let values = archive.personal_values(id).expect("told");
        assert!(
            matches!(values[0].state, ValueState::Erased(_)),
            "{values:?}"
        );
        archive.rebuild().expect("rebuilt");
        assert_eq!(files_with(&disk, KARI), Vec::<String>::new());
        archive.close().expect("closed");
        let again = open(&disk);
        assert_eq!(assert_sound(&again), 1);
        assert_eq!(found_by(&again, Filter::default().text("ola")), 1);
    }
}

/// A right value that somebody states later is as personal as the wrong one before it.
#[test]
fn a_corrected_value__is_erased_with_the_one_before() {
    const RIGHT: &str = "Nora-Nordmann-4712";
    let disk = SimDisk::new();
    let archive = store(&disk, &[operator()]);
    let id = put(&archive, KARI, "one");
    let right = [("operator".to_owned(), RIGHT.to_owned())];
    let note = Annotation::new("wrong badge").meta(right.into());
    archive.annotate(id, note).expect("noted");
    assert!(lines(&archive).iter().all(|line| !line.contains(RIGHT)));
    assert_eq!(
        found_by(&archive, Filter::default().text("nora-nordmann")),
        1
    );
    let entry = || archive.snapshot().expect("there").entry(id);
    let noted = entry().expect("read").expect("listed");
    assert_eq!(noted.notes[0].changes[0].old.as_deref(), Some(KARI));

    erase(&archive, &operator(), &[id]).expect("erased");
    for value in [KARI, RIGHT] {
        assert_eq!(files_with(&disk, value), Vec::<String>::new());
        assert_eq!(found_by(&archive, Filter::default().text(value)), 0);
    }
    let erased = entry().expect("read").expect("listed");
    assert!(erased.meta.is_empty() && erased.notes[0].changes.is_empty());
    assert_eq!(erased.notes[0].reason, "wrong badge");
    assert_eq!(assert_sound(&archive), 2);
    archive.rebuild().expect("rebuilt");
    assert_eq!(assert_sound(&archive), 2);
}

/// A kill between the record and the removal of the bytes must not leave them.
#[test]
fn an_erasure_cut_off__is_finished_by_the_next_opening() {
    let disk = SimDisk::new();
    let archive = store(&disk, &[operator()]);
    let in_pack = put(&archive, KARI, "one");
    put(&archive, "Ola", "two");
    archive.seal().expect("sealed");
    let in_journal = put(&archive, KARI, "three");
    let plan = archive.plan_erasure(&operator(), &[in_pack, in_journal]);
    archive
        .append(super::facts(&plan.expect("planned"), "asked for"))
        .expect("recorded");
    let killed = disk.snapshot();
    drop(archive);
    assert!(!files_with(&killed, KARI).is_empty());
    let reading = Options {
        access: Access::ReadOnly,
        ..options()
    };
    let reader = Archive::open_on(Arc::new(killed.clone()), reading).expect("to look");
    assert_eq!(found_by(&reader, Filter::default().text("nordmann")), 0);
    drop(reader);
    let again = open(&killed);
    again.run_in_background(|_| Ok(())).expect("done");
    assert_eq!(files_with(&killed, KARI), Vec::<String>::new());
    assert_eq!(assert_sound(&again), 2);
    again.close().expect("closed");
    // Nothing is left to do, so the next opening writes no index.
    let again = open(&killed);
    assert!(!again.store().index.may_hold_erased().expect("read"));
}

/// Every call of the disk fails once: the value is forgotten on record, and gone after at most one
/// more opening.
#[test]
fn an_erasure_on_a_failing_disk__is_finished_later() {
    let mut struck = true;
    for calls in (0..).step_by(3) {
        let disk = SimDisk::new();
        let archive = store(&disk, &[operator()]);
        let id = put(&archive, KARI, "one");
        put(&archive, "Ola", "two");
        archive.seal().expect("sealed");
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        let done = erase(&archive, &operator(), &[id]);
        struck &= disk.struck() > 0;
        disk.heal();
        let _ = archive.close();
        let again = open(&disk);
        if found_by(&again, Filter::default().text("nordmann")) > 0 {
            assert!(done.is_err(), "call {calls}: reported, but not recorded");
            erase(&again, &operator(), &[id]).expect("erased");
        }
        again.run_in_background(|_| Ok(())).expect("done");
        assert_eq!(
            files_with(&disk, KARI),
            Vec::<String>::new(),
            "call {calls}"
        );
        assert_sound(&again);
        if !struck {
            assert!(calls > 20);
            break;
        }
    }
}

/// A path was in the leaf, in the key made of it, in the name, and in the error of the converter.
#[test]
fn a_declared_path__is_nowhere_in_the_log() {
    let disk = SimDisk::new();
    let fields = [
        PersonalField::SourcePath,
        PersonalField::SourceName,
        PersonalField::Error,
        PersonalField::Serial,
    ];
    let archive = store(&disk, &fields);
    let path = format!("/home/{KARI}/in/{KARI}.csv");
    let source = crate::event::Source::default()
        .name(format!("{KARI}.csv"))
        .path(&*path);
    let new = NewEntry::new("ICT").source(source).key(&*path);
    let id = archive.put(new.clone(), &b"one"[..]).expect("archived").id;
    let attempt = NewAttempt::new(Outcome::Failed, "ICT")
        .error(format!("cannot read {path}"))
        .warnings(vec![format!("{KARI} is new")])
        .unit(Unit {
            serial: Some(KARI.to_owned()),
            ..Unit::default()
        });
    archive.record_attempt(id, attempt).expect("recorded");
    for line in lines(&archive) {
        assert!(!line.contains(KARI), "{line}");
    }
    // The key still finds the entry, also after a rebuild.
    archive.rebuild().expect("rebuilt");
    let again = archive.put(new.clone(), &b"one"[..]).expect("known");
    assert!(again.existing && again.id == id);
    let entry = archive.snapshot().expect("there").entry(id);
    let entry = entry.expect("read").expect("listed");
    assert_eq!(
        (&*entry.source_path, entry.unit.serial.as_deref()),
        (&*path, Some(KARI))
    );
    assert!(
        entry.attempts[0]
            .error
            .as_deref()
            .is_some_and(|said| said.contains(KARI))
    );
    assert_sound(&archive);
    for field in &fields[1..] {
        erase(&archive, field, &[id]).expect("erased");
    }
    assert_eq!(files_with(&disk, KARI), Vec::<String>::new());
    let entry = archive.snapshot().expect("there").entry(id);
    let entry = entry.expect("read").expect("listed");
    assert_eq!(
        (&*entry.source_path, &*entry.source_name, entry.key),
        ("", "", None)
    );
    assert_eq!(
        (entry.unit.serial, entry.attempts[0].error.clone()),
        (None, None)
    );
    assert_eq!(assert_sound(&archive), 5);
    // The file is unknown by now, so it is archived anew.
    let anew = archive.put(new, &b"one"[..]).expect("archived");
    assert!(!anew.existing);
    assert_sound(&archive);
}

/// Only the name would have been hidden: the path ends in it.
#[test]
fn a_name_without_its_path__is_not_declared() {
    let archive = store(&SimDisk::new(), &[]);
    let refused = archive.declare_personal(&[PersonalField::SourceName], None);
    let refused = refused.expect_err("half hidden");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.message().contains("source_path"), "{refused}");
    assert!(archive.personal_fields().is_empty());
}

/// The value was recorded before anybody thought of erasing it.
#[test]
fn a_value_in_the_clear__cannot_be_erased() {
    let archive = store(&SimDisk::new(), &[]);
    let early = put(&archive, KARI, "one");
    archive
        .declare_personal(&[operator()], Some("GDPR"))
        .expect("declared");
    let late = put(&archive, KARI, "two");
    let plan = archive
        .plan_erasure(&operator(), &[early, late])
        .expect("planned");
    assert_eq!(plan.items.len(), 1);
    assert_eq!(
        (plan.in_the_clear[0].id, plan.in_the_clear[0].event),
        (early, early.event())
    );
    let alone = archive
        .plan_erasure(&operator(), &[early])
        .expect("planned");
    let refused = archive
        .erase(&alone, "asked for")
        .expect_err("in the clear");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    // While it was not personal, a value is in the clear again.
    archive
        .withdraw_personal(&[operator()], None)
        .expect("withdrawn");
    let between = put(&archive, KARI, "three");
    archive
        .declare_personal(&[operator()], None)
        .expect("declared");
    let plan = archive
        .plan_erasure(&operator(), &[late, between])
        .expect("planned");
    assert_eq!((plan.items[0].id, plan.in_the_clear[0].id), (late, between));
    assert_sound(&archive);
}

#[test]
fn a_held_entry__keeps_its_values() {
    let archive = store(&SimDisk::new(), &[operator()]);
    let id = put(&archive, KARI, "one");
    let plan = archive.plan_erasure(&operator(), &[id]).expect("planned");
    archive
        .place_hold("recall", "asked for", vec![id])
        .expect("held");
    let refused = archive
        .erase(&plan, "asked for")
        .expect_err("held meanwhile");
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    let plan = archive.plan_erasure(&operator(), &[id]).expect("planned");
    assert_eq!((plan.values, &*plan.held[0].hold), (0, "recall"));
    archive.release_hold("recall", "over").expect("released");
    erase(&archive, &operator(), &[id]).expect("erased");
    let again = archive.plan_erasure(&operator(), &[id]).expect("planned");
    assert_eq!((again.values, again.without_value), (0, 1));
}

/// A lock keeps an entry as it is, also from somebody who has the right to erase.
#[test]
fn a_locked_entry__keeps_its_values() {
    let archive = store(&SimDisk::new(), &[operator()]);
    let id = put(&archive, KARI, "one");
    let plan = archive.plan_erasure(&operator(), &[id]).expect("planned");
    let keep = "10y".parse().expect("a period");
    let lock = NewLock::new("law", keep, "product liability").mode(LockMode::Governance);
    archive.lock_retention(lock).expect("locked");
    let refused = archive.erase(&plan, "asked for").expect_err("locked");
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    assert!(
        refused.message().contains("lock 'law' keeps entry"),
        "{refused}"
    );
    let plan = archive.plan_erasure(&operator(), &[id]).expect("planned");
    assert_eq!((plan.values, &*plan.held[0].hold), (0, "lock law"));
    archive.unlock_retention("law", "over").expect("unlocked");
    erase(&archive, &operator(), &[id]).expect("erased");
}

/// Personal values go with their entry.
#[test]
fn a_purge__takes_the_values_along() {
    let disk = SimDisk::new();
    let archive = store(&disk, &[operator()]);
    let id = put(&archive, KARI, "one");
    archive.seal().expect("sealed");
    put(&archive, "Ola", "two");
    let plan = archive.plan_purge(&Policy::default().max_count(1), AsOf::Clock);
    let done = archive
        .purge(&plan.expect("planned"), "old")
        .expect("purged");
    done.reclaim.expect("freed");
    let places = files_with(&disk, KARI);
    assert_eq!(places, Vec::<String>::new());
    let values = archive.personal_values(id).expect("told");
    assert!(
        matches!(values[0].state, ValueState::Purged(_)),
        "{values:?}"
    );
    assert_eq!(assert_sound(&archive), 0);
    archive.rebuild().expect("rebuilt");
    assert_sound(&archive);
}

/// What an account did stays linked by its pseudonym; whose it was can be forgotten.
#[test]
fn an_erased_account__keeps_its_pseudonym() {
    let disk = SimDisk::new();
    let personal = vec![PersonalField::Actor];
    let made = Options {
        actor: Actor::new(ActorKind::User, KARI),
        personal,
        ..options()
    };
    let archive = Archive::create_on(Arc::new(disk.clone()), made.clone()).expect("made");
    put(&archive, "x", "one");
    put(&archive, "x", "two");
    let ola = archive.lend(Actor::new(ActorKind::ServiceAccount, "ola-service"));
    put(&ola, "x", "three");
    let all = lines(&archive);
    assert!(
        all.iter()
            .all(|line| !line.contains(KARI) && !line.contains("ola-service"))
    );
    let accounts = archive.accounts().expect("known");
    let of = |name: &str| {
        let named = accounts
            .iter()
            .find(|account| account.name.as_deref() == Some(name));
        named.expect("known").pseudonym.clone()
    };
    let (kari, ola) = (of(KARI), of("ola-service"));
    let by = |pseudonym: &str| {
        let text = format!("\"authid\":\"{pseudonym}\"");
        all.iter().filter(|line| line.contains(&text)).count()
    };
    // Named, declared, opened, archived twice; and named, archived.
    assert_eq!((by(&kari), by(&ola)), (5, 2), "{all:#?}");
    archive.close().expect("closed");
    // The same account gets the same pseudonym, also from a rebuilt index.
    disk.remove(Path::new("index.redb")).expect("removed");
    let archive = Archive::open_on(Arc::new(disk.clone()), made).expect("opens");
    put(&archive, "x", "four");
    assert_eq!(archive.accounts().expect("known").len(), 2);
    assert_sound(&archive);
    let plan = archive.plan_account_erasure(KARI).expect("planned");
    archive
        .erase(&plan, "she left")
        .expect("recorded")
        .reclaim
        .expect("removed");
    let gone = archive.account(&kari).expect("read").expect("known");
    assert!(gone.name.is_none() && gone.erased.is_some());
    // She, of all people, erased it: by her pseudonym. What she does next is another's.
    let left = files_with(&disk, KARI);
    assert_eq!(left, Vec::<String>::new());
    put(&archive, "x", "five");
    assert_eq!(archive.accounts().expect("known").len(), 3);
    assert_eq!(assert_sound(&archive), 1);
    archive.rebuild().expect("rebuilt");
    assert_sound(&archive);
}

/// A disclosure that is gone without a word is damage, and never looks like an erasure.
#[test]
fn a_lost_disclosure__is_damage() {
    let disk = SimDisk::new();
    let archive = store(&disk, &[operator()]);
    let id = put(&archive, KARI, "one");
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    let pack = disk.files().into_iter().map(|(path, _)| path);
    let pack = pack.filter(|path| path.contains("_personal/"));
    for path in pack.collect::<Vec<_>>() {
        let reader = PackReader::open(&disk, Path::new(&path)).expect("a pack");
        assert_eq!(blobs(reader.listed().expect("listed")).len(), 1);
        disk.remove(Path::new(&path)).expect("removed");
    }
    let archive = open(&disk);
    let report = archive.verify(Depth::Deep).expect("verified");
    assert!(!report.ok);
    let lost = report
        .findings
        .iter()
        .any(|found| found.detail.contains("was lost"));
    assert!(lost, "{:?}", report.findings);
    let values = archive.personal_values(id).expect("told");
    assert_eq!(values[0].state, ValueState::Lost);
}

/// What an auditor is given: the disclosure has the digest of its leaf.
#[test]
fn a_revealed_event__is_the_one_that_was_recorded() {
    let archive = store(&SimDisk::new(), &[operator()]);
    let id = put(&archive, KARI, "one");
    let leaf = archive
        .events(id.event(), Some(id.event()))
        .expect("there")
        .next();
    let leaf = leaf.expect("one").expect("whole");
    let revealed = archive.reveal(&leaf).expect("revealed");
    let crate::event::Body::Archived(fact) = &revealed.event.body else {
        panic!("{revealed:?}");
    };
    assert_eq!(fact.meta["operator"], KARI);
    let sealed = &revealed.event.sealed[0];
    let text = archive.disclosure(sealed).expect("read").expect("there");
    assert_eq!(crate::id::Sha256::of(&text), sealed.digest);
    let (field, value) = disclosure::parse(&text).expect("a disclosure");
    assert_eq!((&*field, value.as_str()), ("meta.operator", Some(KARI)));
}

/// The filter of a job names what it looked for.
#[test]
fn a_job_by_a_personal_value__does_not_record_it() {
    let archive = store(&SimDisk::new(), &[operator()]);
    let filter = Filter::default()
        .meta(vec![("operator".to_owned(), KARI.to_owned())])
        .text(KARI)
        .serial("SN1");
    let selection = serde_json::to_string(&filter).expect("JSON");
    let job = crate::event::JobStarted::new("reprocess", 1).selection(selection);
    archive.start_job(job, &[]).expect("started");
    let line = lines(&archive).pop().expect("some");
    assert!(!line.contains(KARI) && line.contains("SN1"), "{line}");
    assert_sound(&archive);
}
