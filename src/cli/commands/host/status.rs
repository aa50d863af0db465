//! `annals host status`: shows whether a host owns the store, and how the host is.

use std::path::Path;

use super::summary::{failed_before, in_words};
use crate::archive::{Access, Archive, FailureGroup};
use crate::cli::render::{
    Cell, Column, Style, Table, count, counted, escape, facts, path_text, size,
};
use crate::cli::run::{Context, Exit, Failure};
use crate::host::{HostStatus, OutdatedEntries, PromotionStatus, RetentionStatus, Space};
use crate::service::entries::outdated_words;
use crate::service::objects::command_for;
use crate::service::status::{OwnerStatus, Role, StatusObject};
use crate::service::time::Zone;
use crate::{Error, ErrorKind};

/// Most stuck files that are listed by name; `--json` lists more of them.
const STUCK_SHOWN: usize = 10;

pub(super) fn status(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.path(&context.locate()?);
    let status = context.owner().map(|owner| owner.state.owner.status());
    if let Some(owner) = context.owner() {
        context.note_damage(&owner.archive)?;
    }
    if context.json() {
        context.print_json(&StatusObject::new(path_text(&dir), status.as_ref()))?;
    } else if let Some(status) = status.as_ref().filter(|status| status.role == Role::Host) {
        let text = status_page(status, &dir, context);
        context.print(text)?;
    }
    if let Some(status) = status.as_ref().filter(|status| status.role == Role::Page) {
        if !context.json() {
            let said = format!("no host runs; process {} serves the page", status.pid);
            let error = Error::new(ErrorKind::NotFound, said);
            context.error(&error.hint("start one in its place with `annals host run FILE`"));
        }
        return Ok(Exit::NotFound);
    }
    if let Some(status) = &status {
        let host = status.host.as_ref();
        let is_well = host.is_none_or(|host| host.reasons.is_empty());
        return Ok(if is_well { Exit::Done } else { Exit::Partial });
    }
    if !Archive::is_store(&dir) {
        // A store that may not be read, or has lost a file, says so when it is opened.
        context.open(Access::ReadOnly)?;
        return Err(Error::new(
            ErrorKind::NoStore,
            format!("there is no store in {}", dir.display()),
        )
        .hint("make one with `annals init`, or name one with --store")
        .into());
    }
    note_damage_without_host(context)?;
    if !context.json() {
        let said = format!("no host owns the store in {}", dir.display());
        let error = Error::new(ErrorKind::NotFound, said);
        context.error(&error.hint("start one with `annals host run FILE`"));
    }
    Ok(Exit::NotFound)
}

/// Looks for damage in a store without a host.
///
/// That it may not be read is an error, too: then nobody knows whether a host owns it. Other errors
/// are ignored. For example, another verb may have the store open at the moment.
fn note_damage_without_host(context: &Context<'_>) -> Result<(), Error> {
    match context.open(Access::ReadOnly) {
        Ok(archive) => archive.close(),
        Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Io) => Err(error),
        Err(_) => Ok(()),
    }
}

fn status_page(status: &OwnerStatus, dir: &Path, context: &Context<'_>) -> String {
    let canvas = context.canvas();
    let zone = context.zone();
    let passed = status
        .passed_at
        .map_or_else(String::new, |at| format!(", the last at {}", zone.long(at)));
    let work = status.last_work.as_ref().map_or_else(
        || "nothing yet".to_owned(),
        |work| {
            format!(
                "{}: {}",
                zone.long(work.at),
                in_words(&work.summary).trim_end()
            )
        },
    );
    let mut known = vec![
        ("store", path_text(dir)),
        (
            "process",
            format!("{}, annals {}", status.pid, status.version),
        ),
        ("since", zone.long(status.since)),
        ("configuration", status.config.clone()),
        ("passes", format!("{}{passed}", count(status.passes))),
        ("last work", work),
    ];
    let Some(host) = &status.host else {
        let title = Style::Good.paint("a host runs", canvas.colour);
        return format!(
            "{title}\n{}",
            facts(context.store_flags().in_facts(known), canvas)
        );
    };
    known.extend(facts_of(host, context));
    let unwell = format!("a host runs, but {}", escape(&host.reasons.join("; ")));
    let title = if host.reasons.is_empty() {
        Style::Good.paint("a host runs", canvas.colour)
    } else {
        Style::Bad.paint(&unwell, canvas.colour)
    };
    let columns = [
        Column::clipped("CONVERTER"),
        Column::left("WATCHES").dropped(1),
        Column::right("ARCHIVED"),
        Column::right("SUCCESS").kept(),
        Column::right("OTHERS").kept(),
        Column::right("SUSPICIOUS"),
        Column::right("WORKERS"),
        Column::right("A MINUTE"),
        Column::right("PURGED"),
    ];
    let rows: Vec<_> = host
        .converters
        .iter()
        .map(|converter| {
            let others =
                converter.failed + converter.suspended + converter.skipped + converter.rejected;
            vec![
                Cell::new(&converter.name),
                Cell::maybe(converter.watch_folder.as_deref().map(path_text)),
                Cell::new(count(converter.archived)),
                Cell::new(count(converter.successful)),
                Cell::new(count(others)),
                Cell::new(count(converter.suspicious)),
                Cell::new(format!(
                    "{}/{}",
                    converter.workers, converter.max_concurrent
                )),
                Cell::new(count(converter.converted_per_minute)),
                Cell::new(count(converter.purged)),
            ]
        })
        .collect();
    let table = Table::new(&columns, canvas).page(&rows);
    format!(
        "{title}\n{}\n{table}",
        facts(context.store_flags().in_facts(known), canvas)
    )
}

