//! `annals retention explain`: which class has an entry, when its parts are due, what keeps them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use serde::Serialize;

use crate::archive::{Access, KeptBy, RetentionExplained};
use crate::cli::render::{Cell, Column, Table, facts};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Entry;
use crate::id::EntryId;
use crate::query::Filter;
use crate::retention::{Due, PartDue, Policy};
use crate::service::entries::no_entry;
use crate::service::time::Zone;

/// Say which class of the policy has an entry, when each part is due, and what keeps it
///
/// The policy is that of the configuration: its [[retention]] classes, then the keys of the entry's
/// converter.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// The [[retention]] classes in this file instead of those of the configuration
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// List the classes of the policy in the order in which they are tried
///
/// The last ones are built in: the keys of each converter, for entries that no class matches.
#[derive(Debug, clap::Args)]
pub(crate) struct Classes {
    /// The [[retention]] classes in this file instead of those of the configuration
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// A class as JSON.
#[derive(Serialize)]
struct ClassObject {
    place: usize,
    name: String,
    entries: String,
    rules: String,
    built_in: bool,
}

pub(crate) fn classes(args: &Classes, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut objects = Vec::new();
    let mut add = |name: &str, entries: String, rules: String, built_in: bool| {
        objects.push(ClassObject {
            place: objects.len() + 1,
            name: name.to_owned(),
            entries,
            rules,
            built_in,
        });
    };
    let of_file = match &args.policy {
        Some(file) => read_policy(&context.path(file))?.classes,
        None => context.configuration()?.retention,
    };
    for class in &of_file {
        add(&class.name, selection(&class.filter), class.rules(), false);
    }
    if args.policy.is_none() {
        for converter in context.configuration()?.converters {
            let rules = converter.retention_policy().rules().unwrap_or_default();
            let kept = format!("{} ({})", rules.join(", "), converter.archive.retention);
            let name = &converter.converter.name;
            add(name, format!("converter {name}"), kept, true);
        }
    }
    if context.json() {
        return objects
            .iter()
            .try_for_each(|object| context.print_json(object))
            .map(|()| Exit::Done);
    }
    let columns = [
        Column::right("NO"),
        Column::left("CLASS"),
        Column::clipped("ENTRIES"),
        Column::clipped("RULES"),
    ];
    let row = |object: &ClassObject| {
        let built_in = if object.built_in { ", built in" } else { "" };
        vec![
            Cell::new(object.place.to_string()),
            Cell::new(format!("{}{built_in}", object.name)),
            Cell::new(&object.entries),
            Cell::new(&object.rules),
        ]
    };
    let rows: Vec<_> = objects.iter().map(row).collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    Ok(Exit::Done)
}

/// Describes which entries a filter of a class selects.
fn selection(filter: &Filter) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.push(format!("{name} {}", values.join(" or ")));
        }
    };
    list("converter", filter.converter.clone());
    let status = filter.status.iter().map(ToString::to_string).collect();
    list("status", status);
    let one = |value: &Option<String>| value.iter().cloned().collect();
    list("serial", one(&filter.serial));
    list("part", one(&filter.part));
    list("station", one(&filter.station));
    list("process", one(&filter.process));
    list("file", one(&filter.file));
    words.extend(filter.label.iter().map(|label| format!("label {label}")));
    let meta = filter.meta.iter();
    words.extend(meta.map(|(name, value)| format!("{name}={value}")));
    if words.is_empty() {
        "all".to_owned()
    } else {
        words.join(", ")
    }
}

pub(crate) fn run(args: &Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let from_file = args.policy.as_deref().map(|file| context.path(file));
    let from_file = from_file.as_deref().map(read_policy).transpose()?;
    let archive = context.open(Access::ReadOnly)?;
    let entry = archive.snapshot()?.entry(args.id)?;
    let entry = entry.ok_or_else(|| no_entry(args.id))?;
    let policy = match from_file {
        Some(policy) => policy,
        None => policy_in_force(&entry, context),
    };
    let explained = archive.explain_retention(args.id, &policy)?;
    if context.json() {
        context.print_json(&in_zone(explained, &context.zone()))?;
    } else {
        let text = page(&explained, context);
        context.print(text)?;
    }
    Ok(Exit::Done)
}

