//! Everything that can be done to a bundle after it was signed.

use super::sample::{
    Folder, Plant, ReadOnly, STORE, lines_of, look, only, replace, reseal, set_lines,
};
use crate::disk::sim::SimDisk;
use crate::event::{Body, KeyLost, KeyRotated};
use crate::evidence::key::Signer;
use crate::evidence::note::TextLine;
use crate::evidence::rotation::{LostKey, Rotation};
use crate::export::lines::event_of;
use crate::export::{
    Scope, Trust, Verdict, Verified, What, WithContents, verify_on, verify_pair_on,
};
use crate::format::leaf;
use crate::time::Timestamp;

fn whole() -> (Plant, SimDisk) {
    let mut plant = Plant::busy();
    let disk = plant.export(What::Whole, WithContents::Yes);
    (plant, disk)
}

#[test]
fn a_bundle_that_nobody_touched__is_intact() {
    let mut plant = Plant::busy();
    for with in [WithContents::Yes, WithContents::No] {
        let disk = plant.export(What::Whole, with);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::IntactWithErasures, "{found:?}");
        assert!(found.ok && found.findings.is_empty() && found.notes.is_empty());
        assert_eq!((found.events, found.entries), (plant.lines.len() as u64, 3));
        assert_eq!((found.scope, found.erased), (Some(Scope::Whole), 1));
        assert_eq!(found.signed_by, [plant.vkey().to_string()]);
        // The second entry was purged; two sources and two reports stay.
        let blobs = if with == WithContents::Yes { 4 } else { 0 };
        assert_eq!(found.blobs, blobs);
    }
    let mut calm = Plant::new();
    calm.archive("SN9.csv", b"9");
    let disk = calm.export(What::Whole, WithContents::Yes);
    assert_eq!(look(&disk, &calm.trust()).verdict, Verdict::Intact);
}

#[test]
fn a_selection__is_intact_and_says_that_it_may_be_incomplete() {
    let mut plant = Plant::busy();
    let disk = plant.export(only(&[2]), WithContents::Yes);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::Intact, "{found:?}");
    assert_eq!((found.scope, found.entries), (Some(Scope::Selection), 1));
    assert!(
        found.notes[0].contains("nothing proves"),
        "{:?}",
        found.notes
    );
    let lines = lines_of(&disk).concat();
    assert!(
        !lines.contains("SN2<b>") && !lines.contains("SN3"),
        "{lines}"
    );
    let disk = plant.export(only(&[3]), WithContents::Yes);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::IntactWithErasures, "{found:?}");
    let disk = plant.export(only(&[99]), WithContents::No);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Incomplete);
}

/// Bits flip, and people edit. The digits that state versions make it a bundle of a later version.
#[test]
fn no_changed_byte__is_green() {
    let mut plant = Plant::new();
    plant.archive("SN1.csv", b"serial,SN1\n");
    let trust = plant.trust();
    // The proofs of a selection are alike, so some of its bytes stand for all.
    let sound = [(What::Whole, 1), (only(&[2]), 7)];
    let sound = sound.map(|(what, step)| (plant.export(what, WithContents::Yes), step));
    let places = sound.iter().flat_map(|(disk, step)| {
        let files = disk.files().into_iter();
        let places = move |(path, bytes): (String, u64)| {
            let every = (0..bytes).step_by(*step).chain([bytes - 1]);
            every.map(move |at| (disk, path.clone(), at, bytes))
        };
        files.flat_map(places)
    });
    let places: Vec<_> = places.collect();
    let share = places.len().div_ceil(4);
    std::thread::scope(|scope| {
        for part in places.chunks(share) {
            let trust = &trust;
            scope.spawn(move || {
                for (disk, path, at, bytes) in part {
                    let disk = disk.snapshot();
                    disk.flip_bit(path, at * 8 + at % 7).expect("flipped");
                    let found = look(&disk, trust);
                    let states_version =
                        path.ends_with("bagit.txt") || path.ends_with("bag-info.txt");
                    let expected = found.verdict == Verdict::Tampered
                        || (states_version && found.verdict == Verdict::Unreadable)
                        // Without its last line feed, the log looks cut short.
                        || (path.ends_with("events.jsonl") && at + 1 == *bytes);
                    assert!(expected && !found.ok, "{path} at {at}: {found:?}");
                }
            });
        }
    });
}

