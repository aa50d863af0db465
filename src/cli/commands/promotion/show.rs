//! `annals promotion list` and `show`.

use crate::archive::{Archive, Promotion, Waiver};
use crate::cli::entries::selection_words;
use crate::cli::render::{Cell, Column, Table, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::ConverterRegistered;
use crate::id::ConverterId;
use crate::service::objects::PromotionObject;
use crate::service::promotions::{ConverterRecord, last_promotions};
use crate::service::time::Zone;

pub(super) fn list(archive: &Archive, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let zone = context.zone();
    let mut rows = Vec::new();
    for last in &last_promotions(archive)? {
        if context.json() {
            context.print_json(&PromotionObject::of(last, &zone))?;
        }
        rows.push(vec![
            Cell::new(&last.fact.converter),
            Cell::new(format!("{:.12}", last.fact.converter_id)),
            Cell::new(zone.short(last.at)),
            Cell::new(last.fact.grounds.name()),
            Cell::new(&last.by.id),
            Cell::new(&last.fact.reason),
        ]);
    }
    if context.json() {
        return Ok(Exit::Done);
    }
    let columns = [
        Column::clipped("CONVERTER"),
        Column::left("CURRENT"),
        Column::left("SINCE"),
        Column::left("BY"),
        Column::clipped("WHO").dropped(1),
        Column::text("REASON"),
    ];
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if rows.is_empty() {
        context.note("no converter has promotion = \"gated\" in this store");
    }
    Ok(Exit::Done)
}

pub(super) fn show(
    archive: &Archive,
    name: &str,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let zone = context.zone();
    let record = ConverterRecord::of(archive, name)?;
    if context.json() {
        context.print_json(&record.object(&zone))?;
        return Ok(Exit::Done);
    }
    let mut page = promotions_page(&record.promotions, &zone, context);
    if !record.waivers.is_empty() {
        page += "\n";
        page += &waivers_page(&record.waivers, &zone, context);
    }
    page += "\n";
    page += &identities_page(&record.recorded, record.current, context);
    context.print(page)?;
    if record.current.is_none() {
        context.note("no identity was promoted: the configured one converts");
    }
    Ok(Exit::Done)
}

fn promotions_page(promotions: &[Promotion], zone: &Zone, context: &Context<'_>) -> String {
    let columns = [
        Column::left("PROMOTED"),
        Column::left("AT"),
        Column::left("BY"),
        Column::clipped("WHO").dropped(1),
        Column::right("TRIED"),
        Column::right("BROKEN"),
        Column::text("REASON"),
    ];
    let row = |promotion: &Promotion| {
        let evidence = promotion.fact.evidence.as_ref();
        vec![
            Cell::new(format!("{:.12}", promotion.fact.converter_id)),
            Cell::new(zone.short(promotion.at)),
            Cell::new(promotion.fact.grounds.name()),
            Cell::new(&promotion.by.id),
            Cell::maybe(evidence.map(|found| found.tried.to_string())),
            Cell::maybe(evidence.map(|found| found.broken.to_string())),
            Cell::new(&promotion.fact.reason),
        ]
    };
    let rows: Vec<_> = promotions.iter().rev().map(row).collect();
    Table::new(&columns, context.canvas()).page(&rows)
}

fn waivers_page(waivers: &[Waiver], zone: &Zone, context: &Context<'_>) -> String {
    let columns = [
        Column::right("WAIVER"),
        Column::left("AT"),
        Column::left("FOR"),
        Column::clipped("WHAT"),
        Column::text("REASON"),
    ];
    let row = |waiver: &Waiver| {
        let fact = &waiver.fact;
        let scope = match (waiver.revoked, fact.candidate, fact.until) {
            (Some(by), _, _) => format!("revoked by {by}"),
            (None, Some(id), None) => format!("{id:.12}"),
            (None, Some(id), Some(until)) => format!("{id:.12} until {}", zone.short(until)),
            (None, None, Some(until)) => format!("until {}", zone.short(until)),
            (None, None, None) => "any".to_owned(),
        };
        vec![
            Cell::new(waiver.event.to_string()),
            Cell::new(zone.short(waiver.at)),
            Cell::new(scope),
            Cell::new(what(waiver)),
            Cell::new(&fact.reason),
        ]
    };
    let rows: Vec<_> = waivers.iter().rev().map(row).collect();
    Table::new(&columns, context.canvas()).page(&rows)
}

/// Says which entries a waiver is for.
fn what(waiver: &Waiver) -> String {
    let fact = &waiver.fact;
    let mut parts = Vec::new();
    if !fact.entries.is_empty() {
        let ranges = fact.entries.ranges().iter();
        let ranges: Vec<String> = ranges
            .map(|(first, last)| {
                if first == last {
                    format!("entry {first}")
                } else {
                    format!("entries {first} to {last}")
                }
            })
            .collect();
        parts.push(ranges.join(", "));
    }
    parts.extend(fact.filter.as_deref().map(selection_words));
    parts.extend(
        fact.cause
            .as_ref()
            .map(|cause| format!("error with \"{}\"", escape(cause))),
    );
    parts.join(", ")
}

fn identities_page(
    recorded: &[ConverterRegistered],
    current: Option<ConverterId>,
    context: &Context<'_>,
) -> String {
    let columns = [
        Column::left("IDENTITY"),
        Column::left("CURRENT"),
        Column::clipped("VERSION"),
        Column::text("ENVIRONMENT"),
    ];
    let row = |converter: &ConverterRegistered| {
        let is_current = current == Some(converter.converter_id);
        vec![
            Cell::new(format!("{:.12}", converter.converter_id)),
            Cell::maybe(is_current.then_some("yes")),
            Cell::maybe(converter.version.as_deref()),
            Cell::new(&converter.environment),
        ]
    };
    let rows: Vec<_> = recorded.iter().map(row).collect();
    Table::new(&columns, context.canvas()).page(&rows)
}
