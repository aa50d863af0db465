//! The table of a list of entries.

use super::super::frame::Frame;
use super::super::parts::{Mark, Moment};
use super::super::remarks::{Remark, remarks};
use crate::entry::Entry;
use crate::id::EntryId;
use crate::query::{Direction, Sort};
use crate::web::address::Address;
use crate::web::columns::Column;

/// The head of a column.
pub(super) struct Head {
    pub(super) name: String,
    /// The list in the order of this column; `None` where the index cannot sort.
    pub(super) href: Option<String>,
    /// How the list is sorted by it: "ascending", "descending", or not.
    pub(super) direction: &'static str,
    pub(super) is_number: bool,
    /// What is in the column says what it is; its name is for readers of screens.
    pub(super) is_quiet: bool,
}

/// A row: one entry.
pub(super) struct Row {
    pub(super) id: EntryId,
    /// What a reader of screens calls it.
    pub(super) name: String,
    pub(super) facts: Vec<Fact>,
}

/// A cell with the name of its column, which narrow screens show beside it.
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) cell: Cell,
}

/// A cell of a row.
pub(super) enum Cell {
    /// The number of the entry, which leads to its page.
    Id,
    Time(Moment),
    State {
        mark: Mark,
        remarks: Vec<Remark>,
    },
    Text(String),
    /// A name, which is never shortened by the table alone.
    Mono(String),
    Hash(String),
    Number(String),
    /// The source can be downloaded.
    Source,
    Nothing,
}

/// Returns the columns that are shown.
pub(super) fn columns(address: &Address) -> &[Column] {
    match &address.columns {
        Some(chosen) => chosen,
        None => &Column::USUAL,
    }
}

/// Returns the heads of the table.
pub(super) fn heads(address: &Address, frame: &Frame) -> Vec<Head> {
    let shown = columns(address).iter();
    shown
        .map(|column| Head {
            name: column_name(*column, frame).to_owned(),
            href: column.sort().map(|field| {
                // The first click on a head sorts the way that people mostly want.
                let direction = match (address.sort.field == field, address.sort.direction) {
                    (true, Direction::Asc) => Direction::Desc,
                    (true, Direction::Desc) => Direction::Asc,
                    (false, _) if column.is_number() => Direction::Desc,
                    (false, _) => Direction::Asc,
                };
                address.sorted(Sort { field, direction }).href()
            }),
            direction: match (column.sort(), address.sort) {
                (Some(field), sort) if field == sort.field => match sort.direction {
                    Direction::Asc => "ascending",
                    Direction::Desc => "descending",
                },
                _ => "",
            },
            is_number: column.is_number(),
            is_quiet: *column == Column::Actions,
        })
        .collect()
}

/// Returns the name of a column in the visitor's language.
pub(super) fn column_name(column: Column, frame: &Frame) -> &'static str {
    frame.say(&format!("entries.column_{}", column.name()))
}

/// Returns the row of an entry.
pub(super) fn row(entry: &Entry, columns: &[Column], frame: &Frame) -> Row {
    let facts = columns.iter();
    Row {
        id: entry.id,
        name: entry
            .unit
            .serial
            .clone()
            .unwrap_or_else(|| entry.source_name.clone()),
        facts: facts
            .map(|column| Fact {
                label: column_name(*column, frame),
                cell: cell(*column, entry, frame),
            })
            .collect(),
    }
}

fn cell(column: Column, entry: &Entry, frame: &Frame) -> Cell {
    let text = |text: &Option<String>| match text {
        Some(text) => Cell::Text(text.clone()),
        None => Cell::Nothing,
    };
    let mono = |text: &Option<String>| match text {
        Some(text) => Cell::Mono(text.clone()),
        None => Cell::Nothing,
    };
    let list = |texts: &[String]| match texts {
        [] => Cell::Nothing,
        texts => Cell::Text(texts.join(", ")),
    };
    match column {
        Column::Id => Cell::Id,
        Column::ArchivedAt => Cell::Time(frame.moment(entry.archived_at)),
        Column::Status => Cell::State {
            mark: frame.mark(entry.status),
            remarks: remarks(entry, frame),
        },
        Column::Serial => mono(&entry.unit.serial),
        Column::Part => mono(&entry.unit.part),
        Column::Converter => Cell::Text(entry.converter.clone()),
        Column::Version => text(&entry.converter_version),
        Column::SourceName => Cell::Mono(entry.source_name.clone()),
        Column::SourceModified => match entry.source_modified {
            Some(time) => Cell::Time(frame.moment(time)),
            None => Cell::Nothing,
        },
        Column::Size => Cell::Number(frame.size(entry.size)),
        Column::StoredSize if entry.facts_only => Cell::Nothing,
        Column::StoredSize => Cell::Number(frame.size(entry.stored_size)),
        Column::Station => text(&entry.unit.station),
        Column::Process => text(&entry.unit.process),
        Column::ReportId => mono(&entry.report_id),
        Column::Attempts => Cell::Number(frame.count(entry.attempts.len() as u64)),
        Column::Error => entry.attempts.last().map_or(Cell::Nothing, |last| {
            let odd = (!last.suspicious.is_empty()).then(|| last.suspicious.join("; "));
            text(&last.error.clone().or(odd))
        }),
        Column::Labels => list(&entry.labels),
        Column::Holds => list(&entry.holds),
        Column::Sha256 => Cell::Hash(entry.sha256.to_string()),
        Column::Actions if has_source(entry) => Cell::Source,
        Column::Actions => Cell::Nothing,
    }
}

fn has_source(entry: &Entry) -> bool {
    entry.purged_at.is_none() && !entry.facts_only && entry.source_purge().is_none()
}