/// A copy onto a stick ended in the middle. Whoever made it wrote the manifests anew, or did not.
#[test]
fn no_file_cut_short__is_green() {
    let mut plant = Plant::new();
    plant.archive("SN1.csv", b"serial,SN1\n");
    let trust = plant.trust();
    for what in [What::Whole, only(&[2])] {
        let sound = plant.export(what, WithContents::Yes);
        for (path, bytes) in sound.files() {
            let is_manifest = path.ends_with("manifest-sha256.txt");
            for len in (0..bytes).step_by(11).chain([bytes - 1]) {
                let disk = sound.snapshot();
                disk.truncate(&path, len).expect("cut");
                let found = look(&disk, &trust);
                assert!(!found.ok, "{path} of {len} bytes: {found:?}");
                if !is_manifest {
                    reseal(&disk);
                    let found = look(&disk, &trust);
                    assert!(!found.ok, "{path} of {len} bytes, resealed: {found:?}");
                }
            }
        }
        // The files that come last are missing.
        let mut files: Vec<String> = sound.files().into_iter().map(|(path, _)| path).collect();
        let disk = sound.snapshot();
        while let Some(last) = files.pop() {
            disk.lose(&last).expect("lost");
            assert!(!look(&disk, &trust).ok, "without {last} and what follows");
        }
    }
}

/// Somebody who knows the format writes the manifests again after each change.
#[test]
fn no_line_removed_doubled_swapped_added_or_changed__is_green() {
    let (plant, disk) = whole();
    let sound = lines_of(&disk);
    let judge = |what: &str, lines: &[String], expected: Verdict| {
        let disk = disk.snapshot();
        set_lines(&disk, lines);
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, expected, "{what}: {found:?}");
    };
    for at in 0..sound.len() {
        let mut lines = sound.clone();
        lines.remove(at);
        // Without its last line, it is the beginning of what was signed.
        let expected = if at + 1 == sound.len() {
            Verdict::Incomplete
        } else {
            Verdict::Tampered
        };
        judge(&format!("without line {at}"), &lines, expected);
        let mut lines = sound.clone();
        lines.insert(at, sound[at].clone());
        judge(&format!("line {at} twice"), &lines, Verdict::Tampered);
        let mut lines = sound.clone();
        lines.insert(at, sound[0].clone());
        judge(
            &format!("another line before {at}"),
            &lines,
            Verdict::Tampered,
        );
        let mut lines = sound.clone();
        lines[at] = lines[at].replace("kari", "nora");
        judge(&format!("another actor in {at}"), &lines, Verdict::Tampered);
        if at > 0 {
            let mut lines = sound.clone();
            lines.swap(at - 1, at);
            judge(
                &format!("line {at} before its time"),
                &lines,
                Verdict::Tampered,
            );
        }
    }
    let mut longer = sound.clone();
    longer.push(sound[2].clone());
    judge("one line more", &longer, Verdict::Tampered);
    judge("no line", &[], Verdict::Incomplete);
}

/// Each line of a selection has its own proof, which does not help it into another place.
#[test]
fn no_line_of_a_selection_changed__is_green() {
    let mut plant = Plant::busy();
    let disk = plant.export(only(&[2]), WithContents::Yes);
    let sound = lines_of(&disk);
    let judge = |what: &str, lines: &[String]| {
        let disk = disk.snapshot();
        set_lines(&disk, lines);
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert!(!found.ok, "{what}: {found:?}");
    };
    for at in 0..sound.len() {
        let mut doubled = sound.clone();
        doubled.insert(at, sound[at].clone());
        judge(&format!("line {at} twice"), &doubled);
        let mut changed = sound.clone();
        changed[at] = changed[at].replace("kari", "nora");
        judge(&format!("another actor in {at}"), &changed);
        let mut foreign = sound.clone();
        foreign.insert(at, plant.lines[2].clone());
        judge(&format!("a line of another entry before {at}"), &foreign);
        if at > 0 {
            let mut swapped = sound.clone();
            swapped.swap(at - 1, at);
            judge(&format!("line {at} before its time"), &swapped);
        }
    }
    // Two proofs exchanged.
    let proofs = disk.files().into_iter().map(|(path, _)| path);
    let proofs: Vec<String> = proofs.filter(|path| path.contains("proofs/")).collect();
    for pair in proofs.windows(2) {
        let disk = disk.snapshot();
        let content = |path: &String| disk.content(path).expect("there");
        let (first, second) = (content(&pair[0]), content(&pair[1]));
        replace(&disk, &pair[0], &second);
        replace(&disk, &pair[1], &first);
        reseal(&disk);
        assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
    }
    // Hashes that lead to another root.
    for proof in &proofs {
        let text = String::from_utf8(disk.content(proof).expect("there")).expect("text");
        let other = if text.contains("\nA") { "\nB" } else { "\nA" };
        let hash = text.match_indices('\n').nth(1).expect("a hash").0;
        let wrong = format!("{}{other}{}", &text[..hash], &text[hash + 2..]);
        let disk = disk.snapshot();
        replace(&disk, proof, wrong.as_bytes());
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Tampered, "{proof}: {found:?}");
    }
}

