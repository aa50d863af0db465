//! C. What a store takes, by the byte that was given to it.

use std::path::PathBuf;

use super::Answer;
use super::ingest::LEVEL;
use crate::Result;
use crate::figures::{count, mib};
use crate::files::Set;
use crate::keep::annals::Annals;
use crate::keep::{
    Alone, Batch, Borg, Fjall, Folders, Git, Keeper, Promise, Redb, Restic, Size, Solid,
    sqlite::Sqlite,
};
use crate::measure::{Taken, fresh_dir};
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

/// Stores that compress once, where nobody waits.
const LEVEL_SMALL: i32 = 9;
/// Formats of the corpus that get a column.
const CORPUS: [&str; 3] = ["openhtf-json", "junit-xml", "touchstone"];
/// The set with every format in it.
const MIXED: &str = "mixed";
/// Blocks are shown where they take this much more than the bytes.
const ROUNDED_UP: f64 = 1.1;

fn keepers() -> Vec<Box<dyn Keeper>> {
    let all = usize::MAX;
    vec![
        Box::new(Annals {
            callers: CALLERS,
            files_max: all,
        }),
        Box::new(Restic {
            batch: Batch::AllAtOnce,
            compression: "max",
        }),
        Box::new(Borg {
            batch: Batch::AllAtOnce,
            compression: "zstd,19",
        }),
        Box::new(Sqlite::keeper(64, LEVEL_SMALL, all)),
        Box::new(Redb::keeper(64, LEVEL_SMALL, all)),
        Box::new(Fjall::keeper(64, LEVEL_SMALL, all)),
        Box::new(Folders {
            promise: Promise::Row,
            files_max: all,
        }),
        Box::new(Git),
        Box::new(Alone),
        Box::new(Solid::FAST),
        Box::new(Solid::SMALL),
    ]
}

fn sets(settings: &Settings, answer: &mut Answer) -> Result<Vec<Set>> {
    let count = settings.files.min(settings.size.pick(5_000, 500));
    let mut sets = Vec::new();
    for format in [Format::Csv, Format::Xml, Format::Json] {
        sets.push(Set::generated(&settings.dir, format, settings.seed, count)?);
    }
    let Some(corpus) = &settings.corpus else {
        answer.note("skipped: the corpus: no --corpus");
        return Ok(sets);
    };
    for name in CORPUS {
        if corpus.join(name).is_dir() {
            let folders = [corpus.join(name)];
            sets.push(Set::copied(
                &settings.dir,
                name,
                &corpus.join(name),
                &folders,
            )?);
        } else {
            answer.note(format!("skipped: {name}: the corpus has none"));
        }
    }
    if settings.size == crate::settings::Size::Quick {
        answer.note("skipped: the mixed corpus: --quick");
        return Ok(sets);
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(corpus)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    sets.push(Set::copied(&settings.dir, MIXED, corpus, &folders)?);
    Ok(sets)
}

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&[]);
    let sets = sets(settings, &mut answer)?;
    answer.table = vec![
        std::iter::once("stored of source bytes".to_owned())
            .chain(sets.iter().map(|set| set.name.clone()))
            .chain(std::iter::once("how".to_owned()))
            .collect(),
    ];
    let row = |first: &str, last: String, cell: &dyn Fn(usize) -> String| -> Vec<String> {
        std::iter::once(first.to_owned())
            .chain((0..sets.len()).map(cell))
            .chain(std::iter::once(last))
            .collect()
    };
    answer.table.push(row("source", String::new(), &|nth| {
        let set = &sets[nth];
        format!(
            "{} files, {}",
            count(set.files.len() as f64),
            mib(set.bytes() as f64)
        )
    }));
    let all = keepers();
    let keepers = answer.present(&all);
    let mut sizes: Vec<Vec<Size>> = Vec::new();
    for keeper in &keepers {
        let mut of_keeper = Vec::new();
        for set in &sets {
            let store = fresh_dir(&settings.dir.join("bytes"))?;
            keeper.ingest(&store, set)?;
            let size = keeper.size(&store)?;
            keeper.check(&store, set)?;
            eprintln!("  {}, {}: {}", keeper.name(), set.name, size.kept.length);
            of_keeper.push(size);
            std::fs::remove_dir_all(store)?;
        }
        sizes.push(of_keeper);
    }
    for (keeper, sizes) in keepers.iter().zip(&sizes) {
        let share = |nth: usize, pick: &dyn Fn(&Size) -> Taken| {
            let of = sets[nth].bytes() as f64;
            let Taken { length, allocated } = pick(&sizes[nth]);
            let length = length as f64 / of;
            let blocks = allocated as f64 / of;
            if blocks > length * ROUNDED_UP {
                format!("{length:.4} ({blocks:.4} in blocks)")
            } else {
                format!("{length:.4}")
            }
        };
        let how = keeper.how();
        answer.table.push(row(&keeper.name(), how, &|nth| {
            share(nth, &|size| size.kept)
        }));
        if sizes.iter().any(|size| size.index.length > 0) {
            let text = "disposable: made again from the rest".to_owned();
            answer.table.push(row("- its index", text, &|nth| {
                share(nth, &|size| size.index)
            }));
        }
        if sizes.iter().any(|size| size.recycled.length > 0) {
            let text = "as many whatever the store holds: at most 8 files of 32 MiB".to_owned();
            answer
                .table
                .push(row("- its recycled journal files", text, &|nth| {
                    format!(
                        "{:.1} MiB",
                        sizes[nth].recycled.length as f64 / f64::from(1 << 20)
                    )
                }));
        }
    }
    answer.note(format!(
        "Sums of file lengths; what the blocks of the file system take is shown where it is over {ROUNDED_UP} of that. Embedded \
         stores compress with zstd {LEVEL_SMALL} here, and with {LEVEL} where speed is asked for. No rounds: the same bytes come \
         out of every run, but for the times in the facts. annals also keeps every fact."
    ));
    targets(&mut answer, &sets, &keepers, &sizes);
    Ok(answer)
}

