//! redb: one table, the compressed content as the value.

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::{Embedded, Record, Table};
use crate::Result;

const FILES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("files");

/// redb with `per_commit` values in a transaction.
pub(crate) struct Redb;

impl Redb {
    pub(crate) fn keeper(per_commit: usize, level: i32, files_max: usize) -> Embedded {
        Embedded {
            name: "redb",
            how: "Durability::Immediate, content as the value",
            open: |dir| Ok(Box::new(Values(Database::create(dir.join("files.redb"))?))),
            per_commit,
            level,
            files_max,
            ahead: None,
        }
    }
}

struct Values(Database);

impl Table for Values {
    fn commit(&mut self, records: &[Record]) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(FILES)?;
            for record in records {
                table.insert(record.nth, record.compressed.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn get(&mut self, nth: u64) -> Result<Vec<u8>> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(FILES)?;
        let value = table.get(nth)?.ok_or("redb lost a value")?;
        Ok(value.value().to_vec())
    }

    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}
