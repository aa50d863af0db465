//! `annals stats`: shows how much is archived.

use crate::archive::{Access, Group, Stats};
use crate::cli::render::{Canvas, Cell, Column, Table, count, counted, facts, size};
use crate::cli::run::{Context, Exit, Failure, StoreFlags};
use crate::query::Filter;
use crate::service::entries::{Period, outdated_words};
use crate::service::objects::{By, Doubts, StatsObject};
use crate::service::time::Zone;
use crate::{Error, ErrorKind};

/// Show how much there is, by converter, status or time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals stats
  annals stats --by day
  annals stats --by hour --from today
  annals stats --by status --json | jq .groups")]
pub(crate) struct Args {
    /// Break it down
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    #[command(flatten)]
    period: Period,
}

const fn title(by: By, zone: &Zone) -> &'static str {
    match (by, zone) {
        (By::Converter, _) => "CONVERTER",
        (By::Status, _) => "STATUS",
        (By::Hour, _) => "HOUR",
        (By::Day, Zone::Utc) => "DAY (UTC)",
        (By::Day, Zone::Of(_)) => "DAY",
        (By::Week, Zone::Utc) => "WEEK (UTC)",
        (By::Week, Zone::Of(_)) => "WEEK",
        (By::Month, Zone::Utc) => "MONTH (UTC)",
        (By::Month, Zone::Of(_)) => "MONTH",
    }
}

/// Returns the doubts as facts, each with a command.
fn doubt_facts(doubts: &Doubts) -> Vec<(&'static str, String)> {
    let config = doubts.config.as_deref();
    let mut known = Vec::new();
    if doubts.suspicious > 0 {
        let number = count(doubts.suspicious);
        known.push(("suspicious", format!("{number}: annals list --suspicious")));
    }
    let mut groups = doubts.outdated.iter().peekable();
    while let Some(group) = groups.next() {
        let mut entries = group.entries;
        let name = &group.maker.converter;
        while let Some(other) = groups.next_if(|other| other.maker.converter == *name) {
            entries += other.entries;
        }
        known.push(("outdated", outdated_words(name, entries, config)));
    }
    known
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let snapshot = archive.snapshot()?;
    let zone = context.zone();
    let stats = snapshot.stats()?;
    let filter = broken_down(&args, context)?;
    let groups = args
        .by
        .map(|by| by.groups(&stats, &snapshot, &filter, &zone));
    let groups = groups.transpose()?.unwrap_or_default();
    let doubts = Doubts::of(&context.desk(&archive), &snapshot)?;
    if context.json() {
        let broken_down = args.by.map(|by| (by, &*groups));
        context.print_json(&StatsObject::new(&stats, &doubts, broken_down, &zone))?;
    } else {
        let canvas = context.canvas();
        let text = match args.by {
            None => totals(&stats, &doubts, &zone, canvas, &context.store_flags()),
            Some(by) => breakdown(&groups, title(by, &zone), canvas),
        };
        context.print(text)?;
    }
    Ok(Exit::Done)
}

/// Returns which entries are broken down.
fn broken_down(args: &Args, context: &Context<'_>) -> Result<Filter, Error> {
    let period = &args.period;
    if args.by.is_none() && (period.from.is_some() || period.to.is_some()) {
        let said = "--from and --to narrow a breakdown, and none is asked for";
        return Err(Error::new(ErrorKind::Invalid, said)
            .hint("add --by day; totals are always those of the whole store"));
    }
    period.to_filter(context.now(), &context.zone())
}

fn totals(
    stats: &Stats,
    doubts: &Doubts,
    zone: &Zone,
    canvas: Canvas,
    flags: &StoreFlags,
) -> String {
    let mut known = vec![
        ("entries", count(stats.entries)),
        ("purged", count(stats.purged)),
        ("sources", size(stats.sources_bytes)),
        ("unique", size(stats.unique_bytes)),
        (
            "stored",
            format!("{} ({:.1} to 1)", size(stats.stored_bytes), stats.ratio),
        ),
        ("log", size(stats.log_bytes)),
        ("index", size(stats.index_bytes)),
        ("reclaimable", size(stats.reclaimable_bytes)),
    ];
    if stats.quickly_packed_bytes > 0 {
        let quick = size(stats.quickly_packed_bytes);
        let hint = "get smaller when the host is idle, or by `annals compact`";
        known.push(("quick packs", format!("{quick} {hint}")));
    }
    if stats.pending > 0 {
        let hint = "of the purged can be undone: annals retention pending";
        known.push(("pending", format!("{} {hint}", count(stats.pending))));
    }
    if stats.facts_only > 0 {
        let entries = counted(stats.facts_only, "entry", "entries");
        known.push((
            "facts only",
            format!("{entries}; the sources are not stored"),
        ));
    }
    if let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) {
        known.push(("oldest", zone.long(oldest)));
        known.push(("newest", zone.long(newest)));
    }
    known.extend(doubt_facts(doubts));
    let mut out = facts(flags.in_facts(known), canvas);
    if !stats.converters.is_empty() {
        out.push('\n');
        out += &breakdown(&stats.converters, title(By::Converter, zone), canvas);
    }
    out
}

