//! A. How many files a second are taken in for good, beside the same work without a store.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::Answer;
use crate::Result;
use crate::bare::{self, Hashes, ZeroedFile};
use crate::figures::{count, median, seconds};
use crate::files::Set;
use crate::keep::annals::{Annals, OneThread};
use crate::keep::{Batch, Borg, Fjall, Folders, Keeper, Promise, Redb, Restic, sqlite::Sqlite};
use crate::measure::{fresh_dir, settle};
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

/// zstd's fastest ordinary level, at which the others compress where a caller waits. annals
/// compresses less there, and again when it seals.
pub(crate) const LEVEL: i32 = 1;
/// The bare loop's dictionary, and the files it learns from.
const DICTIONARY_BYTES: usize = 32 << 10;
const DICTIONARY_FILES: usize = 200;
/// Appends for the floor of one sync each.
const FLOOR_APPENDS: usize = 300;

/// Everybody, in the order of the table.
pub(crate) fn keepers(settings: &Settings) -> Vec<Box<dyn Keeper>> {
    let one_by_one = settings.size.pick(2_000, 300);
    let sample = settings.size.pick(10, 3);
    let all = usize::MAX;
    let restic = |batch| Restic {
        batch,
        compression: "auto",
    };
    let borg = |batch| Borg {
        batch,
        compression: "zstd,3",
    };
    vec![
        Box::new(Annals {
            callers: CALLERS,
            files_max: all,
        }),
        Box::new(Annals {
            callers: 1,
            files_max: one_by_one,
        }),
        Box::new(OneThread { in_flight: 64 }),
        Box::new(OneThread { in_flight: 256 }),
        Box::new(Sqlite::keeper(64, LEVEL, all)),
        Box::new(Sqlite::keeper(1, LEVEL, one_by_one)),
        Box::new(Redb::keeper(64, LEVEL, all)),
        Box::new(Redb::keeper(1, LEVEL, one_by_one)),
        Box::new(Fjall::keeper(64, LEVEL, all)),
        Box::new(Fjall::keeper(1, LEVEL, one_by_one)),
        Box::new(Folders {
            promise: Promise::Row,
            files_max: one_by_one,
        }),
        Box::new(Folders {
            promise: Promise::RowAndFile,
            files_max: one_by_one,
        }),
        Box::new(restic(Batch::AllAtOnce)),
        Box::new(restic(Batch::FileByFile(sample))),
        Box::new(borg(Batch::AllAtOnce)),
        Box::new(borg(Batch::FileByFile(sample))),
    ]
}

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&[
        "who",
        "files",
        "files/s",
        "of the bare loop",
        "annals is so many times as fast",
        "files/s, background work included",
        "how",
    ]);
    let dir = &settings.dir;
    let set = Set::generated(dir, Format::Csv, settings.seed, settings.files)?;
    let paths = set.paths();
    let dictionary = dictionary(&set)?;
    let all = keepers(settings);
    let keepers = answer.present(&all);
    let (mut bare, mut floor) = (Vec::new(), Vec::new());
    let mut rates: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for round in 0..settings.rounds {
        eprintln!("  round {} of {}", round + 1, settings.rounds);
        settle(dir)?;
        floor.push(appends(dir)?);
        set.warm()?;
        settle(dir)?;
        bare.push(bare::archive_loop(
            dir,
            &paths,
            Hashes::Blake3,
            &dictionary,
        )?);
        for (nth, keeper) in keepers.iter().enumerate() {
            let store = fresh_dir(&dir.join("ingest"))?;
            let part = set.first(keeper.files_max());
            part.warm()?;
            settle(dir)?;
            let took = keeper.ingest(&store, &part)?;
            let files = part.files.len() as f64;
            let rates = rates.entry(nth).or_default();
            rates.0.push(files / seconds(took.acknowledged));
            rates.1.push(files / seconds(took.settled));
            if round == 0 {
                keeper.check(&store, &part)?;
            }
            std::fs::remove_dir_all(store)?;
        }
    }
    let (bare, floor) = (median(&mut bare), median(&mut floor));
    let rates: Vec<(f64, f64)> = rates
        .into_values()
        .map(|(mut kept, mut settled)| (median(&mut kept), median(&mut settled)))
        .collect();
    let annals = rates.first().map_or(f64::NAN, |rate| rate.0);
    let compared = |rate: f64| [format!("{:.3}", rate / bare), times(annals / rate)];
    let [of_bare, faster] = compared(bare);
    answer.row([
        "the bare loop, 2 threads".to_owned(),
        count(set.files.len() as f64),
        count(bare),
        of_bare,
        faster,
        String::new(),
        "read, BLAKE3, zstd 1 with a dictionary, append, fdatasync for 64".to_owned(),
    ]);
    let [of_bare, faster] = compared(floor);
    answer.row([
        "the floor of one sync each".to_owned(),
        String::new(),
        count(floor),
        of_bare,
        faster,
        String::new(),
        "4 KiB over zeros, fdatasync, one after the other".to_owned(),
    ]);
    for (keeper, (kept, settled)) in keepers.iter().zip(&rates) {
        let [of_bare, faster] = compared(*kept);
        let settled = if settled == kept {
            String::new()
        } else {
            count(*settled)
        };
        answer.row([
            keeper.name(),
            count(set.files.len().min(keeper.files_max()) as f64),
            if *kept < 20.0 {
                format!("{kept:.1}")
            } else {
                count(*kept)
            },
            of_bare,
            faster,
            settled,
            keeper.how(),
        ]);
    }
    let found = |name: &str| keepers.iter().position(|keeper| keeper.name() == name);
    let rate = |name: &str| found(name).and_then(|nth| rates.get(nth)).copied();
    targets(&mut answer, bare, &rate);
    Ok(answer)
}