fn targets(answer: &mut Answer, sets: &[Set], keepers: &[&dyn Keeper], sizes: &[Vec<Size>]) {
    let of = |name: &str, set: usize| {
        let found = keepers
            .iter()
            .position(|keeper| keeper.name().starts_with(name));
        found.map(|nth| sizes[nth][set].kept.length as f64)
    };
    let peers: [(&str, &[&str], f64); 3] = [
        ("the better of restic and borg", &["restic", "borg"], 0.5),
        ("`tar`, zstd -3", &["tar, zstd -3"], 1.0),
        ("`tar`, zstd -19 --long", &["tar, zstd -19"], 1.15),
    ];
    for (group, real) in [("generated reports", false), ("the corpus", true)] {
        for (peer, names, limit) in peers {
            // The worst format decides, and is named.
            let worst = sets
                .iter()
                .enumerate()
                .filter(|(_, set)| set.name != MIXED && CORPUS.contains(&&*set.name) == real)
                .filter_map(|(nth, set)| {
                    let theirs = names.iter().filter_map(|name| of(name, nth));
                    let ours = of("annals", nth)?;
                    let theirs = theirs.reduce(f64::min)?;
                    Some((ours, theirs, set))
                })
                .max_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
            if let Some((ours, theirs, set)) = worst {
                let what = format!("stored bytes of {group}, worst format: of {peer}");
                answer
                    .at_most(&what, ours / theirs, limit)
                    .of(format!("{}: {}", set.name, mib(ours)), mib(theirs));
            }
        }
    }
    let Some(nth) = sets.iter().position(|set| set.name == MIXED) else {
        return;
    };
    // With access to single files kept.
    let smallest = [
        "restic", "borg", "SQLite", "redb", "fjall", "the plan", "git",
    ]
    .into_iter()
    .filter_map(|peer| Some((of(peer, nth)?, peer)))
    .min_by(|one, other| one.0.total_cmp(&other.0));
    if let (Some(ours), Some((theirs, peer))) = (of("annals", nth), smallest) {
        answer
            .at_most(
                "stored bytes of the mixed folder: of the smallest peer with access to single files",
                ours / theirs,
                1.0,
            )
            .of(mib(ours), format!("{peer} {}", mib(theirs)));
    }
}
