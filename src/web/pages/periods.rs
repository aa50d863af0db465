//! The chart of entries by period and status, on the first page and on that of the host.

use super::frame::Frame;
use super::jobs::address;
use crate::archive::Bin;
use crate::entry::Status;
use crate::service::status::Span;
use crate::time::Timestamp;
use crate::web::chart::{Column, ColumnChart, Layer, Part, Words};

/// The states that the index counts, and those that it counts as one.
const SUCCESS: &[Status] = &[Status::Success];
const OTHER: &[Status] = &[Status::Suspended, Status::Skipped, Status::Rejected];
const PENDING: &[Status] = &[Status::Pending];
const FAILED: &[Status] = &[Status::Failed];

/// Draws what was archived in each period of a span.
pub(super) fn chart(id: &'static str, span: Span, bins: &[Bin], frame: &Frame) -> ColumnChart {
    let layer = |name, word| Layer {
        name,
        word,
        is_hatched: name == "failed",
    };
    let layers = vec![
        layer("success", frame.say("frame.status_success")),
        layer("other", frame.say("host.other")),
        layer("pending", frame.say("frame.status_pending")),
        layer("failed", frame.say("frame.status_failed")),
    ];
    let (period, title) = match span {
        Span::Today => (frame.say("host.hour"), frame.say("host.by_hour")),
        Span::Days14 | Span::Days30 => (frame.say("host.day"), frame.say("host.by_day")),
    };
    let words = Words {
        title: title.to_owned(),
        description: description(bins, frame),
        period,
        counted: frame.say("host.entries"),
        as_table: frame.say("host.as_table"),
    };
    let columns = bins.iter().map(|bin| column(span, bin, frame)).collect();
    ColumnChart::new(id, words, layers, columns, |number| frame.count(number))
}

/// Says what a chart shows, for those who do not see it.
fn description(bins: &[Bin], frame: &Frame) -> String {
    let entries: u64 = bins.iter().map(|bin| bin.entries).sum();
    let failed: u64 = bins.iter().map(|bin| bin.failed).sum();
    let (entries, failed) = (frame.count(entries), frame.count(failed));
    frame.fill(
        "host.chart_text",
        &[("entries", &entries), ("failed", &failed)],
    )
}

fn column(span: Span, bin: &Bin, frame: &Frame) -> Column {
    let full_name = frame.period(span.every(), bin.from);
    let name = match span {
        // 2026-11-30T07:00+01:00, 2026-11-30
        Span::Today => full_name.get(11..13),
        Span::Days14 | Span::Days30 => full_name.get(5..),
    };
    let part = |number: u64, statuses: &[Status]| Part {
        number,
        text: frame.count(number),
        href: list(bin.from, bin.to, statuses),
    };
    Column {
        name: name.unwrap_or(&full_name).to_owned(),
        title: title(&full_name, bin, frame),
        whole: part(bin.entries, &[]),
        parts: vec![
            part(bin.success, SUCCESS),
            part(bin.other, OTHER),
            part(bin.pending, PENDING),
            part(bin.failed, FAILED),
        ],
        full_name,
    }
}

fn title(period: &str, bin: &Bin, frame: &Frame) -> String {
    let (entries, failed) = (frame.count(bin.entries), frame.count(bin.failed));
    frame.fill(
        "host.column",
        &[
            ("period", period),
            ("entries", &entries),
            ("failed", &failed),
        ],
    )
}

/// Returns the list of the entries of a period. It names instants, so that it is the same list for
/// a reader in another zone.
fn list(from: Timestamp, to: Timestamp, statuses: &[Status]) -> String {
    let (from, to) = (instant(from), instant(to));
    let period = [("from", from.as_str()), ("to", to.as_str())];
    let statuses = statuses.iter().map(|status| ("status", status.name()));
    address("/entries", period.into_iter().chain(statuses))
}

/// Returns an instant without a fraction that is nought.
fn instant(time: Timestamp) -> String {
    time.to_string().replacen(".000000", "", 1)
}
