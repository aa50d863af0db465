//! What the page shows: the answer in words, then the figures, each with its list.

use super::fact::{Fact, Linked};
use super::lasting;
use super::station::Station;
use crate::archive::FailureGroup;
use crate::entry::Status;
use crate::service::status::{Figures, Health, OwnerStatus, Remark, Span, saved_per_cent};
use crate::web::chart::{ColumnChart, per_mille};
use crate::web::pages::frame::Frame;
use crate::web::pages::jobs::address;
use crate::web::pages::parts::{Mark, Moment};
use crate::web::pages::periods;

/// Causes that are shown; the page of failures has all.
const CAUSES_SHOWN: usize = 5;

/// All that the page shows.
pub(super) struct View {
    /// "good", "warn" or "error".
    pub(super) tone: &'static str,
    /// The answer.
    pub(super) headline: &'static str,
    /// When it was true.
    pub(super) as_of: Moment,
    /// What is said once the server is not heard of any more.
    pub(super) when_lost: String,
    /// What is said where no host runs.
    pub(super) without_host: &'static str,
    /// Why work cannot be done, as the host says it.
    pub(super) reasons: Vec<String>,
    /// What somebody should look at.
    pub(super) remarks: Vec<Linked>,
    pub(super) archive: Vec<Fact>,
    pub(super) statuses: Vec<Counted>,
    pub(super) spans: Vec<SpanTab>,
    pub(super) chart: ColumnChart,
    pub(super) causes: Vec<Cause>,
    pub(super) all_causes: String,
    pub(super) shares: Vec<Share>,
    pub(super) lasting: Vec<Fact>,
    pub(super) evidence: Vec<Fact>,
    pub(super) outbox: Outbox,
    pub(super) station: Option<Station>,
}

/// A status with the number of its entries.
pub(super) struct Counted {
    pub(super) mark: Mark,
    pub(super) count: String,
    pub(super) href: String,
}

/// How far back the chart goes.
pub(super) struct SpanTab {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) is_here: bool,
}

/// A cause of failures.
pub(super) struct Cause {
    pub(super) count: String,
    pub(super) href: String,
    pub(super) converter: String,
    pub(super) text: String,
    pub(super) last: Moment,
}

/// What a converter takes.
pub(super) struct Share {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) entries: String,
    pub(super) size: String,
    pub(super) per_mille: u64,
}

/// What waits to be sent.
pub(super) struct Outbox {
    pub(super) count: String,
    pub(super) since: Option<Moment>,
    pub(super) rows: Vec<Waiting>,
    pub(super) more: String,
}

/// A report that waits.
pub(super) struct Waiting {
    pub(super) entry: u64,
    pub(super) attempt: u32,
    pub(super) converter: String,
    pub(super) since: Moment,
}

impl View {
    pub(super) fn of(
        figures: &Figures,
        owner: Option<&OwnerStatus>,
        span: Span,
        frame: &Frame,
    ) -> Self {
        let host = owner.and_then(|owner| owner.host.as_ref());
        let health = Health::of(figures, host);
        let (tone, headline) = match (&health, host) {
            (health, _) if !health.reasons.is_empty() => ("error", "host.reasons"),
            (health, Some(_)) if !health.is_well() => ("warn", "host.attention"),
            (health, None) if !health.is_well() => ("warn", "host.attention_without_host"),
            (_, Some(_)) => ("good", "host.all_well"),
            (_, None) => ("good", "host.well_without_host"),
        };
        let as_of = frame.moment(figures.read_at);
        Self {
            tone,
            headline: frame.say(headline),
            when_lost: frame.fill("host.no_connection", &[("time", &as_of.short)]),
            as_of,
            without_host: if host.is_some() {
                ""
            } else {
                frame.say("host.no_host")
            },
            remarks: health
                .remarks
                .iter()
                .map(|one| remark(one, frame))
                .collect(),
            reasons: health.reasons,
            archive: archive(figures, frame),
            statuses: statuses(figures, frame),
            spans: Span::ALL.map(|one| tab(one, span, frame)).into(),
            chart: periods::chart("periods", span, &figures.bins, frame),
            causes: figures
                .failures
                .iter()
                .take(CAUSES_SHOWN)
                .map(|group| cause(group, frame))
                .collect(),
            all_causes: if figures.failures.len() > CAUSES_SHOWN {
                let n = frame.count(figures.failures.len() as u64);
                frame.fill("host.all_causes", &[("n", &n)])
            } else {
                String::new()
            },
            shares: shares(figures, frame),
            lasting: lasting::facts(figures, frame),
            evidence: evidence(figures, frame),
            outbox: outbox(figures, frame),
            station: owner
                .zip(host)
                .map(|(owner, host)| Station::of(owner, host, frame)),
        }
    }
}