fn targets(answer: &mut Answer, bare: f64, rate: &dyn Fn(&str) -> Option<(f64, f64)>) {
    let per_second = |rate: f64| format!("{}/s", count(rate));
    let grouped = ["SQLite", "redb", "fjall"]
        .into_iter()
        .filter_map(|peer| Some((rate(&format!("{peer}, 64 a commit"))?.0, peer)))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    for in_flight in [64, 256] {
        let Some((ours, _)) = rate(&format!("annals, one thread, {in_flight} in flight")) else {
            continue;
        };
        let what = format!("files/s, one thread, {in_flight} in flight");
        if let Some((fastest, peer)) = grouped {
            answer
                .at_least(
                    &format!("{what}: times the fastest of SQLite, redb and fjall, 64 a commit"),
                    ours / fastest,
                    1.0,
                )
                .of(per_second(ours), format!("{peer} {}", per_second(fastest)));
        }
        answer
            .at_least(&format!("{what}: of the bare loop"), ours / bare, 0.6)
            .of(per_second(ours), per_second(bare));
    }
    let Some((ours, settled)) = rate(&format!("annals, {CALLERS} callers")) else {
        return;
    };
    answer
        .at_least("files/s, 64 callers: of the bare loop", ours / bare, 0.6)
        .of(per_second(ours), per_second(bare));
    for (name, what, ours, limit) in [
        ("restic, all at once", "times restic", ours, 3.0),
        (
            "restic, all at once",
            "until all is sealed: times restic",
            settled,
            1.0,
        ),
        (
            "the plan, made durable",
            "times gzip and SQLite, durable",
            ours,
            20.0,
        ),
    ] {
        if let Some((theirs, _)) = rate(name) {
            answer
                .at_least(
                    &format!("files/s, 64 callers, {what}"),
                    ours / theirs,
                    limit,
                )
                .of(per_second(ours), per_second(theirs));
        }
    }
}

fn times(ratio: f64) -> String {
    if ratio < 20.0 {
        format!("{ratio:.2}")
    } else {
        count(ratio)
    }
}

fn dictionary(set: &Set) -> Result<Vec<u8>> {
    let mut samples = Vec::new();
    for file in set.files.iter().take(DICTIONARY_FILES) {
        samples.push(std::fs::read(&file.path)?);
    }
    Ok(zstd::dict::from_samples(&samples, DICTIONARY_BYTES)?)
}

/// Durable appends of 4 KiB a second, one after the other.
fn appends(dir: &Path) -> Result<f64> {
    let mut file = ZeroedFile::create(&dir.join("floor"), 16 << 20)?;
    let block = [0xa5; 4096];
    let began = Instant::now();
    for _ in 0..FLOOR_APPENDS {
        file.append(&block)?;
        file.sync()?;
    }
    Ok(FLOOR_APPENDS as f64 / seconds(began.elapsed()))
}
