//! Generates all files of a week, including damaged and repeated ones.

use std::time::Duration;

use super::clock::{FIRST_SHIFT_S, stamp, time};
use super::file::{ICT_FOLDER, PlantFile};
use super::random::{Random, Stream};
use super::unit::{STORY_INDEX, Unit};

/// Returns every file of a plant that made `units` units in a week, oldest first.
///
/// There are about three files for each unit. About 3 % are cut short, about 3 % are repeated under
/// another name, and one is empty.
pub(crate) fn plant(seed: u64, units: usize) -> Vec<PlantFile> {
    let mut files = Vec::new();
    for index in 0..units {
        let unit = Unit::new(seed, index, units);
        let mut accidents = Random::of(seed, index, Stream::Accidents);
        for file in unit.files() {
            if index == STORY_INDEX {
                files.push(file);
                continue;
            }
            match accidents.below(100) {
                0..3 => files.push(cut_short(file, &mut accidents)),
                3..6 => {
                    files.push(copied(&file));
                    files.push(file);
                }
                _ => files.push(file),
            }
        }
    }
    if units > 0 {
        files.push(PlantFile {
            folder: ICT_FOLDER,
            name: format!("ICT-02_{}.csv", stamp(FIRST_SHIFT_S + 7 * 3600)),
            bytes: Vec::new(),
            modified: time(FIRST_SHIFT_S + 7 * 3600),
        });
    }
    files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    files
}

/// Returns the ICT file of unit `n` of an endless plant.
///
/// The files have about 8.5 KB. All differ, but they are as similar as real ones.
#[allow(dead_code, reason = "for the benches, which include this file")]
pub(crate) fn ict_file(seed: u64, n: usize) -> Vec<u8> {
    Unit::new(seed, n, usize::MAX).ict(FIRST_SHIFT_S, None)
}

fn cut_short(mut file: PlantFile, random: &mut Random) -> PlantFile {
    let share = 15 + random.below(80);
    file.bytes.truncate(file.bytes.len() * share / 100);
    file
}

fn copied(file: &PlantFile) -> PlantFile {
    let (stem, extension) = file.name.rsplit_once('.').unwrap_or((&file.name, ""));
    PlantFile {
        name: format!("{stem} (2).{extension}"),
        modified: file.modified + Duration::from_secs(95),
        ..file.clone()
    }
}
