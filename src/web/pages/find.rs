//! `/`: one field that finds a unit, and below it whether all is well.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::fragment::is_part;
use super::frame::{Frame, Place, page};
use super::parts::{Mark, Moment};
use super::periods;
use super::remarks::{Remark, remarks};
use crate::Result;
use crate::entry::Entry;
use crate::id::EntryId;
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::service::entries::{Reason, reason, searched};
use crate::service::status::{Span, saved_per_cent};
use crate::service::words::in_shell;
use crate::web::chart::ColumnChart;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// Matches that are shown.
const SHOWN: usize = 30;

/// What stands in the address of the page.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "find.html", config = "src/web/askama.toml")]
struct Find {
    frame: Frame,
    q: String,
    found: Found,
    glance: Vec<Tile>,
    today: ColumnChart,
}

/// The matches alone, which take the place of those before while somebody types.
#[derive(Template)]
#[template(path = "find/found.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    found: Found,
}

/// What was found.
#[derive(Default)]
struct Found {
    /// What was looked for; empty before anything is typed.
    text: String,
    matches: Vec<Match>,
    /// How many, in words, or that there are none.
    count: String,
    /// That there are more than are shown, if so.
    more: String,
    /// The list of entries that have the text anywhere, when nothing else was found.
    anywhere: String,
}

/// An entry that was found, and why.
struct Match {
    id: EntryId,
    serial: Option<String>,
    part: Option<String>,
    file: String,
    converter: String,
    archived: Moment,
    mark: Mark,
    remarks: Vec<Remark>,
    /// "serial ends with"; empty when it cannot be told.
    why: String,
    /// The value that matched, in three pieces: before, the match itself, after.
    value: [String; 3],
}

/// A figure that leads to what is behind it.
struct Tile {
    href: String,
    name: &'static str,
    value: String,
    note: String,
    tone: &'static str,
}

/// Answers `GET /`: the page, or the matches alone while somebody types.
pub(in crate::web) async fn find(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let text = searched(&asked.q).to_owned();
    let mut frame = Frame::new(Place::Find, &visitor);
    if !text.is_empty() {
        frame = frame.command(format!("annals find {}", in_shell(&text)));
    }
    let is_part = is_part(&headers);
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let found = found(&desk, text, &frame)?;
        if is_part {
            return Ok(page(&Part { frame, found }));
        }
        Ok(page(&Find {
            glance: glance(&desk, &frame)?,
            today: today(&desk, &frame)?,
            q: asked.q,
            frame,
            found,
        }))
    });
    answered.await
}

fn found(desk: &Desk, text: String, frame: &Frame) -> Result<Found> {
    if text.is_empty() {
        return Ok(Found::default());
    }
    let entries = desk.archive.snapshot()?.find(&text, SHOWN + 1)?;
    let more = if entries.len() > SHOWN {
        frame.fill("find.more", &[("n", &frame.count(SHOWN as u64))])
    } else {
        String::new()
    };
    let shown = entries.iter().take(SHOWN);
    let matches: Vec<Match> = shown.map(|entry| matched(entry, &text, frame)).collect();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("text", &text)
        .finish();
    Ok(Found {
        count: match matches.len() {
            0 => frame.fill("find.nothing", &[("q", &text)]),
            1 => frame.say("find.found_one").to_owned(),
            n => frame.fill("find.found_many", &[("n", &frame.count(n as u64))]),
        },
        matches,
        more,
        anywhere: format!("/entries?{query}"),
        text,
    })
}

fn matched(entry: &Entry, text: &str, frame: &Frame) -> Match {
    let reason = reason(entry, text);
    Match {
        id: entry.id,
        serial: entry.unit.serial.clone(),
        part: entry.unit.part.clone(),
        file: entry.source_name.clone(),
        converter: entry.converter.clone(),
        archived: frame.moment(entry.archived_at),
        mark: frame.mark(entry.status),
        remarks: remarks(entry, frame),
        why: reason.as_ref().map_or_else(String::new, |reason| {
            let fact = frame.say(&format!("find.by_{}", reason.fact.name()));
            let how = frame.say(&format!("find.how_{}", reason.how.name()));
            format!("{fact} {how}")
        }),
        value: reason.map_or_else(Default::default, |reason| pieces(&reason, text)),
    }
}

