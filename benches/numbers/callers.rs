//! Ingest: one caller who waits for each file, and many at once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

use annals::archive::{NewEntry, Options, Pending};
use annals::{Archive, entry, event};

use crate::bare::{self, Hashes, ZeroedFile};
use crate::plant;
use crate::put::{CALLERS, put_all};
use crate::table::{Row, Table, Target, count, median, ms, percentile, seconds};
use crate::{ROUNDS, Result, fresh_dir};

const PUTS_ONE_CALLER: usize = 300;
const BARE_BYTES: usize = 4096;

/// One durable `put` at a time, and one bare append after each, so that both see the same disk.
pub(crate) fn one(dir: &Path, table: &mut Table) -> Result<()> {
    let mut ours_p50 = Vec::new();
    let mut ours_p99 = Vec::new();
    let mut bare_p50 = Vec::new();
    let mut bare_p99 = Vec::new();
    for round in 0..ROUNDS {
        let store = fresh_dir(&dir.join("one"))?;
        let archive = Archive::create(&store, Options::default())?;
        let mut floor = ZeroedFile::create(&dir.join("floor"), 32 << 20)?;
        let block = vec![0xa5; BARE_BYTES];
        let contents: Vec<Vec<u8>> = (0..PUTS_ONE_CALLER)
            .map(|nth| plant::ict_file(1, round * PUTS_ONE_CALLER + nth))
            .collect();
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        for (nth, content) in contents.iter().enumerate() {
            let began = Instant::now();
            archive.put(ict_entry(nth), content.as_slice())?;
            ours.push(seconds(began.elapsed()));
            let began = Instant::now();
            floor.append(&block)?;
            floor.sync()?;
            bare.push(seconds(began.elapsed()));
        }
        archive.close()?;
        ours_p50.push(percentile(&mut ours, 50));
        ours_p99.push(percentile(&mut ours, 99));
        bare_p50.push(percentile(&mut bare, 50));
        bare_p99.push(percentile(&mut bare, 99));
    }
    for (name, mut ours, mut bare, limit) in [
        ("p50", ours_p50, bare_p50, Some(1.5)),
        ("p99", ours_p99, bare_p99, None),
    ] {
        let (ours, bare) = (median(&mut ours), median(&mut bare));
        let ratio = ours / bare;
        table.push(Row {
            what: format!("one caller, durable put of an ICT file, {name}"),
            ours: ms(ours),
            beside: format!("{} 4 KiB append + fdatasync", ms(bare)),
            ratio: format!("{ratio:.2}x"),
            target: limit.map_or(Target::None, |limit| Target::at_most(ratio, limit, "x")),
        });
    }
    Ok(())
}

/// 64 callers with 20,000 files between them, and the bare loop over the same files before each
/// round.
///
/// Leaves the store of the last round behind, sealed, for the measurements of reading.
pub(crate) fn many(dir: &Path, files: &[PathBuf], table: &mut Table) -> Result<PathBuf> {
    let store = dir.join("many");
    let (mut ours, mut sealed) = (Vec::new(), Vec::new());
    let (mut bare, mut bare_twice) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(bare::archive_loop(dir, files, Hashes::Blake3, &[])?);
        bare_twice.push(bare::archive_loop(
            dir,
            files,
            Hashes::Blake3AndSha256,
            &[],
        )?);
        fresh_dir(&store)?;
        let archive = Archive::create(&store, Options::default())?;
        let began = Instant::now();
        put_all(&archive, files, CALLERS, ict_entry)?;
        ours.push(files.len() as f64 / seconds(began.elapsed()));
        archive.seal()?;
        sealed.push(files.len() as f64 / seconds(began.elapsed()));
        archive.close()?;
    }
    let (ours, sealed) = (median(&mut ours), median(&mut sealed));
    let (bare, bare_twice) = (median(&mut bare), median(&mut bare_twice));
    let what = format!(
        "{CALLERS} callers, {} files of ~8.5 KB",
        count(files.len() as f64)
    );
    let ratio = ours / bare;
    table.push(Row {
        what: format!("{what}, acknowledged"),
        ours: format!("{}/s", count(ours)),
        beside: format!("{}/s bare loop", count(bare)),
        ratio: format!("{ratio:.2}"),
        target: Target::at_least(ratio, 0.3, "of the loop"),
    });
    table.push(Row {
        what: format!("{what}, acknowledged"),
        ours: format!("{}/s", count(ours)),
        beside: format!("{}/s bare loop with SHA-256", count(bare_twice)),
        ratio: format!("{:.2}", ours / bare_twice),
        target: Target::None,
    });
    table.push(Row {
        what: format!("{what}, sealed and indexed"),
        ours: format!("{}/s", count(sealed)),
        beside: format!("{}/s bare loop", count(bare)),
        ratio: format!("{:.2}", sealed / bare),
        target: Target::None,
    });
    Ok(store)
}

/// One thread that keeps many in flight, beside as many callers with a thread each.
pub(crate) fn in_flight(dir: &Path, files: &[PathBuf], table: &mut Table) -> Result<()> {
    let store = dir.join("flight");
    for in_flight in [64, 256] {
        let (mut ours, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            fresh_dir(&store)?;
            let archive = Archive::builder().create(&store)?;
            let began = Instant::now();
            begin_all(&archive, files, in_flight)?;
            ours.push(files.len() as f64 / seconds(began.elapsed()));
            archive.close()?;
            fresh_dir(&store)?;
            let archive = Archive::builder().create(&store)?;
            let began = Instant::now();
            put_all(&archive, files, in_flight, ict_entry)?;
            beside.push(files.len() as f64 / seconds(began.elapsed()));
            archive.close()?;
        }
        let (ours, beside) = (median(&mut ours), median(&mut beside));
        table.push(Row {
            what: format!(
                "one thread, begin_put, {in_flight} in flight, {} files of ~8.5 KB",
                count(files.len() as f64)
            ),
            ours: format!("{}/s", count(ours)),
            beside: format!("{}/s {in_flight} callers", count(beside)),
            ratio: format!("{:.2}", ours / beside),
            target: Target::None,
        });
    }
    Ok(())
}

/// Archives all files from this thread, so many at a time.
fn begin_all(archive: &Archive, files: &[PathBuf], in_flight: usize) -> Result<()> {
    let mut pending = VecDeque::with_capacity(in_flight);
    for (nth, path) in files.iter().enumerate() {
        if pending.len() == in_flight
            && let Some(oldest) = pending.pop_front()
        {
            Pending::wait(oldest)?;
        }
        let content = std::fs::read(path)?;
        pending.push_back(archive.begin_put(ict_entry(nth), &content[..])?);
    }
    for pending in pending {
        pending.wait()?;
    }
    Ok(())
}

/// What is known of the nth file of an in-circuit tester.
pub(crate) fn ict_entry(nth: usize) -> NewEntry {
    NewEntry::new("ICT CSV")
        .converter_version("1.4.0")
        .source(event::Source::default().name(format!("K2510-{nth:06}.csv")))
        .unit(
            entry::Unit::default()
                .serial(format!("K2510-{nth:06}"))
                .part(format!("118-44{:02}", nth % 40))
                .station(format!("ICT-{:02}", nth % 7))
                .process("10"),
        )
}