/// Reads the classes in a file.
pub(crate) fn read_policy(file: &Path) -> Result<Policy, Error> {
    let text =
        fs::read_to_string(file).map_err(|error| Error::io("read the policy in", file, error))?;
    Policy::from_toml(&text, file).map_err(Error::from)
}

/// Returns the policy of the configuration for an entry: its classes, and the keys of its
/// converter. Without a configuration, what was recorded with the entry.
fn policy_in_force(entry: &Entry, context: &Context<'_>) -> Policy {
    let Ok(config) = context.configuration() else {
        return Policy::default().expired(true);
    };
    match config.converter(&entry.converter) {
        Some(converter) => config.retention_policy(converter),
        None => Policy::default()
            .expired(true)
            .classes(config.retention.clone()),
    }
}

fn in_zone(mut explained: RetentionExplained, zone: &Zone) -> RetentionExplained {
    for part in &mut explained.parts {
        if let Due::At { at, from } = &mut part.due {
            (*at, *from) = (zone.exact(*at), zone.exact(*from));
        }
    }
    for gone in &mut explained.purged_parts {
        gone.at = zone.exact(gone.at);
    }
    for kept in &mut explained.kept_by {
        if let KeptBy::Lock { until, .. } = kept {
            *until = until.map(|at| zone.exact(at));
        }
    }
    let exact = |time| zone.exact(time);
    explained.recorded_until = explained.recorded_until.map(exact);
    explained.purged_at = explained.purged_at.map(exact);
    explained
}

fn page(explained: &RetentionExplained, context: &Context<'_>) -> String {
    let zone = context.zone();
    let mut known = vec![("entry", explained.entry.to_string())];
    known.push((
        "class",
        match (&explained.class, explained.place) {
            (Some(name), Some(place)) => format!("{name}, number {place}"),
            _ => "none: the keys of its converter decide".to_owned(),
        },
    ));
    if !explained.rules.is_empty() {
        known.push(("rules", explained.rules.join(", ")));
    }
    if explained.class.is_none() {
        let until = explained.recorded_until;
        let until = until.map_or_else(|| "for ever".to_owned(), |at| zone.long(at));
        known.push(("recorded", format!("kept until {until}")));
    }
    for kept in &explained.kept_by {
        known.push((
            "kept by",
            match kept {
                KeptBy::Hold { name } => format!("the hold {name}"),
                KeptBy::Lock { name, mode, until } => {
                    let until = until.map_or_else(|| "for ever".to_owned(), |at| zone.long(at));
                    format!("the {} lock {name}, until {until}", mode.name())
                }
                _ => "a report that waits to be submitted".to_owned(),
            },
        ));
    }
    for gone in &explained.purged_parts {
        let (part, at, by) = (gone.part, zone.long(gone.at), &gone.by);
        known.push(("purged", format!("{part}, {at}, by: {by}")));
    }
    if let Some(at) = explained.purged_at {
        known.push(("purged", zone.long(at)));
    }
    let mut text = facts(known, context.canvas());
    if !explained.parts.is_empty() {
        let columns = [
            Column::left("PART"),
            Column::left("DUE"),
            Column::clipped("RULE"),
        ];
        let row = |part: &PartDue| {
            vec![
                Cell::new(part.part.to_string()),
                Cell::new(due(part, &zone)),
                Cell::new(&part.rule),
            ]
        };
        let rows: Vec<_> = explained.parts.iter().map(row).collect();
        text += &Table::new(&columns, context.canvas()).page(&rows);
    }
    text
}

fn due(part: &PartDue, zone: &Zone) -> String {
    match &part.due {
        Due::At { at, .. } => zone.long(*at),
        Due::Never => "never".to_owned(),
        Due::Undated { why } => format!("not known: {}", why.words()),
    }
}
