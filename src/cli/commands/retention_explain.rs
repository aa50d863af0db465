//! `annals retention explain`: which class has an entry, when its parts are due, what keeps them.

use std::path::PathBuf;

use crate::archive::{Access, KeptBy, RetentionExplained};
use crate::cli::render::{Cell, Column, Table, facts};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EntryId;
use crate::retention::{Due, PartDue};
use crate::service::entries::no_entry;
use crate::service::retention::{
    ClassObject, class_objects, explained_in_zone, policy_in_force, read_policy,
};
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

pub(crate) fn classes(args: &Classes, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let objects = match &args.policy {
        Some(file) => class_objects(&read_policy(&context.path(file))?.classes, None),
        None => {
            let config = context.configuration()?;
            class_objects(&config.retention, Some(&config))
        }
    };
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
        Column::text("RULES"),
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

pub(crate) fn run(args: &Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let from_file = args.policy.as_deref().map(|file| context.path(file));
    let from_file = from_file.as_deref().map(read_policy).transpose()?;
    let archive = context.open(Access::ReadOnly)?;
    let entry = archive.snapshot()?.entry(args.id)?;
    let entry = entry.ok_or_else(|| no_entry(args.id))?;
    let policy = match from_file {
        Some(policy) => policy,
        None => policy_in_force(&entry, context.configuration().ok().as_ref()),
    };
    let explained = archive.explain_retention(args.id, &policy)?;
    if context.json() {
        context.print_json(&explained_in_zone(explained, &context.zone()))?;
    } else {
        let text = page(&explained, context);
        context.print(text)?;
    }
    Ok(Exit::Done)
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
            Column::text("RULE"),
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
