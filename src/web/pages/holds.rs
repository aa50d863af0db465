//! `/holds`: what may not go, why, and who is to look again.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::frame::{Frame, Place, page};
use super::jobs::{address, go_to, refused, told};
use super::parts::{Mark, Moment};
use crate::archive::{Hold, HoldDates};
use crate::query::{Count, Filter};
use crate::service::desk::Desk;
use crate::service::entries::{Filters, Selected};
use crate::time::Timestamp;
use crate::web::api::holds::{NewHoldRequest, place_hold, release_hold, review_hold};
use crate::web::listing::COUNT_MAX;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "holds/page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    /// Whether the entries of each were counted, for which all entries are read.
    is_counted: bool,
    names: Vec<String>,
    overdue: String,
}

struct Row {
    nth: usize,
    name: String,
    reason: String,
    by: String,
    since: Moment,
    review: Option<Moment>,
    mark: Option<Mark>,
    href: String,
    entries: String,
    content: String,
    /// The filter for entries to come, in words; empty without one.
    future: String,
    release: String,
    review_title: String,
}

/// What is known of a hold without its entries.
struct Told {
    name: String,
    reason: String,
    by: Option<String>,
    since: Timestamp,
    review: Option<Timestamp>,
    future: Option<Filter>,
}

/// Whether entries are to be counted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    counted: bool,
}

/// Answers `GET /holds`.
pub(in crate::web) async fn holds(
    State(web): State<Web>,
    visitor: Visitor,
    Query(Asked { counted }): Query<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| {
        let title = frame.say("holds.title");
        let frame = frame.titled(title).command("annals hold list");
        let now = desk.service().now;
        let rows: Vec<Row> = if counted {
            let holds = desk.archive.holds()?.into_iter().enumerate();
            holds
                .map(|(nth, hold)| Row::of(nth, hold, now, &frame))
                .collect()
        } else {
            let holds = desk.archive.hold_dates()?.into_iter().enumerate();
            holds
                .map(|(nth, dates)| Row::uncounted(nth, dates, now, &frame))
                .collect()
        };
        let overdue = rows.iter().filter(|row| row.mark.is_some()).count() as u64;
        Ok(Page {
            is_counted: counted || rows.is_empty(),
            names: desk.archive.snapshot()?.converters()?.into_iter().collect(),
            overdue: match overdue {
                0 => String::new(),
                1 => frame.say("holds.overdue_one").to_owned(),
                n => frame.fill("holds.overdue_many", &[("n", &frame.count(n))]),
            },
            rows,
            frame,
        })
    });
    Ok(page(&made.await?))
}

impl Row {
    fn uncounted(nth: usize, dates: HoldDates, now: Timestamp, frame: &Frame) -> Self {
        let told = Told {
            name: dates.name,
            reason: dates.reason,
            by: dates.placed_by,
            since: dates.placed_at,
            review: dates.review,
            future: dates.future,
        };
        Self::told(nth, told, now, frame)
    }

    fn told(nth: usize, hold: Told, now: Timestamp, frame: &Frame) -> Self {
        let is_overdue = hold.review.is_some_and(|review| review <= now);
        let future = hold.future.as_ref().map(|filter| {
            let pairs = Filters::of(filter).pairs();
            let words = pairs.iter().map(|(key, value)| format!("{key} {value}"));
            words.collect::<Vec<_>>().join(" · ")
        });
        Self {
            nth,
            release: frame.fill("holds.release_do", &[("name", &hold.name)]),
            review_title: frame.fill("holds.review_title", &[("name", &hold.name)]),
            href: address("/entries", [("hold", hold.name.as_str())]),
            name: hold.name,
            reason: hold.reason,
            by: hold.by.unwrap_or_default(),
            since: frame.moment(hold.since),
            review: hold.review.map(|time| frame.moment(time)),
            mark: is_overdue.then(|| Mark::named("suspicious", frame.say("holds.overdue"))),
            entries: String::new(),
            content: String::new(),
            future: future.unwrap_or_default(),
        }
    }

    fn of(nth: usize, hold: Hold, now: Timestamp, frame: &Frame) -> Self {
        let (entries, content) = (frame.count(hold.entries), frame.size(hold.bytes));
        let values = [("name", hold.name.as_str()), ("n", entries.as_str())];
        let release = frame.fill("holds.release_many", &values);
        let told = Told {
            name: hold.name,
            reason: hold.reason,
            by: hold.placed_by,
            since: hold.placed_at,
            review: hold.review,
            future: hold.future,
        };
        Self {
            entries,
            content,
            release,
            ..Self::told(nth, told, now, frame)
        }
    }
}

/// What the form for a new hold says.
struct NewHold {
    name: String,
    reason: String,
    review: String,
    future: bool,
    filters: Filters,
}

