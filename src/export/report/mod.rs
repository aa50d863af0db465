//! The report for people: a pure function of the events and the head of the checkpoint, so that
//! anybody can make it again and compare it byte by byte.

mod csv;
mod html;
mod row;

use std::io::{self, Write};

use crate::disk::Disk;
use row::{Item, Wanted};

pub(super) use row::Context;

/// Writes the report as a table for spreadsheets and as a page.
pub(super) fn write_report(
    report: &Context<'_>,
    disk: &dyn Disk,
    table: &mut impl Write,
    page: &mut impl Write,
) -> io::Result<()> {
    table.write_all(csv::HEADER.as_bytes())?;
    html::begin(report, page)?;
    let mut text = String::new();
    report.each(disk, Wanted::Entries, |item| {
        let Item::Entry(row) = item else {
            return Ok(());
        };
        text.clear();
        csv::line(&row, &mut text);
        table.write_all(text.as_bytes())?;
        text.clear();
        html::entry(&row, &mut text);
        page.write_all(text.as_bytes())
    })?;
    page.write_all(html::BETWEEN.as_bytes())?;
    report.each(disk, Wanted::Others, |item| {
        let Item::Other(event) = item else {
            return Ok(());
        };
        text.clear();
        html::other(&event, &mut text);
        page.write_all(text.as_bytes())
    })?;
    page.write_all(html::END.as_bytes())
}
