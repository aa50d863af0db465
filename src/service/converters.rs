//! The converters of a store: those that are configured, and those that only the archive knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::desk::Desk;
use super::entries::current_identities;
use crate::Result;
use crate::archive::Snapshot;
use crate::event::ConverterRegistered;
use crate::id::ConverterId;
use crate::query::{Direction, Filter, Maker, Query, Sort, SortField};
use crate::time::Timestamp;

/// One converter, in a list of all.
#[derive(Debug, Clone)]
pub struct ConverterLine {
    /// Its name.
    pub name: String,
    /// What its configuration says; `None` for one that only the archive knows.
    pub configured: Option<Configured>,
    /// The identity that was recorded last.
    pub newest: Option<ConverterRegistered>,
    /// Its entries that are not purged.
    pub entries: u64,
    /// How many of them failed.
    pub failed: u64,
    /// When its last entry was archived.
    pub last: Option<Timestamp>,
    /// The identity that was promoted last.
    pub current: Option<ConverterId>,
}

/// What the configuration says of a converter.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Whether what it takes is archived.
    pub archives: bool,
    /// The folder that it watches.
    pub folder: Option<PathBuf>,
    /// Whether a new identity must be promoted first.
    pub is_gated: bool,
}

/// One identity of a converter.
#[derive(Debug, Clone)]
pub struct IdentityLine {
    /// What is recorded of it.
    pub fact: ConverterRegistered,
    /// Entries whose last success it made.
    pub entries: u64,
    /// When the first and the last of these were archived.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Whether it converts what comes in now.
    pub runs_now: bool,
}

/// Returns all converters, by name. Counters of the index answer it, and one entry of each.
///
/// # Errors
/// When the store cannot be read.
pub fn converters(desk: &Desk) -> Result<Vec<ConverterLine>> {
    let snapshot = desk.archive.snapshot()?;
    let groups = snapshot.stats()?.converters.into_iter();
    let groups: BTreeMap<String, _> = groups.map(|group| (group.name.clone(), group)).collect();
    let mut configured = BTreeMap::new();
    for config in desk.config().iter().flat_map(|config| &config.converters) {
        let told = Configured {
            archives: config.archive.archives(),
            folder: config.watch_folder.clone(),
            is_gated: config.promotion.is_gated(),
        };
        configured.insert(config.converter.name.clone(), told);
    }
    let recorded = desk.archive.converters()?.into_iter();
    let names: BTreeSet<String> = groups
        .keys()
        .chain(configured.keys())
        .cloned()
        .chain(recorded.map(|recorded| recorded.name))
        .collect();
    let line = |name: String| {
        let group = groups.get(&name);
        Ok(ConverterLine {
            newest: desk.archive.converter_named(&name)?,
            entries: group.map_or(0, |group| group.entries),
            failed: group.map_or(0, |group| group.failed),
            last: edge(
                &snapshot,
                Filter::default().converter(&name),
                Direction::Desc,
            )?,
            current: desk.archive.promoted(&name)?,
            configured: configured.remove(&name),
            name,
        })
    };
    names.into_iter().map(line).collect()
}

/// Returns the identities of a converter, the one that made the newest entries first.
///
/// # Errors
/// When the store cannot be read.
pub fn identities(desk: &Desk, converter: &str) -> Result<Vec<IdentityLine>> {
    let snapshot = desk.archive.snapshot()?;
    let filter = Filter::default().converter(converter);
    let made: BTreeMap<ConverterId, u64> = snapshot
        .makers(&filter)?
        .into_iter()
        .map(|group| (group.maker.id, group.entries))
        .collect();
    let now = current_identities(desk)?.get(converter).copied();
    let recorded = desk.archive.converters()?.into_iter();
    let recorded = recorded.filter(|recorded| recorded.name == converter);
    let line = |fact: ConverterRegistered| {
        let id = fact.converter_id;
        let maker = Maker {
            converter: converter.to_owned(),
            id,
        };
        let mut by_it = filter.clone();
        by_it.made_by = Some(vec![maker]);
        let first = edge(&snapshot, by_it.clone(), Direction::Asc)?;
        let last = edge(&snapshot, by_it, Direction::Desc)?;
        Ok(IdentityLine {
            entries: made.get(&id).copied().unwrap_or_default(),
            span: first.zip(last),
            runs_now: now == Some(id),
            fact,
        })
    };
    let mut lines: Vec<IdentityLine> = recorded.map(line).collect::<Result<_>>()?;
    lines.sort_by_key(|line| std::cmp::Reverse((line.runs_now, line.span.map(|span| span.1))));
    Ok(lines)
}

/// Returns when the first entry of a list was archived.
fn edge(snapshot: &Snapshot, filter: Filter, direction: Direction) -> Result<Option<Timestamp>> {
    let query = Query::default()
        .filter(filter)
        .sort(Sort {
            field: SortField::Id,
            direction,
        })
        .limit(1);
    let mut entries = snapshot.walk(&query);
    let first = entries.next().transpose()?;
    Ok(first.map(|entry| entry.archived_at))
}