/// Somebody who knows the format changes who exported, and makes all other files fit.
#[test]
fn lines_that_do_not_give_the_signed_root__are_never_green() {
    let mut plant = Plant::busy();
    let mut forged = plant.clone();
    let sound = plant.export(What::Whole, WithContents::No);
    let (counted, _) = forged.prepare(What::Whole, WithContents::No);
    let last = forged.lines.len() - 1;
    forged.lines[last] = forged.lines[last].replace("kari", "nora");
    let disk = SimDisk::new();
    let signed = forged.sign();
    forged
        .write_to(&disk, "b", &counted, &signed, None)
        .expect("written");
    assert!(look(&disk, &plant.trust()).ok, "whoever has the key can");
    let root = |plant: &Plant| crate::id::Sha256::from_bytes(plant.sign().checkpoint().root);
    let (of_forged, of_sound) = (root(&forged).to_string(), root(&plant).to_string());
    for path in ["b/data/report.html", "b/data/report.csv"] {
        let text = String::from_utf8(disk.content(path).expect("there")).expect("text");
        replace(&disk, path, text.replace(&of_forged, &of_sound).as_bytes());
    }
    let note = sound.content("b/data/checkpoint").expect("there");
    replace(&disk, "b/data/checkpoint", &note);
    reseal(&disk);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::Tampered, "{found:?}");
}

/// An owner puts an older checkpoint under newer lines, or older lines under a newer checkpoint.
#[test]
fn parts_of_two_bundles_of_one_log__make_no_third() {
    let mut plant = Plant::busy();
    let early = plant.export(What::Whole, WithContents::Yes);
    plant.archive("SN4.csv", b"4");
    let late = plant.export(What::Whole, WithContents::Yes);
    let trust = plant.trust();
    for (base, other) in [(&early, &late), (&late, &early)] {
        for (path, _) in other.files() {
            let of_other = other.content(&path).expect("there");
            if base.content(&path).is_ok_and(|own| own == of_other) {
                continue;
            }
            let disk = base.snapshot();
            replace(&disk, &path, &of_other);
            if !path.contains("manifest") {
                reseal(&disk);
            }
            let found = look(&disk, &trust);
            assert!(!found.ok, "{path} of the other bundle: {found:?}");
        }
        // Lines and checkpoint fit, and the rest is of the other bundle.
        let disk = base.snapshot();
        for path in ["b/data/events.jsonl", "b/data/checkpoint"] {
            replace(&disk, path, &other.content(path).expect("there"));
        }
        reseal(&disk);
        assert!(!look(&disk, &trust).ok);
    }
}

/// A bundle comes on a disc, in a folder of another name.
#[test]
fn a_medium_that_cannot_be_written__is_read_under_any_name() {
    let mut plant = Plant::busy();
    let trust = plant.trust();
    for what in [What::Whole, only(&[2])] {
        let disk = SimDisk::new();
        plant
            .export_to(&disk, "AUDIT~1", what, WithContents::Yes)
            .expect("exported");
        let medium = ReadOnly(Folder::of(&disk, "AUDIT~1"));
        let found = verify_on(&medium, &trust, &|_, _| {});
        assert!(found.ok, "{found:?}");
        let pair = verify_pair_on(&medium, &medium, &trust, &|_, _| {});
        assert!(pair.ok, "{pair:?}");
    }
}