/// Returns a value with the part that matched set apart. A text that is spelt otherwise, in letter
/// case for example, has as many letters.
fn pieces(reason: &Reason, text: &str) -> [String; 3] {
    use crate::service::entries::How;
    let letters: Vec<char> = reason.value.chars().collect();
    let matching = text.chars().count().min(letters.len());
    let (from, to) = match reason.how {
        How::Whole => (0, letters.len()),
        How::Beginning => (0, matching),
        How::End => (letters.len() - matching, letters.len()),
    };
    let piece = |letters: &[char]| letters.iter().collect::<String>();
    [
        piece(&letters[..from]),
        piece(&letters[from..to]),
        piece(&letters[to..]),
    ]
}

/// Returns the figures that tell whether all is well, each with a link to what is behind it.
fn glance(desk: &Desk, frame: &Frame) -> Result<Vec<Tile>> {
    let snapshot = desk.archive.snapshot()?;
    let stats = snapshot.stats()?;
    let failed = stats.statuses.iter().find(|group| group.name == "failed");
    let failed = failed.map_or(0, |group| group.entries);
    let waiting = snapshot.pending_submissions()?;
    let holds = desk.archive.hold_dates()?;
    let overdue = holds.iter().any(|hold| hold.is_overdue(desk.now));
    let per_cent = saved_per_cent(&stats);
    let tile = |href: &str, key: &str, value: String, note: String, tone| Tile {
        href: href.to_owned(),
        name: frame.say(key),
        value,
        note,
        tone,
    };
    let (stored, sources) = (
        frame.size(stats.stored_bytes),
        frame.size(stats.unique_bytes),
    );
    let sizes = [("stored", stored.as_str()), ("sources", sources.as_str())];
    let since = waiting.oldest.map(|since| frame.moment(since).short);
    let mut tiles = vec![
        tile(
            "/entries",
            "find.entries",
            frame.count(stats.entries),
            String::new(),
            "",
        ),
        tile(
            "/entries?status=failed",
            "find.failed",
            frame.count(failed),
            String::new(),
            if failed > 0 { "bad" } else { "" },
        ),
        tile(
            "/host#outbox",
            "find.waiting",
            frame.count(waiting.count),
            since.map_or_else(String::new, |time| {
                frame.fill("find.waiting_since", &[("time", &time)])
            }),
            "",
        ),
        tile(
            "/entries?sort=size:desc",
            "find.saved",
            format!("{} %", per_cent.unwrap_or(0)),
            frame.fill("find.saved_note", &sizes),
            "",
        ),
    ];
    tiles.push(verified(desk, frame)?);
    tiles.push(checkpoint(desk, frame)?);
    tiles.push(tile(
        "/retention",
        "find.holds",
        frame.count(holds.len() as u64),
        String::new(),
        if overdue { "odd" } else { "" },
    ));
    Ok(tiles)
}

/// Draws what was archived in each hour of today.
fn today(desk: &Desk, frame: &Frame) -> Result<ColumnChart> {
    let edges = Span::Today.edges(desk.now, &desk.zone);
    let bins = desk
        .archive
        .snapshot()?
        .counts_by(&Filter::default(), &edges)?;
    Ok(periods::chart("hours", Span::Today, &bins, frame))
}

/// Tells of the last check for damage.
fn verified(desk: &Desk, frame: &Frame) -> Result<Tile> {
    let newest = desk.archive.newest_verification()?;
    let findings = newest.as_ref().map_or(0, |(_, fact)| fact.findings);
    let n = frame.count(findings);
    Ok(Tile {
        href: "/evidence".to_owned(),
        name: frame.say("find.verified"),
        value: match &newest {
            Some((at, _)) => frame.moment(*at).short,
            None => frame.say("find.verified_never").to_owned(),
        },
        note: match (&newest, findings) {
            (None, _) => String::new(),
            (Some(_), 0) => frame.say("find.verified_ok").to_owned(),
            (Some(_), _) => frame.fill("find.verified_findings", &[("n", &n)]),
        },
        tone: if findings > 0 { "bad" } else { "" },
    })
}

fn checkpoint(desk: &Desk, frame: &Frame) -> Result<Tile> {
    let newest = desk.archive.newest_checkpoint()?;
    let at = match newest {
        Some(newest) => {
            let mut leaves = desk.archive.events(newest.event, Some(newest.event))?;
            let leaf = leaves.next().transpose()?;
            leaf.and_then(|leaf| leaf.event().ok())
                .map(|event| event.time)
        }
        None => None,
    };
    Ok(Tile {
        href: "/evidence".to_owned(),
        name: frame.say("find.checkpoint"),
        value: match at {
            Some(at) => frame.moment(at).short,
            None => frame.say("find.checkpoint_none").to_owned(),
        },
        note: String::new(),
        tone: "",
    })
}
