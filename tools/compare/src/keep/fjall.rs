//! fjall: one keyspace, the compressed content as the value.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use super::{Embedded, Record, Table};
use crate::Result;

/// fjall with `per_commit` values between two syncs.
pub(crate) struct Fjall;

impl Fjall {
    pub(crate) fn keeper(per_commit: usize, level: i32, files_max: usize) -> Embedded {
        Embedded {
            name: "fjall",
            how: "persist(SyncData), long values kept apart",
            open: |dir| Ok(Box::new(Values::open(dir)?)),
            per_commit,
            level,
            files_max,
            ahead: Some("jnl"),
        }
    }
}

struct Values {
    database: Database,
    files: Keyspace,
}

impl Values {
    fn open(dir: &Path) -> Result<Self> {
        let database = Database::builder(dir).open()?;
        let files = database.keyspace("files", || {
            KeyspaceCreateOptions::default()
                .with_kv_separation(Some(KvSeparationOptions::default()))
        })?;
        Ok(Self { database, files })
    }
}

impl Table for Values {
    fn commit(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            self.files
                .insert(record.nth.to_be_bytes(), record.compressed.as_slice())?;
        }
        self.database.persist(PersistMode::SyncData)?;
        Ok(())
    }

    fn get(&mut self, nth: u64) -> Result<Vec<u8>> {
        let value = self.files.get(nth.to_be_bytes())?;
        Ok(value.ok_or("fjall lost a value")?.to_vec())
    }

    fn settle(&mut self) -> Result<()> {
        self.files.rotate_memtable_and_wait()?;
        Ok(())
    }
}