#[test]
fn a_line_or_proof_taken_out_of_a_selection__is_noticed() {
    let mut plant = Plant::busy();
    let disk = plant.export(only(&[2]), WithContents::No);
    let sound = lines_of(&disk);
    for at in 0..sound.len() {
        let disk = disk.snapshot();
        let mut lines = sound.clone();
        lines.remove(at);
        set_lines(&disk, &lines);
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert!(!found.ok, "without line {at}: {found:?}");
        // And its proof, too.
        let proofs = disk.files().into_iter();
        let proofs: Vec<_> = proofs.filter(|(path, _)| path.contains("proofs")).collect();
        let mut numbers: Vec<(u64, String)> = proofs
            .into_iter()
            .map(|(path, _)| {
                let name = path.rsplit('/').next().expect("a name");
                let number = name.trim_end_matches(".tlog-proof").parse();
                (number.expect("a number"), path)
            })
            .collect();
        numbers.sort_unstable();
        disk.lose(&numbers[at].1).expect("lost");
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Tampered, "without {at}: {found:?}");
    }
}

/// The whole bundle is made again by somebody else, or by the owner with another key.
#[test]
fn another_key__is_not_trusted_whatever_the_bundle_says() {
    let (plant, disk) = whole();
    let mut other = Plant::busy();
    other.seed = 8;
    let forged = other.export(What::Whole, WithContents::Yes);
    let found = look(&forged, &plant.trust());
    assert_eq!(found.verdict, Verdict::UntrustedKey, "{found:?}");
    assert!(found.signed_by.is_empty());
    assert_eq!(
        look(&disk, &Trust::default()).verdict,
        Verdict::UntrustedKey
    );
    // The right text under the name of the trusted key, signed by another one.
    let note = String::from_utf8(disk.content("b/data/checkpoint").expect("there")).expect("text");
    let foreign = forged.content("b/data/checkpoint").expect("there");
    let foreign = String::from_utf8(foreign).expect("text");
    let (text, _) = note.split_once("\n\n").expect("signed");
    let (_, signature) = foreign.split_once("\n\n").expect("signed");
    replace(
        &disk,
        "b/data/checkpoint",
        format!("{text}\n\n{signature}").as_bytes(),
    );
    reseal(&disk);
    assert!(!look(&disk, &plant.trust()).ok);
    // The keys in the bundle are exchanged for others.
    let (plant, disk) = whole();
    replace(
        &disk,
        "b/data/vkeys",
        format!("{}\n", other.vkey()).as_bytes(),
    );
    reseal(&disk);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
}

/// The plant has a new key, and the auditor only the old one and the statement about both.
#[test]
fn a_rotation_signed_by_the_old_key__makes_the_new_one_trusted() {
    let old = Plant::busy();
    let mut new = Plant::busy();
    new.seed = 8;
    let disk = new.export(What::Whole, WithContents::No);
    assert_eq!(look(&disk, &old.trust()).verdict, Verdict::UntrustedKey);
    let rotation = Rotation::sign(&old.key(), &new.key()).expect("signed");
    let followed = old.trust().follow(rotation.to_string().as_bytes());
    assert!(look(&disk, &followed.expect("the old key signed")).ok);
    let mut thief = Plant::busy();
    thief.seed = 9;
    let rotation = Rotation::sign(&thief.key(), &new.key()).expect("signed");
    assert!(old.trust().follow(rotation.to_string().as_bytes()).is_err());
}