impl NewHold {
    fn read(fields: Pairs) -> Result<Self> {
        let mut new = Self {
            name: String::new(),
            reason: String::new(),
            review: String::new(),
            future: false,
            filters: Filters::default(),
        };
        for (key, value) in fields {
            let value = value.trim().to_owned();
            match key.as_str() {
                "name" => new.name = value,
                "reason" => new.reason = value,
                "review" => new.review = value,
                "future" => new.future = !value.is_empty(),
                _ => new.filters.add(&key, &value)?,
            }
        }
        Ok(new)
    }

    /// Returns how many entries match now; `None` while no filter is given.
    fn count(&self, desk: &Desk) -> Result<Option<Count>> {
        let filter = self.filters.to_filter(desk.now, &desk.zone)?;
        if filter.is_empty() {
            return Ok(None);
        }
        let selected = Selected::of(Vec::new(), filter)?.in_store(desk)?;
        match selected {
            Selected::Filter(filter) => {
                let count = desk.archive.snapshot()?.count_up_to(&filter, COUNT_MAX)?;
                Ok(Some(count))
            }
            Selected::Ids(_) => Ok(None),
        }
    }
}

#[derive(Template)]
#[template(path = "holds/matches.html", config = "src/web/askama.toml")]
struct Matches {
    text: String,
    tone: &'static str,
    hint: String,
    href: String,
    link: &'static str,
}

/// Answers `GET /holds/matches`: how many entries a new hold would lie on.
pub(in crate::web) async fn matches(
    State(web): State<Web>,
    visitor: Visitor,
    Query(fields): Query<Pairs>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| {
        let counted = NewHold::read(fields).and_then(|new| {
            let count = new.count(&desk.service())?;
            Ok((new, count))
        });
        let link = frame.say("holds.list_them");
        let plain = |text: String| Matches {
            text,
            tone: "",
            hint: String::new(),
            href: String::new(),
            link,
        };
        Ok(match counted {
            Err(error) => {
                let (text, hint) = told(&error);
                let tone = "error";
                Matches {
                    tone,
                    hint,
                    ..plain(text)
                }
            }
            Ok((_, None)) => plain(frame.say("holds.no_filter").to_owned()),
            Ok((new, Some(count))) => {
                let more = if count.more { "+" } else { "" };
                let number = format!("{}{more}", frame.count(count.n));
                let text = match count.n {
                    0 => frame.say("holds.match_none").to_owned(),
                    1 => frame.say("holds.match_one").to_owned(),
                    _ => frame.fill("holds.match_many", &[("n", &number)]),
                };
                let pairs = new.filters.pairs();
                let pairs = pairs.iter().map(|(key, value)| (*key, value.as_str()));
                let href = address("/entries", pairs);
                let href = if count.n == 0 { String::new() } else { href };
                Matches {
                    href,
                    ..plain(text)
                }
            }
        })
    });
    Ok(page(&made.await?))
}

/// Answers `POST /holds`: places a hold on what the filters match.
pub(in crate::web) async fn place(
    State(web): State<Web>,
    visitor: Visitor,
    Form(fields): Form<Pairs>,
) -> Result<Response, Problem> {
    let placed = web.work(&visitor, move |desk| {
        let place = || {
            let new = NewHold::read(fields)?;
            if new.filters == Filters::default() {
                let told = "no filter says which entries are held";
                return Err(Error::new(ErrorKind::Invalid, told)
                    .hint("state a serial, a converter, a label or dates"));
            }
            let wanted = NewHoldRequest {
                name: new.name,
                reason: new.reason,
                filters: Some(new.filters),
                future: new.future,
                review: Some(new.review),
                ..NewHoldRequest::default()
            };
            place_hold(desk, wanted, None).map(drop)
        };
        Ok(place())
    });
    Ok(answered(placed.await?))
}

/// Which hold, and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Act {
    name: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    until: String,
}

/// Answers `POST /holds/release`.
pub(in crate::web) async fn release(
    State(web): State<Web>,
    visitor: Visitor,
    Form(act): Form<Act>,
) -> Result<Response, Problem> {
    let released = web.work(&visitor, move |desk| {
        Ok(release_hold(desk, &act.name, &act.reason))
    });
    Ok(answered(released.await?))
}

/// Answers `POST /holds/review`.
pub(in crate::web) async fn review(
    State(web): State<Web>,
    visitor: Visitor,
    Form(act): Form<Act>,
) -> Result<Response, Problem> {
    let reviewed = web.work(&visitor, move |desk| {
        Ok(review_hold(desk, &act.name, &act.until, &act.reason).map(drop))
    });
    Ok(answered(reviewed.await?))
}

fn answered(done: Result<()>) -> Response {
    match done {
        Ok(()) => go_to("/holds".to_owned()),
        Err(error) => refused(&error),
    }
}
