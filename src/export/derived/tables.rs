//! Entries and events as tables of Parquet, for programs that count and group.
//!
//! Times are microseconds since 1970 in UTC, and are marked so: some readers take plain numbers for
//! local time, and others cannot widen milliseconds. No group of rows is empty, which some readers
//! cannot read.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::origin::Origin;
use crate::event::{Archived, Body, Event};
use crate::export::facts::{EntryFact, touched};
use crate::export::lines::{Lines, Next, event_of};

/// Rows that are held in memory and written as one group.
const ROWS: usize = 16_384;

const ENTRIES: &str = "message entries {
    required int64 id;
    required int64 archived_at (TIMESTAMP(MICROS,true));
    required binary converter (STRING);
    required binary file_name (STRING);
    required binary path (STRING);
    required binary sha256 (STRING);
    required int64 size;
    optional binary serial (STRING);
    optional binary part (STRING);
    optional binary station (STRING);
    optional binary process (STRING);
    required int64 attempts;
    optional binary outcome (STRING);
    required boolean purged;
}";

const EVENTS: &str = "message events {
    required int64 seq;
    required int64 time (TIMESTAMP(MICROS,true));
    required binary type (STRING);
    required binary actor_kind (STRING);
    required binary actor (STRING);
    optional int64 entry;
    required binary data (JSON);
}";

/// One value of a row, in the order of the schema.
enum Cell {
    Number(i64),
    Text(String),
    Flag(bool),
    Nothing,
}

impl Cell {
    fn number(number: u64) -> Self {
        // No number of an event, size or count comes near the end of the range.
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn maybe(text: Option<&str>) -> Self {
        text.map_or(Self::Nothing, Self::text)
    }
}

/// A table that is being written.
struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Vec<Vec<Cell>>,
}

/// Writes both tables.
pub(super) fn write(
    from: &Origin<'_>,
    entries: impl Write + Send,
    events: impl Write + Send,
) -> io::Result<()> {
    let mut entries = Table::new(entries, ENTRIES).map_err(io::Error::other)?;
    let mut events = Table::new(events, EVENTS).map_err(io::Error::other)?;
    let mut lines = Lines::open(from.disk, from.events)?;
    let mut line = Vec::new();
    while let Next::Line(_) = lines.next(&mut line)? {
        let Some(event) = event_of(&line) else {
            continue;
        };
        if let Body::Archived(fact) = &event.body
            && let Some(known) = from.facts.entry(event.seq.into())
        {
            let purged = from.facts.purge_of(known).is_some();
            let row = entry_row(&event, fact, known, purged)?;
            entries.push(row).map_err(io::Error::other)?;
        }
        events.push(event_row(&event)?).map_err(io::Error::other)?;
    }
    entries.finish().map_err(io::Error::other)?;
    events.finish().map_err(io::Error::other)
}

fn entry_row(
    event: &Event,
    fact: &Archived,
    known: &EntryFact,
    purged: bool,
) -> io::Result<Vec<Cell>> {
    let unit = [
        &fact.unit.serial,
        &fact.unit.part,
        &fact.unit.station,
        &fact.unit.process,
    ];
    let outcome = known.outcome.map(word).transpose()?;
    let mut row = vec![
        Cell::number(event.seq.0),
        Cell::Number(event.time.micros()),
        Cell::text(&fact.converter),
        Cell::text(&fact.source.name),
        Cell::text(&fact.source.path),
        Cell::text(fact.blob.sha256.to_string()),
        Cell::number(fact.blob.size),
    ];
    row.extend(unit.map(|field| Cell::maybe(field.as_deref())));
    row.extend([
        Cell::number(known.attempts.into()),
        Cell::maybe(outcome.as_deref()),
        Cell::Flag(purged),
    ]);
    Ok(row)
}

fn event_row(event: &Event) -> io::Result<Vec<Cell>> {
    let data = event.body.data_json().map_err(io::Error::other)?;
    let entry = match &event.body {
        Body::Archived(_) => Some(event.seq.0),
        body => touched(body).entry.map(|entry| entry.0),
    };
    Ok(vec![
        Cell::number(event.seq.0),
        Cell::Number(event.time.micros()),
        Cell::text(event.body.kind()),
        Cell::text(word(event.actor.kind)?),
        Cell::text(&event.actor.id),
        entry.map_or(Cell::Nothing, Cell::number),
        Cell::text(&*data),
    ])
}

/// Returns a value of a choice as events spell it.
fn word(value: impl serde::Serialize) -> io::Result<String> {
    let word = serde_json::to_value(value)?;
    Ok(word.as_str().unwrap_or_default().to_owned())
}

impl<W: Write + Send> Table<W> {
    fn new(to: W, schema: &str) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(schema)?);
        let settings = WriterProperties::builder()
            .set_created_by("annals".to_owned())
            .set_compression(Compression::UNCOMPRESSED)
            .build();
        Ok(Self {
            file: SerializedFileWriter::new(to, schema, Arc::new(settings))?,
            rows: Vec::new(),
        })
    }

    fn push(&mut self, row: Vec<Cell>) -> Result<(), ParquetError> {
        self.rows.push(row);
        if self.rows.len() < ROWS {
            return Ok(());
        }
        self.write_rows()
    }

    fn finish(mut self) -> Result<(), ParquetError> {
        if !self.rows.is_empty() {
            self.write_rows()?;
        }
        self.file.close().map(drop)
    }

    /// Writes a group of rows, column by column.
    fn write_rows(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.file.next_row_group()?;
        let mut nth = 0;
        while let Some(mut column) = group.next_column()? {
            let (mut numbers, mut texts, mut flags) = (Vec::new(), Vec::new(), Vec::new());
            // 1 for a value, 0 for none.
            let mut present = Vec::with_capacity(rows.len());
            for row in &rows {
                present.push(i16::from(!matches!(row[nth], Cell::Nothing)));
                match &row[nth] {
                    Cell::Number(number) => numbers.push(*number),
                    Cell::Text(text) => texts.push(ByteArray::from(text.as_str())),
                    Cell::Flag(flag) => flags.push(*flag),
                    Cell::Nothing => {}
                }
            }
            let present = Some(&present[..]);
            match column.untyped() {
                ColumnWriter::BoolColumnWriter(_) => {
                    let column = column.typed::<BoolType>();
                    column.write_batch(&flags, present, None)?
                }
                ColumnWriter::Int64ColumnWriter(_) => {
                    let column = column.typed::<Int64Type>();
                    column.write_batch(&numbers, present, None)?
                }
                _ => {
                    let column = column.typed::<ByteArrayType>();
                    column.write_batch(&texts, present, None)?
                }
            };
            column.close()?;
            nth += 1;
        }
        group.close().map(drop)
    }
}