/// An auditor had the key of 2024 from the contract, and was to be given each later one, too. The
/// log itself has the statements: whoever trusts the first key can follow them.
#[test]
fn rotations_in_the_log__are_followed_from_the_pinned_key() {
    let rotate = |plant: &mut Plant, seed: u8| {
        let old = plant.key();
        plant.seed = seed;
        let rotation = Rotation::sign(&old, &plant.key()).expect("signed");
        let statement = rotation.to_string();
        plant.record(Body::KeyRotated(KeyRotated { statement }));
    };
    let mut plant = Plant::busy();
    let first = plant.trust();
    let early = plant.export(What::Whole, WithContents::No);
    rotate(&mut plant, 8);
    let second = plant.trust();
    rotate(&mut plant, 9);
    for what in [What::Whole, only(&[2])] {
        let disk = plant.export(what, WithContents::No);
        let [of_first, of_second, of_last] =
            [&first, &second, &plant.trust()].map(|trust| look(&disk, trust));
        assert!(of_first.ok && of_second.ok && of_last.ok, "{of_first:?}");
        assert_eq!(of_first.signed_by, [plant.vkey().to_string()]);
        let told = |found: &Verified| {
            let notes = found.notes.iter();
            notes.filter(|note| note.contains("took over")).count()
        };
        assert_eq!([&of_first, &of_second, &of_last].map(told), [2, 1, 0]);
    }
    // The newer one of two bundles has the statements, and both are of one history.
    let later = plant.export(What::Whole, WithContents::No);
    let [early, later] = [&early, &later].map(|disk| Folder::of(disk, "b"));
    let pair = verify_pair_on(&early, &later, &first, &|_, _| {});
    assert!(pair.ok, "{pair:?}");
    // A statement that the trusted key did not sign makes nothing trusted, nor does one about a
    // lost key, which anybody can write.
    let mut thief = Plant::busy();
    let owner = thief.trust();
    thief.seed = 7 + 20;
    let stranger = thief.key();
    thief.seed = 66;
    let forged = Rotation::sign(&stranger, &thief.key()).expect("signed");
    let forged = forged.to_string().replace(
        &stranger.vkey().to_string(),
        &Plant::busy().vkey().to_string(),
    );
    thief.record(Body::KeyRotated(KeyRotated { statement: forged }));
    let reason = TextLine::new("it is gone").expect("a line");
    let lost = LostKey::sign(&Plant::busy().vkey(), &thief.key(), reason).expect("signed");
    let statement = lost.to_string();
    thief.record(Body::KeyLost(KeyLost { statement }));
    let disk = thief.export(What::Whole, WithContents::No);
    assert_eq!(look(&disk, &owner).verdict, Verdict::UntrustedKey);
}

/// Two programs ran one after the other, and the second one recorded an earlier reading of the
/// monotonic clock. The bundle of a store that nobody touched said that the clock had gone back.
#[test]
fn only_times_that_go_back__are_told() {
    let mut plant = Plant::busy();
    let back_to = |plant: &mut Plant, time: i64, mono_ms: u64| {
        let line = plant.lines.last().expect("a line").clone();
        let mut event = event_of(line.as_bytes()).expect("an event");
        event.time = Timestamp::from_micros(event.time.micros() + time);
        event.clock.mono_ms = mono_ms;
        *plant.lines.last_mut().expect("a line") = leaf::encode(&STORE, &event).expect("sound");
    };
    back_to(&mut plant, 0, 5);
    let disk = plant.export(What::Whole, WithContents::No);
    assert_eq!(look(&disk, &plant.trust()).notes, Vec::<String>::new());
    let mut plant = Plant::busy();
    back_to(&mut plant, -120_000_000, 5_000_000);
    let disk = plant.export(What::Whole, WithContents::No);
    let notes = look(&disk, &plant.trust()).notes;
    assert!(
        notes[0].contains("the clock goes back at event 10"),
        "{notes:?}"
    );
}

/// A machine is set back to a snapshot, or the owner has two histories.
#[test]
fn an_older_checkpoint__tells_a_rollback_from_a_fork() {
    let mut plant = Plant::busy();
    let early = plant.export(What::Whole, WithContents::No);
    plant.archive("SN4.csv", b"4");
    let seen = plant.sign();
    let older = plant.trust().older(vec![seen]);
    let found = look(&early, &older);
    assert_eq!(found.verdict, Verdict::RolledBack, "{found:?}");
    plant.archive("SN5.csv", b"5");
    let later = plant.export(What::Whole, WithContents::No);
    assert!(look(&later, &older).ok);
    let selected = plant.export(only(&[2]), WithContents::No);
    assert_eq!(look(&selected, &older).verdict, Verdict::Incomplete);
    let mut fork = Plant::busy();
    fork.archive("SN4.csv", b"another");
    fork.archive("SN5.csv", b"5");
    let forked = fork.export(What::Whole, WithContents::No);
    let found = look(&forked, &older);
    assert_eq!(found.verdict, Verdict::Forked, "{found:?}");
    // A checkpoint that the trusted key did not sign says nothing.
    let mut other = plant.clone();
    other.seed = 9;
    let stranger = plant.trust().older(vec![other.sign()]);
    assert_eq!(look(&later, &stranger).verdict, Verdict::UntrustedKey);
}

