//! What comes out again: restoring, purging, and how small everything became.

use std::path::{Path, PathBuf};
use std::time::Instant;

use annals::Archive;
use annals::archive::Options;
use annals::id::BlobId;
use annals::query::Query;
use annals::retention::{AsOf, Policy};

use crate::table::{Row, Table, Target, count, median, mib, ms, percentile, seconds};
use crate::{ROUNDS, Result};

const SINGLE_READS: usize = 2_000;
const IN_ORDER: usize = 10_000;
const PURGED: u64 = 1_000;
const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// Reads the store that the many callers left behind; then purges from it.
pub(crate) fn back(store: &Path, files: &[PathBuf], table: &mut Table) -> Result<()> {
    let archive = Archive::open(store, Options::default())?;
    let page = archive
        .snapshot()?
        .query(&Query::default().limit(IN_ORDER))?;
    let blobs: Vec<BlobId> = page.entries.iter().map(|entry| entry.blake3).collect();
    single(&archive, &blobs, files, table)?;
    in_order(&archive, &blobs, files, table)?;
    let stats = archive.snapshot()?.stats()?;
    table.plain(
        "stored bytes, of unique bytes",
        format!(
            "{:.3} ({} of {})",
            1.0 / stats.ratio,
            mib(stats.stored_bytes as f64),
            mib(stats.unique_bytes as f64)
        ),
        Target::None,
    );
    purge(&archive, files, table)?;
    archive.close()?;
    Ok(())
}

fn single(archive: &Archive, blobs: &[BlobId], files: &[PathBuf], table: &mut Table) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for nth in 0..SINGLE_READS {
        let at = nth * 7919;
        let began = Instant::now();
        archive.read_all(&blobs[at % blobs.len()], CONTENT_BYTES_MAX)?;
        ours.push(seconds(began.elapsed()));
        let began = Instant::now();
        std::fs::read(&files[at % files.len()])?;
        bare.push(seconds(began.elapsed()));
    }
    for percent in [50, 99] {
        let (ours, bare) = (
            percentile(&mut ours, percent),
            percentile(&mut bare, percent),
        );
        table.push(Row {
            what: format!("restore one entry of ~8.5 KB, warm, p{percent}"),
            ours: ms(ours),
            beside: format!("{} reading the plain file", ms(bare)),
            ratio: format!("{:.1}x", ours / bare),
            target: Target::None,
        });
    }
    Ok(())
}

fn in_order(
    archive: &Archive,
    blobs: &[BlobId],
    files: &[PathBuf],
    table: &mut Table,
) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut bytes = 0;
        for blob in blobs {
            bytes += archive.read_all(blob, CONTENT_BYTES_MAX)?.len();
        }
        ours.push(bytes as f64 / seconds(began.elapsed()));
        let began = Instant::now();
        let mut bytes = 0;
        for file in files.iter().take(blobs.len()) {
            bytes += std::fs::read(file)?.len();
        }
        bare.push(bytes as f64 / seconds(began.elapsed()));
    }
    let (ours, bare) = (median(&mut ours), median(&mut bare));
    table.push(Row {
        what: format!(
            "restore {} entries in id order, one thread",
            count(blobs.len() as f64)
        ),
        ours: format!("{:.0} MB/s", ours / 1e6),
        beside: format!("{:.0} MB/s reading the plain files", bare / 1e6),
        ratio: format!("{:.2}", ours / bare),
        target: Target::None,
    });
    Ok(())
}

fn purge(archive: &Archive, files: &[PathBuf], table: &mut Table) -> Result<()> {
    let (mut planned, mut purged) = (Vec::new(), Vec::new());
    for round in 1..=3 {
        let policy = Policy::default().max_count(files.len() as u64 - round * PURGED);
        let began = Instant::now();
        let plan = archive.plan_purge(&policy, AsOf::Clock)?;
        planned.push(seconds(began.elapsed()));
        let began = Instant::now();
        archive.purge(&plan, "bench")?;
        purged.push(seconds(began.elapsed()));
    }
    table.push(Row {
        what: format!(
            "purge of {} entries of {}",
            count(PURGED as f64),
            count(files.len() as f64)
        ),
        ours: ms(median(&mut purged)),
        beside: format!("its plan {}", ms(median(&mut planned))),
        ratio: String::new(),
        target: Target::None,
    });
    Ok(())
}
