//! Embedded stores as somebody would use them for this: compress on all cores, then one writer with
//! transactions.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};

use super::{Ingested, Keeper, Size};
use crate::files::Set;
use crate::measure::taken;
use crate::{Result, THREADS};

/// Compressed files that wait for the writer.
const QUEUE: usize = 256;

/// A file as an embedded store gets it.
pub(crate) struct Record {
    pub(crate) nth: u64,
    pub(crate) name: String,
    pub(crate) hash: [u8; 32],
    pub(crate) compressed: Vec<u8>,
}

/// An open store. Nothing is checked here: what `get` answers is compared by who asked.
pub(crate) trait Table {
    /// Durable when it returns.
    fn commit(&mut self, records: &[Record]) -> Result<()>;

    fn get(&mut self, nth: u64) -> Result<Vec<u8>>;

    /// What lies in write-ahead files goes where it stays.
    fn settle(&mut self) -> Result<()>;
}

/// An embedded store as a keeper.
pub(crate) struct Embedded {
    pub(crate) name: &'static str,
    pub(crate) how: &'static str,
    pub(crate) open: fn(&Path) -> Result<Box<dyn Table>>,
    pub(crate) per_commit: usize,
    /// Of zstd.
    pub(crate) level: i32,
    pub(crate) files_max: usize,
    /// The extension of files that are allocated ahead of what is in them, if it has such.
    pub(crate) ahead: Option<&'static str>,
}

impl Keeper for Embedded {
    fn name(&self) -> String {
        format!("{}, {} a commit", self.name, self.per_commit)
    }

    fn how(&self) -> String {
        format!(
            "BLAKE3 and zstd {} on {THREADS} threads, one writer: {}",
            self.level, self.how
        )
    }

    fn files_max(&self) -> usize {
        self.files_max
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let mut table = (self.open)(dir)?;
        let began = Instant::now();
        fill(&mut *table, &set.paths(), self.per_commit, self.level)?;
        let acknowledged = began.elapsed();
        table.settle()?;
        Ok(Ingested {
            acknowledged,
            settled: began.elapsed(),
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let mut table = (self.open)(dir)?;
        for (nth, file) in set.files.iter().enumerate() {
            let content = unpack(&table.get(nth as u64)?, file.bytes)?;
            set.compare(nth, &content)?;
        }
        Ok(())
    }

    fn size(&self, dir: &Path) -> Result<Size> {
        let is_ahead =
            |path: &Path| self.ahead.is_some() && path.extension() == self.ahead.map(OsStr::new);
        Ok(Size {
            kept: taken(dir, &|path| !is_ahead(path))?,
            recycled: taken(dir, &is_ahead)?,
            ..Size::default()
        })
    }
}

/// Reads, hashes and compresses on [`THREADS`] threads, commits on this one.
pub(crate) fn fill(
    table: &mut dyn Table,
    files: &[PathBuf],
    per_commit: usize,
    level: i32,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let (ready, records) = bounded(QUEUE);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let ready = ready.clone();
            scope.spawn(|| compress_all(&next, files, level, ready));
        }
        drop(ready);
        let mut group = Vec::with_capacity(per_commit);
        for record in records {
            group.push(record?);
            if group.len() == per_commit {
                table.commit(&group)?;
                group.clear();
            }
        }
        if !group.is_empty() {
            table.commit(&group)?;
        }
        Ok(())
    })
}

fn compress_all(next: &AtomicUsize, files: &[PathBuf], level: i32, ready: Sender<Result<Record>>) {
    let mut compressor = match zstd::bulk::Compressor::new(level) {
        Ok(compressor) => compressor,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    loop {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let Some(path) = files.get(nth) else { return };
        let record = std::fs::read(path)
            .and_then(|content| record(nth, path, &content, &mut compressor))
            .map_err(Into::into);
        if ready.send(record).is_err() {
            return;
        }
    }
}

/// What a store is given of a file.
pub(crate) fn record(
    nth: usize,
    path: &Path,
    content: &[u8],
    compressor: &mut zstd::bulk::Compressor<'_>,
) -> std::io::Result<Record> {
    Ok(Record {
        nth: nth as u64,
        name: path.to_string_lossy().into_owned(),
        hash: *blake3::hash(content).as_bytes(),
        compressed: compressor.compress(content)?,
    })
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The other way round; the lengths are known, and each thread keeps what it unpacks with.
pub(crate) fn unpack(compressed: &[u8], bytes: u64) -> Result<Vec<u8>> {
    let bytes = usize::try_from(bytes)?;
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(zstd::bulk::Decompressor::new()?),
        };
        Ok(decompressor.decompress(compressed, bytes)?)
    })
}