#[test]
fn two_bundles_of_one_store__continue_each_other_or_are_forked() {
    let mut plant = Plant::busy();
    let early = plant.export(What::Whole, WithContents::No);
    let mut fork = plant.clone();
    plant.archive("SN4.csv", b"4");
    fork.archive("SN4.csv", b"another");
    let late = plant.export(What::Whole, WithContents::No);
    let forked = fork.export(What::Whole, WithContents::No);
    let part = fork.export(only(&[2, 12]), WithContents::No);
    let pair = |a: &SimDisk, b: &SimDisk| {
        let (a, b) = (Folder::of(a, "b"), Folder::of(b, "b"));
        verify_pair_on(&a, &b, &plant.trust(), &|_, _| {})
    };
    assert!(pair(&early, &late).ok && pair(&late, &early).ok && pair(&late, &late).ok);
    for (a, b) in [
        (&late, &forked),
        (&forked, &late),
        (&late, &part),
        (&part, &late),
    ] {
        let found = pair(a, b);
        assert_eq!(found.verdict, Verdict::Forked, "{found:?}");
        assert!(found.forked_at.is_some());
    }
}

#[test]
fn a_content_exchanged_lost_added_or_kept_too_long__is_noticed() {
    let (plant, sound) = whole();
    let blobs: Vec<String> = sound
        .files()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.contains("blobs/"))
        .collect();
    assert_eq!(blobs.len(), 4);
    for blob in &blobs {
        let disk = sound.snapshot();
        replace(&disk, blob, b"another content");
        reseal(&disk);
        assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
        disk.lose(blob).expect("lost");
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Incomplete, "{found:?}");
        assert!(found.findings[0].detail.contains("lost"), "{found:?}");
    }
    // Each is under the name of the other.
    let disk = sound.snapshot();
    let content = |path: &String| sound.content(path).expect("there");
    replace(&disk, &blobs[0], &content(&blobs[1]));
    replace(&disk, &blobs[1], &content(&blobs[0]));
    reseal(&disk);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
    let disk = sound.snapshot();
    let erased = crate::id::Sha256::of(b"serial,SN2\n");
    replace(&disk, &format!("b/data/blobs/{erased}"), b"serial,SN2\n");
    reseal(&disk);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
}

/// A purge that is written into a bundle would explain a content that is missing.
#[test]
fn a_purge_that_was_not_signed__explains_nothing() {
    let (plant, disk) = whole();
    let mut lines = lines_of(&disk);
    let purge = lines.iter().position(|line| line.contains("annals.purged"));
    let purge = purge.expect("there");
    // Back-dated.
    lines[purge] = lines[purge].replace("2026-03-01T", "2025-03-01T");
    set_lines(&disk, &lines);
    reseal(&disk);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
    // Of an entry that is on hold: the owner signed it, and it contradicts the log.
    let mut plant = Plant::busy();
    plant.hold("court", &[crate::id::EntryId(4)]);
    plant.purge(&[crate::id::EntryId(4)]);
    let disk = plant.export(What::Whole, WithContents::Yes);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::Tampered, "{found:?}");
    assert!(found.findings[0].detail.contains("court"), "{found:?}");
    // Before the entry was archived: whoever signed that purged in advance.
    let mut plant = Plant::busy();
    plant.purge(&[crate::id::EntryId(12)]);
    plant.archive("SN9.csv", b"9");
    let disk = plant.export(What::Whole, WithContents::Yes);
    let found = look(&disk, &plant.trust());
    assert_eq!(found.verdict, Verdict::Tampered, "{found:?}");
    // Moved up in the log, so that it explains what was missing then.
    let (plant, disk) = whole();
    let mut lines = lines_of(&disk);
    let line = lines.remove(purge);
    lines.insert(purge - 3, line);
    set_lines(&disk, &lines);
    reseal(&disk);
    assert_eq!(look(&disk, &plant.trust()).verdict, Verdict::Tampered);
}

#[test]
fn a_report_that_says_something_else__is_noticed() {
    let (plant, sound) = whole();
    for path in ["b/data/report.csv", "b/data/report.html", "b/bag-info.txt"] {
        let disk = sound.snapshot();
        let text = String::from_utf8(disk.content(path).expect("there")).expect("text");
        replace(&disk, path, format!("{text} ").as_bytes());
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Tampered, "{path}: {found:?}");
        disk.lose(path).expect("lost");
        reseal(&disk);
        let found = look(&disk, &plant.trust());
        assert_eq!(found.verdict, Verdict::Incomplete, "{path}: {found:?}");
    }
}

