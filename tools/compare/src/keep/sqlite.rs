//! SQLite: one row a file, the compressed content in it.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Embedded, Record, Table};
use crate::Result;

/// SQLite with `per_commit` rows in a transaction.
pub(crate) struct Sqlite;

impl Sqlite {
    pub(crate) fn keeper(per_commit: usize, level: i32, files_max: usize) -> Embedded {
        Embedded {
            name: "SQLite",
            how: "WAL, synchronous=FULL, content in the row",
            open: |dir| Ok(Box::new(Rows::open(dir)?)),
            per_commit,
            level,
            files_max,
            ahead: None,
        }
    }
}

/// An open database.
pub(crate) struct Rows(pub(crate) Connection);

impl Rows {
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let database = Connection::open(dir.join("files.db"))?;
        // Before anything is written: later it would need a whole VACUUM.
        database.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.busy_timeout(std::time::Duration::from_secs(60))?;
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS files (
                id INTEGER PRIMARY KEY, name TEXT NOT NULL, blake3 BLOB NOT NULL, content BLOB NOT NULL)",
        )?;
        Ok(Self(database))
    }

    /// Bytes of pages that hold nothing.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let number = |pragma: &str| {
            self.0
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        Ok(u64::try_from(
            number("freelist_count")? * number("page_size")?,
        )?)
    }

    /// Cuts them off the file. The statement frees a page a step.
    pub(crate) fn give_back(&self) -> Result<()> {
        let mut vacuum = self.0.prepare("PRAGMA incremental_vacuum")?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        Ok(())
    }
}

impl Table for Rows {
    fn commit(&mut self, records: &[Record]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO files (id, name, blake3, content) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for record in records {
                insert.execute(params![
                    record.nth as i64,
                    record.name,
                    record.hash,
                    record.compressed
                ])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn get(&mut self, nth: u64) -> Result<Vec<u8>> {
        let mut select = self
            .0
            .prepare_cached("SELECT content FROM files WHERE id = ?1")?;
        Ok(select.query_row([nth as i64], |row| row.get(0))?)
    }

    fn settle(&mut self) -> Result<()> {
        self.0
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}