fn breakdown(groups: &[Group], title: &'static str, canvas: Canvas) -> String {
    let columns = [
        Column::clipped(title).kept(),
        Column::right("ENTRIES"),
        Column::right("SOURCES").dropped(1),
        Column::right("SUCCESS"),
        Column::right("FAILED"),
        Column::right("PENDING"),
        Column::right("OTHER").dropped(2),
    ];
    let rows: Vec<_> = groups
        .iter()
        .map(|group| {
            vec![
                Cell::new(&group.name),
                Cell::new(count(group.entries)),
                Cell::new(size(group.sources_bytes)),
                Cell::new(count(group.success)),
                Cell::new(count(group.failed)),
                Cell::new(count(group.pending)),
                Cell::new(count(group.other)),
            ]
        })
        .collect();
    Table::new(&columns, canvas).page(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::MakerGroup;
    use crate::id::ConverterId;
    use crate::query::Maker;

    fn sample() -> Stats {
        let group = Group {
            name: "ICT CSV".into(),
            entries: 1_200,
            sources_bytes: 5 << 20,
            success: 1_190,
            failed: 8,
            pending: 2,
            other: 0,
        };
        Stats {
            entries: 1_200,
            sources_bytes: 5 << 20,
            unique_bytes: 4 << 20,
            stored_bytes: 1 << 20,
            log_bytes: 700 << 10,
            index_bytes: 900 << 10,
            reclaimable_bytes: 0,
            quickly_packed_bytes: 0,
            ratio: 5.0,
            oldest: Some("2026-03-01T08:30:00+01:00".parse().expect("valid")),
            newest: None,
            purged: 3,
            pending: 0,
            facts_only: 0,
            converters: vec![group.clone()],
            days: vec![group.clone()],
            statuses: vec![group],
        }
    }

    #[test]
    fn totals_are_one_object_and_a_breakdown_comes_only_when_asked_for() {
        let (stats, doubts) = (sample(), Doubts::default());
        let plain = serde_json::to_value(StatsObject::new(&stats, &doubts, None, &Zone::Utc))
            .expect("json");
        assert_eq!(plain["entries"], 1_200);
        assert_eq!(plain["oldest"], "2026-03-01T07:30:00.000000+00:00");
        assert_eq!(plain["converters"][0]["name"], "ICT CSV");
        assert_eq!(plain["groups"], serde_json::Value::Null);
        let by_day = StatsObject::new(&stats, &doubts, Some((By::Day, &stats.days)), &Zone::Utc);
        let by_day = serde_json::to_value(by_day).expect("json");
        assert_eq!(by_day["by"], "day");
        assert_eq!(by_day["groups"][0]["failed"], 8);
    }

    #[test]
    fn what_was_packed_quickly_is_told_with_what_makes_it_smaller() {
        let canvas = Canvas {
            colour: false,
            width: None,
        };
        let stats = Stats {
            quickly_packed_bytes: 3 << 20,
            ..sample()
        };
        let told = "quick packs  3.0 MiB get smaller when the host is idle, or by `annals compact`";
        let totals = |stats| {
            totals(
                stats,
                &Doubts::default(),
                &Zone::Utc,
                canvas,
                &StoreFlags::default(),
            )
        };
        assert!(totals(&stats).contains(told));
        assert!(!totals(&sample()).contains("quick packs"));
    }

    #[test]
    fn people_get_round_numbers() {
        let canvas = Canvas {
            colour: false,
            width: None,
        };
        let text = totals(
            &sample(),
            &Doubts::default(),
            &Zone::Utc,
            canvas,
            &StoreFlags::default(),
        );
        assert!(
            text.starts_with("  entries      1,200\n  purged       3\n"),
            "{text}"
        );
        assert!(
            text.contains("  stored       1.0 MiB (5.0 to 1)\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "\nCONVERTER  ENTRIES  SOURCES  SUCCESS  FAILED  PENDING  OTHER\n\
                 ICT CSV      1,200  5.0 MiB    1,190       8        2      0\n"
            ),
            "{text}"
        );
    }

    /// A converter was corrected. Its earlier results are not lost sight of.
    #[test]
    fn what_may_have_to_be_made_again_is_told_with_a_command() {
        let group = |byte: u8, entries| MakerGroup {
            maker: Maker {
                converter: "ICT CSV".into(),
                id: ConverterId::from_bytes([byte; 32]),
            },
            entries,
        };
        let doubts = Doubts {
            suspicious: 3,
            outdated: vec![group(1, 4_200), group(2, 11)],
            config: None,
        };
        assert_eq!(
            doubt_facts(&doubts),
            [
                ("suspicious", "3: annals list --suspicious".to_owned()),
                ("outdated", outdated_words("ICT CSV", 4_211, None)),
            ]
        );
    }
}