#[test]
fn files_missing_added_renamed_cut_or_with_other_line_ends__have_one_verdict_each() {
    let (plant, sound) = whole();
    let verdict = |change: &dyn Fn(&SimDisk)| {
        let disk = sound.snapshot();
        change(&disk);
        look(&disk, &plant.trust()).verdict
    };
    for (path, _) in sound.files() {
        let missing = verdict(&|disk| disk.lose(&path).expect("lost"));
        assert_eq!(missing, Verdict::Incomplete, "without {path}");
        let renamed = verdict(&|disk| {
            disk.copy(&path, format!("{path}.txt")).expect("copied");
            disk.lose(&path).expect("lost");
        });
        assert_eq!(renamed, Verdict::Tampered, "{path} renamed");
        let cut = verdict(&|disk| {
            let len = disk.content(&path).expect("there").len() as u64;
            disk.truncate(&path, len - 2).expect("cut");
        });
        let is_log = path.ends_with("events.jsonl");
        let expected = if is_log {
            Verdict::Incomplete
        } else {
            Verdict::Tampered
        };
        assert_eq!(cut, expected, "{path} cut short");
        let crlf = verdict(&|disk| {
            let text = String::from_utf8(disk.content(&path).expect("there")).expect("text");
            let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
            replace(disk, &path, text.as_bytes());
        });
        let is_plain = path.contains("report.csv") || !sound_has_line_feed(&sound, &path);
        assert_eq!(
            crlf == Verdict::Tampered,
            !is_plain,
            "{path} with CRLF: {crlf}"
        );
    }
    let added = verdict(&|disk| replace(disk, "b/data/notes.txt", b"hello"));
    assert_eq!(added, Verdict::Tampered);
    let added = verdict(&|disk| replace(disk, "b/notes.txt", b"hello"));
    assert_eq!(added, Verdict::Tampered);
}

fn sound_has_line_feed(disk: &SimDisk, path: &str) -> bool {
    disk.content(path).expect("there").contains(&b'\n')
}

#[test]
fn what_is_no_bundle_or_a_later_ones__is_unreadable() {
    let (plant, sound) = whole();
    let trust = plant.trust();
    assert_eq!(look(&SimDisk::new(), &trust).verdict, Verdict::Unreadable);
    let empty = SimDisk::new();
    crate::disk::Disk::make_dir(&empty, "b".as_ref()).expect("made");
    assert_eq!(look(&empty, &trust).verdict, Verdict::Unreadable);
    for (path, from, to) in [
        ("b/bagit.txt", "1.0", "1.1"),
        ("b/bag-info.txt", "Format: 1", "Format: 2"),
    ] {
        let disk = sound.snapshot();
        let text = String::from_utf8(disk.content(path).expect("there")).expect("text");
        replace(&disk, path, text.replace(from, to).as_bytes());
        let found = look(&disk, &trust);
        assert_eq!(found.verdict, Verdict::Unreadable, "{path}: {found:?}");
        assert_eq!(found.findings.len(), 1, "{found:?}");
    }
    // The layout is stated in the signed event, too.
    let mut later = Plant::busy();
    let (counted, _) = later.clone().prepare(What::Whole, WithContents::No);
    let mut counted = counted;
    counted.exported.format = 2;
    later.record(Body::Exported(counted.exported.clone()));
    let (disk, signed) = (SimDisk::new(), later.sign());
    later
        .write_to(&disk, "b", &counted, &signed, None)
        .expect("written");
    assert_eq!(look(&disk, &later.trust()).verdict, Verdict::Unreadable);
}

/// An owner signs an export of fewer lines or entries than there are.
#[test]
fn counts_that_are_not_those_of_the_lines__are_noticed() {
    for change in 0..4 {
        let mut plant = Plant::busy();
        let (mut counted, _) = plant.clone().prepare(What::Whole, WithContents::Yes);
        match change {
            0 => counted.exported.counts.entries -= 1,
            1 => counted.exported.upto.0 -= 1,
            2 => counted.exported.root = crate::id::Sha256::of(b"x"),
            _ => _ = counted.contents.pop(),
        }
        plant.record(Body::Exported(counted.exported.clone()));
        let (disk, signed) = (SimDisk::new(), plant.sign());
        plant
            .write_to(&disk, "b", &counted, &signed, None)
            .expect("written");
        let found = look(&disk, &plant.trust());
        assert!(!found.ok, "{change}: {found:?}");
    }
}
