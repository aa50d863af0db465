//! The demonstration and the benches rely on these files. They must not change between runs, and
//! must contain the faults that the demonstration shows.

use std::collections::{BTreeMap, BTreeSet};

use super::week::{ict_file, plant};
use super::{FIRMWARE_FOLDER, FUNCTIONAL_FOLDER, ICT_FOLDER, STORY_SERIAL};

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let files = plant(7, 40);
    assert_eq!(files, plant(7, 40));
    assert_ne!(files, plant(8, 40));
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        hasher.update(file.name.as_bytes()).update(&file.bytes);
    }
    assert_eq!(
        hasher.finalize().to_hex()[..16].to_owned(),
        "f088fb12300ff731",
        "the plant changed: so do the demonstration and the benches"
    );
}

#[test]
fn no_two_files_share_a_path() {
    let files = plant(1, 300);
    let paths: BTreeSet<_> = files.iter().map(|file| (file.folder, &file.name)).collect();
    assert_eq!(paths.len(), files.len());
}

#[test]
fn files_have_the_sizes_of_real_ones() {
    let mut sizes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for file in plant(1, 300) {
        sizes.entry(file.folder).or_default().push(file.bytes.len());
    }
    for (folder, least, most) in [
        (ICT_FOLDER, 6_000, 10_000),
        (FUNCTIONAL_FOLDER, 5_000, 15_000),
        (FIRMWARE_FOLDER, 4_000, 12_000),
    ] {
        let sizes = sizes.get_mut(folder).expect("every station wrote");
        sizes.sort_unstable();
        let (tenth, last) = (sizes[sizes.len() / 10], sizes[sizes.len() - 1]);
        assert!(tenth >= least && last <= most, "{folder}: {tenth}..{last}");
    }
}

#[test]
fn some_files_are_copies_some_are_cut_short_and_one_is_empty() {
    let files = plant(1, 300);
    let distinct: BTreeSet<_> = files.iter().map(|file| &file.bytes).collect();
    let copies = files.len() - distinct.len();
    let cut = files
        .iter()
        .filter(|file| !file.bytes.is_empty() && !file.bytes.ends_with(b"\n"))
        .count();
    let percent = |count: usize| count * 100 / files.len();
    assert!((1..=5).contains(&percent(copies)), "{copies} copies");
    assert!((1..=5).contains(&percent(cut)), "{cut} cut short");
    assert_eq!(files.iter().filter(|file| file.bytes.is_empty()).count(), 1);
}

#[test]
fn the_unit_of_the_story_failed_its_last_measurement_and_went_on() {
    let files = plant(1, 240);
    let mut of_unit = files.iter().filter(|file| file.name.contains(STORY_SERIAL));
    let ict = of_unit.next().expect("its ICT file");
    let text = str::from_utf8(&ict.bytes).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[lines.len() - 2].starts_with("BT1 backup current;"));
    assert!(lines[lines.len() - 2].ends_with(";FAIL"));
    assert!(text.contains("Station;ICT-03"));
    assert_eq!(of_unit.count(), 2, "a functional log and a firmware run");
}

#[test]
fn bench_files_are_about_8_5_kilobytes_and_all_different() {
    let files: BTreeSet<Vec<u8>> = (0..300).map(|n| ict_file(1, n)).collect();
    assert_eq!(files.len(), 300);
    let mean = files.iter().map(Vec::len).sum::<usize>() / files.len();
    assert!((8_000..9_000).contains(&mean), "{mean}");
}
