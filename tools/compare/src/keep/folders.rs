//! What was planned before annals: gzip into dated folders, SHA-256, one row of metadata in SQLite.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::{Ingested, Keeper};
use crate::Result;
use crate::files::Set;
use crate::put::CALLERS;

/// Days that the files of a run are spread over.
const DAYS: usize = 28;

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// As planned: the row is synced, as SQLite does unasked; the file is not.
    Row,
    /// File and folder are synced before the row is.
    RowAndFile,
}

/// The planned design.
pub(crate) struct Folders {
    pub(crate) promise: Promise,
    pub(crate) files_max: usize,
}

/// The store of the planned design, open.
pub(crate) struct OpenFolders {
    promise: Promise,
    root: PathBuf,
    rows: Mutex<Connection>,
}

impl OpenFolders {
    pub(crate) fn open(dir: &Path, promise: Promise) -> Result<Self> {
        for day in 0..DAYS {
            fs::create_dir_all(folder(dir, day))?;
        }
        let rows = Connection::open(dir.join("metadata.db"))?;
        rows.pragma_update(None, "journal_mode", "WAL")?;
        rows.pragma_update(None, "synchronous", "FULL")?;
        rows.execute_batch(
            "CREATE TABLE IF NOT EXISTS archives (
                archive_id TEXT PRIMARY KEY, converter_name TEXT NOT NULL, archived_at TEXT NOT NULL,
                source_path TEXT NOT NULL, archive_path TEXT NOT NULL, source_checksum TEXT NOT NULL,
                source_bytes INTEGER NOT NULL, status TEXT NOT NULL);
             CREATE INDEX IF NOT EXISTS by_date ON archives (archived_at);
             CREATE INDEX IF NOT EXISTS by_converter ON archives (converter_name);
             CREATE INDEX IF NOT EXISTS by_status ON archives (status);",
        )?;
        Ok(Self {
            promise,
            root: dir.to_owned(),
            rows: Mutex::new(rows),
        })
    }

    pub(crate) fn put(&self, nth: usize, source: &Path, content: &[u8]) -> Result<()> {
        let checksum: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let folder = folder(&self.root, nth % DAYS);
        let path = folder.join(format!("{nth:08}.gz"));
        let mut gzip = GzEncoder::new(File::create(&path)?, Compression::new(6));
        gzip.write_all(content)?;
        let file = gzip.finish()?;
        if self.promise == Promise::RowAndFile {
            file.sync_all()?;
            File::open(&folder)?.sync_all()?;
        }
        let rows = self.rows.lock().map_err(|_| "a caller panicked")?;
        rows.prepare_cached(
            "INSERT INTO archives VALUES (?1, 'ICT CSV', ?2, ?3, ?4, ?5, ?6, 'pending')",
        )?
        .execute(params![
            format!("{nth:08}"),
            format!("2026-03-{:02}T06:{:02}:00Z", 1 + nth % DAYS, nth % 60),
            source.to_string_lossy(),
            path.to_string_lossy(),
            checksum,
            content.len() as i64
        ])?;
        Ok(())
    }

    pub(crate) fn get(&self, nth: usize) -> Result<Vec<u8>> {
        let rows = self.rows.lock().map_err(|_| "a caller panicked")?;
        let path: String = rows
            .prepare_cached("SELECT archive_path FROM archives WHERE archive_id = ?1")?
            .query_row([format!("{nth:08}")], |row| row.get(0))?;
        let mut content = Vec::new();
        GzDecoder::new(File::open(path)?).read_to_end(&mut content)?;
        Ok(content)
    }
}

fn folder(root: &Path, day: usize) -> PathBuf {
    root.join(format!("sources/2026/03/{:02}", 1 + day))
}

impl Keeper for Folders {
    fn name(&self) -> String {
        match self.promise {
            Promise::Row => "the plan: gzip, folders, SQLite row".to_owned(),
            Promise::RowAndFile => "the plan, made durable".to_owned(),
        }
    }

    fn how(&self) -> String {
        let synced = match self.promise {
            Promise::Row => {
                "**not durable**: the row is synced (SQLite's default), the file is not"
            }
            Promise::RowAndFile => "fsync of file and folder, then the row (synchronous=FULL)",
        };
        format!("{CALLERS} callers, gzip 6 (zlib-rs), SHA-256, a row each; {synced}")
    }

    fn files_max(&self) -> usize {
        self.files_max
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let store = OpenFolders::open(dir, self.promise)?;
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        thread::scope(|scope| -> Result<()> {
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        loop {
                            let nth = next.fetch_add(1, Ordering::Relaxed);
                            let Some(file) = set.files.get(nth) else {
                                return Ok(());
                            };
                            store.put(nth, &file.path, &fs::read(&file.path)?)?;
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.join().map_err(|_| "a caller panicked")??;
            }
            Ok(())
        })?;
        let took = began.elapsed();
        Ok(Ingested {
            acknowledged: took,
            settled: took,
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let store = OpenFolders::open(dir, self.promise)?;
        for nth in 0..set.files.len() {
            set.compare(nth, &store.get(nth)?)?;
        }
        Ok(())
    }
}
