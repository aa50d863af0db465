//! Writing a bundle: the same bytes for the same state, and all of it or nothing.

use super::sample::{Plant, look, only};
use crate::ErrorKind;
use crate::disk::Disk;
use crate::disk::sim::{Fault, Repeat, SimDisk, Variants};
use crate::export::{What, WithContents};

#[test]
fn the_same_log__gives_the_same_bytes() {
    for what in [What::Whole, only(&[2, 3])] {
        let of = |mut plant: Plant| {
            let disk = plant.export(what.clone(), WithContents::Yes);
            let files = disk.files().into_iter();
            let read = |(path, _): (String, u64)| (disk.content(&path).expect("there"), path);
            files.map(read).collect::<Vec<_>>()
        };
        assert_eq!(of(Plant::busy()), of(Plant::busy()));
    }
}

#[test]
fn a_folder_that_exists__is_refused_and_left_alone() {
    let mut plant = Plant::busy();
    let disk = plant.export(What::Whole, WithContents::No);
    let before = disk.files();
    let refused = plant.export_to(&disk, "b", What::Whole, WithContents::No);
    assert_eq!(refused.expect_err("there").kind(), ErrorKind::Refused);
    assert_eq!(disk.files(), before);
    // Another export runs, or was cut off.
    disk.make_dir("c.partial".as_ref()).expect("made");
    disk.plant("c.partial/events.jsonl", b"").expect("planted");
    let refused = plant.export_to(&disk, "c", What::Whole, WithContents::No);
    assert_eq!(refused.expect_err("there").kind(), ErrorKind::Refused);
}

/// The disk fills up, or a call fails, anywhere: there is no folder of that name, and the next try
/// is not in the way of the first.
#[test]
fn a_write_that_fails__leaves_nothing_that_looks_whole() {
    let mut plant = Plant::busy();
    let (counted, signed) = plant.prepare(only(&[2]), WithContents::Yes);
    let (mut failed, mut looks_whole) = (0, 0);
    for call in 0.. {
        let disk = SimDisk::new();
        disk.fail_at(call, Fault::Os(28), Repeat::Sticky);
        let written = plant.write_to(&disk, "b", &counted, &signed, None);
        let struck = disk.struck() > 0;
        disk.heal();
        if let Err(error) = written {
            failed += 1;
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
            // If the very last sync fails, the name cannot be taken back. What has it is whole.
            let seen = disk
                .files()
                .into_iter()
                .any(|(path, _)| path.starts_with("b/"));
            assert!(!seen || look(&disk, &plant.trust()).ok, "call {call}");
            looks_whole += usize::from(seen);
        }
        if !struck {
            break;
        }
    }
    assert!(failed > 50 && looks_whole <= 1, "{failed}, {looks_whole}");
}

/// The power goes at any call: what has the name is whole.
#[test]
fn a_power_cut__leaves_a_whole_bundle_or_none() {
    let mut plant = Plant::busy();
    let disk = plant.export(What::Whole, WithContents::Yes);
    let trust = plant.trust();
    let mut whole = 0;
    let variants = Variants {
        each: 4,
        torn_at: vec![1],
        random: 2,
        seed: 1,
    };
    for image in disk.crash_images(.., &variants) {
        if image
            .disk
            .files()
            .iter()
            .any(|(path, _)| path.starts_with("b/"))
        {
            let found = look(&image.disk, &trust);
            assert!(found.ok, "{found:?}");
            whole += 1;
        }
    }
    assert!(whole > 0);
}

/// A tester's file name reaches people in two forms, and is dangerous in neither.
#[test]
fn the_report__shows_each_entry_with_what_changed() {
    let mut plant = Plant::busy();
    let disk = plant.export(What::Whole, WithContents::No);
    let table = String::from_utf8(disk.content("b/data/report.csv").expect("there")).expect("text");
    let rows: Vec<&str> = table.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert!(
        rows[1]
            .starts_with("2,2026-03-01T09:02:00.000000+00:00,SN1.csv,/in/SN1.csv,ICT,SN1,PCB-7,")
    );
    assert!(
        rows[1].ends_with(",success,2,R-1,yes,1,6,,,"),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains(",'=SN2<b>.csv,"), "{}", rows[2]);
    assert!(
        rows[2].ends_with(",pending,0,,yes,1,10,,10,older than 90d"),
        "{}",
        rows[2]
    );
    assert!(rows[3].ends_with(",pending,0,,no,0,,,,"), "{}", rows[3]);
    let page = String::from_utf8(disk.content("b/data/report.html").expect("there")).expect("text");
    assert!(
        page.contains("=SN2&lt;b&gt;.csv") && !page.contains("SN2<b>"),
        "{page}"
    );
    assert!(
        page.contains("<td>annals.hold.placed.v1<td>recall: field failure"),
        "{page}"
    );
}