/// Describes a cause of failures: `12 failed, ICT CSV: line *: no serial (annals ...)`.
fn trouble_words(group: &FailureGroup, config: &str) -> String {
    format!(
        "{} {}, {}: {} ({})",
        count(group.entries),
        group.cause.kind,
        group.converter,
        group.cause.text,
        command_for(group, Some(config))
    )
}

/// Says that a new identity of a converter waits to be promoted, and what came of its test.
fn waiting(name: &str, status: &PromotionStatus, zone: &Zone) -> Option<(&'static str, String)> {
    let candidate = status.candidate?;
    let current = status.current;
    let since = status
        .since
        .map_or_else(String::new, |at| format!(" since {}", zone.long(at)));
    let tested = match (&status.verdict, status.testing) {
        (_, true) => "it is being tested".to_owned(),
        (Some(verdict), false) if status.broken.is_empty() => verdict.clone(),
        (Some(verdict), false) => {
            let ids: Vec<String> = status.broken.iter().map(ToString::to_string).collect();
            format!("{verdict}: {}", ids.join(", "))
        }
        (None, false) => "not tested".to_owned(),
    };
    let told = format!("{name}: {candidate:.12} waits{since}, {current:.12} converts; {tested}");
    Some(("promotion", told))
}

fn facts_of(host: &HostStatus, context: &Context<'_>) -> Vec<(&'static str, String)> {
    let zone = context.zone();
    let queue = &host.queue;
    let mut known = vec![(
        "in hand",
        format!(
            "{} to archive, {} to convert, {} converting, {} to record; {} left in their folders",
            count(queue.to_archive),
            count(queue.to_convert),
            count(queue.converting),
            count(queue.to_record),
            count(queue.left)
        ),
    )];
    let stuck = &host.stuck;
    for file in stuck.files.iter().take(STUCK_SHOWN) {
        known.push(("stuck", format!("{}: {}", file.path, file.reason)));
    }
    let more = stuck.count.saturating_sub(STUCK_SHOWN as u64);
    if more > 0 {
        known.push(("stuck", format!("and {} more files", count(more))));
    }
    for converter in &host.converters {
        let promotion = converter.promotion.as_ref();
        known.extend(promotion.and_then(|status| waiting(&converter.name, status, &zone)));
    }
    let failed = host.stores.iter().map(|store| store.failed).sum();
    known.extend(failed_before(failed).map(|failed| ("failed", failed)));
    let config = path_text(&host.configuration.path);
    for store in &host.stores {
        let troubles = store.troubles.iter();
        known.extend(troubles.map(|group| ("trouble", trouble_words(group, &config))));
        let outdated = store.outdated.iter();
        let words = |group: &OutdatedEntries| {
            outdated_words(&group.converter, group.entries, Some(&config))
        };
        known.extend(outdated.map(|entries| ("outdated", words(entries))));
    }
    let submissions = &host.submissions;
    let since = submissions.oldest.map_or_else(String::new, |at| {
        format!(", the oldest since {}", zone.long(at))
    });
    known.push((
        "reports",
        format!(
            "{} submitted, {} rejected, {} waiting{since}",
            count(submissions.submitted),
            count(submissions.rejected),
            count(submissions.waiting)
        ),
    ));
    for trouble in &submissions.troubles {
        known.push(("endpoint", format!("{}: {}", trouble.path, trouble.error)));
    }
    let disk = match &host.disk {
        Space::Enough { free: None } => "not looked at yet".to_owned(),
        Space::Enough { free: Some(free) } => format!("{} free", size(*free)),
        Space::Low {
            since,
            free,
            needed,
            ..
        } => format!(
            "low since {}: {} free, {} needed; no files are taken",
            zone.long(*since),
            size(*free),
            size(*needed)
        ),
    };
    known.push(("disk", disk));
    known.extend(retention_facts(&host.retention, &zone));
    for store in &host.stores {
        let failed = store.signing_error.as_ref();
        known.extend(failed.map(|why| ("signing", format!("failed: {why}"))));
    }
    if let Some(why) = &host.configuration.refused {
        known.push(("refused", why.clone()));
    }
    known
}

/// Says what retention did, and what it waits for.
fn retention_facts(retention: &RetentionStatus, zone: &Zone) -> Vec<(&'static str, String)> {
    let applied = retention.applied_at.map_or_else(
        || "not applied yet".to_owned(),
        |at| format!("applied {}", zone.long(at)),
    );
    let error = retention
        .error
        .as_ref()
        .map_or_else(String::new, |why| format!("; {why}"));
    let purged = counted(retention.purged, "entry", "entries");
    let mut known = vec![("retention", format!("{applied}, {purged} purged{error}"))];
    for waiting in &retention.waiting {
        let entries = counted(waiting.entries, "entry", "entries");
        known.push((
            "purge waits",
            format!("{}: {entries}; {}", waiting.converter, waiting.why),
        ));
    }
    if retention.pending_entries > 0 {
        let entries = counted(retention.pending_entries, "entry", "entries");
        known.push((
            "can be undone",
            format!("the purge of {entries}: annals retention pending"),
        ));
    }
    known.extend(retention.holds.iter().map(|hold| ("holds", hold.clone())));
    known
}
