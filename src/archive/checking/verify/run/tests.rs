//! What a verification finds, and how often it reads.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::super::report::Finding;
use super::*;
use crate::archive::{NewConverter, NewEntry, Options};
use crate::disk::sim::{Call, SimDisk};
use crate::id::{BlobId, ConverterId};

fn noise(seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; 3_000];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn store(disk: &SimDisk) -> Archive {
    Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store")
}

fn put(archive: &Archive, content: &[u8]) {
    let new = NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    };
    archive.put(new, content).expect("archived");
}

fn register(archive: &Archive, files: &[(&str, Vec<u8>)]) {
    let bundle = files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), content.clone()))
        .collect();
    archive
        .register_converter(NewConverter {
            converter_id: ConverterId::from_bytes([7; 32]),
            name: "ICT".to_owned(),
            version: None,
            command: vec!["ict".to_owned()],
            mode: "oneshot".to_owned(),
            environment: String::new(),
            bundle,
        })
        .expect("registered");
}

/// Flips a bit of the stored copy of that content.
fn damage(disk: &SimDisk, content: &[u8]) -> String {
    let packs = disk.files().into_iter().map(|(path, _)| path);
    for path in packs.filter(|path| path.starts_with("packs/")) {
        let bytes = disk.content(&path).expect("there");
        let at = bytes
            .windows(content.len())
            .position(|window| window == content);
        if let Some(at) = at {
            disk.flip_bit(&path, at as u64 * 8).expect("flipped");
            return path;
        }
    }
    panic!("it is in no pack");
}

/// A converter is run again years later. Of its files only the records were looked at, and
/// never their SHA-256.
#[test]
fn a_damaged_converter_file__is_found_with_its_name() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    register(&archive, &[("ict.py", noise(1)), ("limits.json", noise(2))]);
    archive.seal().expect("sealed");
    assert!(archive.verify(Depth::Deep).expect("looked").ok);
    damage(&disk, &noise(2));
    let report = archive.verify(Depth::Deep).expect("looked");
    let [finding] = &report.findings[..] else {
        panic!("{report:?}");
    };
    assert_eq!(finding.kind, "blob");
    assert!(finding.r#where.starts_with("converter "), "{finding:?}");
    assert!(finding.detail.starts_with("limits.json, "), "{finding:?}");
}

/// A store of many small files has one pack. Its check stood at 0 % to the end, because progress
/// was counted in packs.
#[test]
fn the_check_of_one_pack__reports_how_far_it_is() {
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let heard = Arc::clone(&told);
    let options = Options {
        progress: Progress::to(move |done, total, what| {
            if what == "checking packs" {
                assert!(done < total, "{done} of {total}");
                heard.lock().expect("no panic while held").insert(done);
            }
        }),
        ..Options::default()
    };
    let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("a store");
    for seed in 0..50 {
        put(&archive, &noise(seed));
    }
    archive.seal().expect("sealed");
    let report = archive.verify(Depth::Deep).expect("looked");
    assert_eq!((report.packs, report.blobs), (1, 50), "{report:?}");
    let steps = told.lock().expect("no panic while held").len();
    assert!(steps > 50, "{steps} steps");
}

/// It was read once for its record and once more for each entry that names it.
#[test]
fn shared_content__is_read_once_and_reported_for_each_entry() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    put(&archive, &noise(1));
    archive.seal().expect("sealed");
    let reads = || {
        let before = disk.census();
        let report = archive.verify(Depth::Deep).expect("looked");
        let now = disk.census();
        let packs = now
            .iter()
            .filter(|(call, path, _)| *call == Call::Read && path.starts_with("packs/"));
        let reads: u64 = packs
            .map(|(call, path, count)| count - before.on(call, path))
            .sum();
        (reads, report)
    };
    // Once to have the pack open.
    reads();
    let (once, _) = reads();
    for _ in 0..20 {
        put(&archive, &noise(1));
    }
    archive.seal().expect("sealed");
    let (many, report) = reads();
    assert!(report.ok && report.blobs == 1, "{report:?}");
    assert_eq!(many, once);
    let path = damage(&disk, &noise(1));
    let (_, report) = reads();
    assert_eq!(report.findings.len(), 21, "{report:?}");
    let name = path.rsplit('/').next().expect("a name");
    for finding in report.findings {
        assert!(finding.detail.contains(name), "{finding:?}");
    }
}

/// Threads find things when they come to them. What is told must not depend on that.
#[test]
fn findings_of_threads__have_one_order_and_count_once() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let content = |nth: u64| {
        let mut content = noise(7);
        content.extend(nth.to_le_bytes());
        content
    };
    for nth in 0..THREADS_FROM.0 {
        put(&archive, &content(nth % 600));
    }
    archive.seal().expect("sealed");
    let report = archive.verify(Depth::Deep).expect("looked");
    assert!(report.ok, "{report:?}");
    assert_eq!((report.blobs, report.packs), (600, 1));
    let damaged: Vec<u64> = (0..600).step_by(100).collect();
    let mut places = Vec::new();
    for nth in &damaged {
        let row = archive
            .store()
            .index
            .view()
            .blob(&BlobId::of(&content(*nth)));
        places.push(
            row.expect("readable")
                .expect("there")
                .place
                .expect("packed"),
        );
    }
    let pack = archive
        .store()
        .contents
        .pack(places[0].pack)
        .expect("opened")
        .1;
    for place in places {
        let at = (place.offset + u64::from(place.len) - 1) * 8;
        disk.flip_bit(&pack, at).expect("flipped");
    }
    let first = archive.verify(Depth::Deep).expect("looked");
    // Each is named by two entries, but for those that only one came to.
    let twice = damaged.iter().filter(|nth| *nth + 600 < THREADS_FROM.0);
    assert_eq!(first.findings.len(), damaged.len() + twice.count());
    let entry = |finding: &Finding| finding.r#where.split(' ').nth(1)?.parse::<u64>().ok();
    let order: Vec<_> = first.findings.iter().map(entry).collect();
    assert!(order.is_sorted() && order[0].is_some(), "{order:?}");
    for _ in 0..5 {
        assert_eq!(archive.verify(Depth::Deep).expect("looked"), first);
    }
}

/// Nobody reads it by name, and it must not be taken for sound.
#[test]
fn unneeded_content__is_checked_as_well() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    for seed in 0..20 {
        put(&archive, &noise(seed));
    }
    archive.seal().expect("sealed");
    let policy = crate::retention::Policy {
        max_count: Some(19),
        ..Default::default()
    };
    let plan = archive
        .plan_purge(&policy, crate::retention::AsOf::Clock)
        .expect("a plan");
    archive.purge(&plan, "asked for").expect("purged");
    damage(&disk, &noise(0));
    let report = archive.verify(Depth::Deep).expect("looked");
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(report.findings[0].kind, "blob");
}
