//! D. Content back: one of them, and 10,000 in the order they came.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use annals::Archive;
use annals::archive::Options;

use super::Answer;
use super::ingest::LEVEL;
use crate::Result;
use crate::figures::{median, seconds};
use crate::files::Set;
use crate::keep::annals::{Annals, blob};
use crate::keep::{Embedded, Fjall, Keeper, Redb, Solid, Table, sqlite::Sqlite, unpack};
use crate::measure::{fresh_dir, thread_seconds};
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

const CONTENT_BYTES_MAX: u64 = 1 << 20;
const IN_ORDER: usize = 10_000;
/// Coprime with any number of files that is asked for, so that all of them come up.
const STRIDE: usize = 7919;

/// Reads the nth file of a set.
type Get<'a> = Box<dyn FnMut(usize) -> Result<Vec<u8>> + 'a>;

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&[
        "who",
        "one, warm, processor time",
        "one, warm, wall p50",
        "in order, one thread",
        "of the plain files",
    ]);
    let dir = &settings.dir;
    let set = Set::generated(dir, Format::Csv, settings.seed, settings.files)?;
    let ours = fresh_dir(&dir.join("restore-annals"))?;
    Annals {
        callers: CALLERS,
        files_max: usize::MAX,
    }
    .ingest(&ours, &set)?;
    let archive = Archive::open(&ours, Options::default())?;
    let mut readers: Vec<(String, Get<'_>)> = vec![
        (
            "plain files, read and hashed".to_owned(),
            Box::new(|nth| {
                let content = std::fs::read(&set.files[nth].path)?;
                set.compare(nth, &content)?;
                Ok(content)
            }),
        ),
        (
            "annals, sealed".to_owned(),
            Box::new(|nth| Ok(archive.read_all(&blob(&set.files[nth]), CONTENT_BYTES_MAX)?)),
        ),
    ];
    for keeper in [
        Sqlite::keeper(64, LEVEL, usize::MAX),
        Redb::keeper(64, LEVEL, usize::MAX),
        Fjall::keeper(64, LEVEL, usize::MAX),
    ] {
        let mut table = filled(dir, &keeper, &set)?;
        let set = &set;
        readers.push((
            format!("{}, unpacked and hashed", keeper.name),
            Box::new(move |nth| {
                let content = unpack(&table.get(nth as u64)?, set.files[nth].bytes)?;
                set.compare(nth, &content)?;
                Ok(content)
            }),
        ));
    }
    let single = settings.size.pick(5_000, 500);
    let in_order = set.files.len().min(IN_ORDER);
    let solid = fresh_dir(&dir.join("restore-tar"))?;
    Solid::FAST.ingest(&solid, &set)?;
    let mut cpu = vec![Vec::new(); readers.len()];
    let mut wall = vec![Vec::new(); readers.len()];
    let mut rate = vec![Vec::new(); readers.len()];
    let mut tar = Vec::new();
    for (nth, (_, get)) in readers.iter_mut().enumerate() {
        // Also what warms the caches, and the only time that annals' answer is hashed once more.
        for at in 0..set.files.len() {
            set.compare(at, &get(at)?)?;
        }
        eprintln!("  {nth} read back");
    }
    for _ in 0..settings.rounds {
        for (nth, (_, get)) in readers.iter_mut().enumerate() {
            let mut times = Vec::with_capacity(single);
            let before = thread_seconds();
            for at in (0..single).map(|nth| nth * STRIDE % set.files.len()) {
                let began = Instant::now();
                get(at)?;
                times.push(seconds(began.elapsed()));
            }
            cpu[nth].push((thread_seconds() - before) / single as f64);
            wall[nth].push(median(&mut times));
            let mut bytes = 0;
            let began = Instant::now();
            for at in 0..in_order {
                bytes += get(at)?.len();
            }
            rate[nth].push(bytes as f64 / seconds(began.elapsed()));
        }
        tar.push(unpack_tar(&solid.join("all.tar.zst"), &set)?);
    }
    let plain = median(&mut rate[0].clone());
    let us = |seconds: f64| format!("{:.1} us", seconds * 1e6);
    for (nth, (name, _)) in readers.iter().enumerate() {
        let rate = median(&mut rate[nth]);
        answer.row([
            name.clone(),
            us(median(&mut cpu[nth])),
            us(median(&mut wall[nth])),
            format!("{:.0} MB/s", rate / 1e6),
            format!("{:.2}", rate / plain),
        ]);
    }
    let tar = median(&mut tar);
    answer.row([
        "tar, zstd -3, unpacked and hashed".to_owned(),
        "reads all that stands before it".to_owned(),
        String::new(),
        format!("{:.0} MB/s", tar / 1e6),
        format!("{:.2}", tar / plain),
    ]);
    answer.note(format!(
        "{} of 8.5 KB from everywhere, then {} in id order, into memory; everybody compares a BLAKE3 hash with what it should be.",
        crate::figures::count(single as f64),
        crate::figures::count(in_order as f64)
    ));
    answer.at_most(
        "reading one file, microseconds of processor time",
        median(&mut cpu[1]) * 1e6,
        30.0,
    );
    answer.at_least(
        "reading in id order, MB/s",
        median(&mut rate[1]) / 1e6,
        500.0,
    );
    drop(readers);
    archive.close()?;
    for name in ["annals", "SQLite", "redb", "fjall", "tar"] {
        std::fs::remove_dir_all(dir.join(format!("restore-{name}")))?;
    }
    Ok(answer)
}

fn filled(dir: &Path, keeper: &Embedded, set: &Set) -> Result<Box<dyn Table>> {
    let store = fresh_dir(&dir.join(format!("restore-{}", keeper.name)))?;
    keeper.ingest(&store, set)?;
    (keeper.open)(&store)
}

/// Bytes a second out of a solid archive, every file of it hashed.
fn unpack_tar(path: &Path, set: &Set) -> Result<f64> {
    let began = Instant::now();
    let stream = zstd::stream::Decoder::new(std::fs::File::open(path)?)?;
    let mut archive = tar::Archive::new(stream);
    let (mut nth, mut bytes) = (0, 0);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            set.compare(nth, &content)?;
            bytes += content.len();
            nth += 1;
        }
    }
    if nth == set.files.len() {
        Ok(bytes as f64 / seconds(began.elapsed()))
    } else {
        Err(format!("{nth} of {} files came out of the tar", set.files.len()).into())
    }
}