/// Tells a remark, with the page where something can be done about it.
fn remark(remark: &Remark, frame: &Frame) -> Linked {
    let n = |number: &u64| frame.count(number);
    let (text, href) = match remark {
        Remark::Failed(number) => (
            frame.fill("host.remark_failed", &[("n", &n(number))]),
            "/entries?status=failed",
        ),
        Remark::Suspicious(number) => (
            frame.fill("host.remark_suspicious", &[("n", &n(number))]),
            "/entries?suspicious=true",
        ),
        Remark::Stuck(number) => (
            frame.fill("host.remark_stuck", &[("n", &n(number))]),
            "#stuck",
        ),
        Remark::Endpoint(address, why) => {
            let values = [("address", address.as_str()), ("why", why)];
            (frame.fill("host.remark_endpoint", &values), "#outbox")
        }
        Remark::Promotion(converter) => {
            let values = [("converter", converter.as_str())];
            (frame.fill("host.promotion_waits", &values), "")
        }
        Remark::PurgeWaits(number) => (
            frame.fill("host.remark_purge", &[("n", &n(number))]),
            "/retention",
        ),
        Remark::Retention(why) => (
            frame.fill("host.remark_retention", &[("why", why)]),
            "/retention",
        ),
        Remark::HoldsOverdue(number) => (
            frame.fill("host.remark_holds", &[("n", &n(number))]),
            "/retention",
        ),
        Remark::Configuration(why) => {
            (frame.fill("host.remark_configuration", &[("why", why)]), "")
        }
    };
    Linked {
        text,
        href: href.to_owned(),
    }
}

fn archive(figures: &Figures, frame: &Frame) -> Vec<Fact> {
    let stats = &figures.stats;
    let unique = frame.size(stats.unique_bytes);
    let (stored, log) = (frame.size(stats.stored_bytes), frame.size(stats.log_bytes));
    let index = frame.size(stats.index_bytes);
    let ratio = frame.decimal(stats.ratio);
    let saved = match saved_per_cent(stats) {
        None => frame.say("host.saved_none").to_owned(),
        Some(percent) => {
            let percent = frame.count(percent);
            let values = [("percent", percent.as_str()), ("ratio", &ratio)];
            frame.fill("host.saved_text", &values)
        }
    };
    let on_disk = [
        ("stored", stored.as_str()),
        ("unique", &unique),
        ("log", &log),
        ("index", &index),
    ];
    let mut facts = vec![
        Fact::new(frame.say("host.entries"), frame.count(stats.entries)).href("/entries"),
        Fact::new(frame.say("host.size"), frame.size(stats.sources_bytes))
            .href("/entries?sort=size:desc"),
        Fact::new(
            frame.say("host.stored"),
            frame.fill("host.stored_text", &on_disk),
        ),
        Fact::new(frame.say("host.saved"), saved),
        Fact::new(frame.say("host.oldest"), "").at(stats.oldest.map(|at| frame.moment(at))),
        Fact::new(frame.say("host.newest"), "").at(stats.newest.map(|at| frame.moment(at))),
    ];
    let outdated: u64 = figures
        .doubts
        .outdated
        .iter()
        .map(|group| group.entries)
        .sum();
    if outdated > 0 {
        facts.push(
            Fact::new(frame.say("host.outdated"), frame.count(outdated))
                .href("/entries?outdated=true"),
        );
    }
    if figures.doubts.suspicious > 0 {
        let number = frame.count(figures.doubts.suspicious);
        facts.push(
            Fact::new(frame.say("host.suspicious"), number)
                .href("/entries?suspicious=true")
                .tone("odd"),
        );
    }
    facts
}

/// Returns each status that entries have.
fn statuses(figures: &Figures, frame: &Frame) -> Vec<Counted> {
    let counted = |status: Status| {
        let groups = &figures.stats.statuses;
        let group = groups.iter().find(|group| group.name == status.name())?;
        (group.entries > 0).then(|| Counted {
            mark: frame.mark(status),
            count: frame.count(group.entries),
            href: address("/entries", [("status", status.name())]),
        })
    };
    Status::ALL.into_iter().filter_map(counted).collect()
}

fn tab(span: Span, here: Span, frame: &Frame) -> SpanTab {
    let name = match span {
        Span::Today => frame.say("find.today").to_owned(),
        Span::Days14 => frame.fill("host.last_days", &[("n", "14")]),
        Span::Days30 => frame.fill("host.last_days", &[("n", "30")]),
    };
    SpanTab {
        href: address("/host", [("span", span.name())]),
        name,
        is_here: span == here,
    }
}

fn cause(group: &FailureGroup, frame: &Frame) -> Cause {
    let id = group.cause.id.to_string();
    Cause {
        count: frame.count(group.entries),
        href: address("/entries", [("failure", id.as_str())]),
        converter: group.converter.clone(),
        text: group.cause.text.clone(),
        last: frame.moment(group.last),
    }
}

/// Returns what the converters take, the largest first.
fn shares(figures: &Figures, frame: &Frame) -> Vec<Share> {
    let mut groups: Vec<_> = figures.stats.converters.iter().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.sources_bytes));
    let most = groups.first().map_or(0, |group| group.sources_bytes);
    let share = |group: &&crate::archive::Group| Share {
        name: group.name.clone(),
        href: address("/entries", [("converter", group.name.as_str())]),
        entries: frame.count(group.entries),
        size: frame.size(group.sources_bytes),
        per_mille: per_mille(group.sources_bytes, most),
    };
    groups.iter().map(share).collect()
}

fn evidence(figures: &Figures, frame: &Frame) -> Vec<Fact> {
    let verified = Fact::new(frame.say("host.verified"), "").href("/evidence");
    let verified = match &figures.verified {
        Some((at, fact)) => {
            let key = if fact.findings == 0 {
                "host.verified_ok"
            } else {
                "host.verified_findings"
            };
            let n = frame.count(fact.findings);
            let text = frame.fill(key, &[("n", &n), ("depth", &fact.depth)]);
            let tone = if fact.findings == 0 { "good" } else { "bad" };
            Fact { text, ..verified }
                .at(Some(frame.moment(*at)))
                .tone(tone)
        }
        None => Fact {
            text: frame.say("host.verified_never").to_owned(),
            ..verified
        },
    };
    let checkpoint = match figures.checkpoint {
        Some((event, at)) => {
            Fact::new(frame.say("host.checkpoint"), format!("#{event}")).at(Some(frame.moment(at)))
        }
        None => Fact::new(
            frame.say("host.checkpoint"),
            frame.say("host.checkpoint_none"),
        ),
    };
    let held = &figures.held;
    let mut holds = Fact::new(frame.say("host.holds"), frame.count(held.holds)).href("/retention");
    if held.entries > 0 {
        let n = frame.count(held.entries);
        holds = holds.more(
            frame.fill("host.held_entries", &[("n", &n)]),
            "/entries?hold=*",
        );
    }
    if held.overdue > 0 {
        holds = holds.tone("odd");
    }
    let pending = frame.count(figures.stats.pending);
    vec![
        verified,
        checkpoint.href("/evidence"),
        holds,
        Fact::new(
            frame.say("host.pending_purges"),
            frame.fill("host.pending_text", &[("n", &pending)]),
        )
        .href("/retention"),
        Fact::new(frame.say("host.purged"), frame.count(figures.stats.purged)).href("/retention"),
    ]
}

fn outbox(figures: &Figures, frame: &Frame) -> Outbox {
    let waiting = &figures.waiting;
    let more = waiting.count.saturating_sub(figures.outbox.len() as u64);
    let rows = figures.outbox.iter().map(|report| Waiting {
        entry: report.entry.0,
        attempt: report.attempt.0,
        converter: report.converter.clone(),
        since: frame.moment(report.since),
    });
    Outbox {
        count: frame.count(waiting.count),
        since: waiting.oldest.map(|at| frame.moment(at)),
        rows: rows.collect(),
        more: if more > 0 {
            frame.fill("host.outbox_more", &[("n", &frame.count(more))])
        } else {
            String::new()
        },
    }
}
