//! `/entries`: which ones, all of them. Filters, the table, its pages, and what came in meanwhile.

mod batch;
mod form;
mod rows;
mod views;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use self::form::{Chip, Form, chips, filter_name, filter_value};
use self::rows::{Cell, Head, Row, columns, heads, row};
use self::views::{Views, views};
use super::fragment::{is_part, set};
use super::frame::{Frame, Place, page};
use crate::id::EventSeq;
use crate::query::Count;
use crate::service::desk::Desk;
use crate::web::address::Address;
use crate::web::listing::{Listed, arrived, count, list, relaxed, unknown_converter};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, Result};

pub(in crate::web) use batch::{choose, forget, hold, note};
pub(in crate::web) use views::{drop_view, save_view};

/// Rows of a page.
const PAGE: usize = 100;

#[derive(Template)]
#[template(path = "entries.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    form: Form,
    views: Views,
    list: List,
}

/// The part of the page that a changed filter replaces.
#[derive(Template)]
#[template(path = "entries/list.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    list: List,
}

/// What the list shows.
struct List {
    chips: Vec<Chip>,
    heads: Vec<Head>,
    rows: Vec<Row>,
    /// How many match; `None` when it is asked for separately.
    count: Option<String>,
    /// The address without what says how a page looks: what "all that match" means.
    selecting: String,
    /// The query of the page itself, to ask for the count and for what is new.
    query: String,
    /// The newest event that the list knows of.
    at: EventSeq,
    first: Option<String>,
    next: Option<String>,
    csv: String,
    command: String,
    empty: Option<Empty>,
    problem: Option<Error>,
}

/// Why a list is empty, and what would show more.
struct Empty {
    /// A converter that nobody knows, with what was meant.
    unknown: Option<Error>,
    ways_out: Vec<WayOut>,
}

/// A list with one filter less.
struct WayOut {
    name: String,
    value: String,
    href: String,
    count: String,
}

impl List {
    fn new(desk: &Desk, address: &Address, frame: &Frame) -> Result<Self> {
        let Listed {
            entries,
            next,
            count,
            at,
        } = list(desk, address, PAGE)?;
        let shown = columns(address);
        let empty = if entries.is_empty() && address.after.is_none() {
            Some(Empty::new(desk, address, frame)?)
        } else {
            None
        };
        Ok(Self {
            heads: heads(address, frame),
            rows: entries.iter().map(|one| row(one, shown, frame)).collect(),
            count: count.map(|count| count_words(count, frame)),
            at,
            next: next.map(|next| address.following(next).href()),
            empty,
            ..Self::around(address, frame)
        })
    }

    /// Returns what stands around the rows.
    fn around(address: &Address, frame: &Frame) -> Self {
        let selecting = address.selecting().query();
        Self {
            chips: chips(address, frame),
            heads: Vec::new(),
            rows: Vec::new(),
            count: None,
            csv: match selecting.as_str() {
                "" => "/api/v1/entries.csv".to_owned(),
                query => format!("/api/v1/entries.csv?{query}"),
            },
            selecting,
            query: address.first().query(),
            at: EventSeq(0),
            first: address.after.is_some().then(|| address.first().href()),
            next: None,
            command: address.command(),
            empty: None,
            problem: None,
        }
    }

    /// Returns a list that says why it cannot be shown.
    fn refused(error: Error, frame: &Frame) -> Self {
        Self {
            problem: Some(error),
            ..Self::around(&Address::default(), frame)
        }
    }
}

impl Empty {
    fn new(desk: &Desk, address: &Address, frame: &Frame) -> Result<Self> {
        let ways_out = relaxed(desk, address)?.into_iter();
        let ways_out = ways_out.map(|less| WayOut {
            name: filter_name(less.key, frame).to_owned(),
            value: filter_value(less.key, &less.value, frame),
            href: less.address.href(),
            count: count_words(less.count, frame),
        });
        Ok(Self {
            unknown: unknown_converter(desk, address)?,
            ways_out: ways_out.collect(),
        })
    }
}

/// Returns a count as a visitor reads it: `1,204 entries`, or `10,000+ entries`.
fn count_words(count: Count, frame: &Frame) -> String {
    let number = frame.count(count.n);
    let number = if count.more {
        format!("{number}+")
    } else {
        number
    };
    if count == Count::exactly(1) {
        frame.say("entries.count_one").to_owned()
    } else {
        frame.fill("entries.count_many", &[("n", &number)])
    }
}

/// Answers `GET /entries`: the page, or the list alone when a filter was changed on it.
pub(in crate::web) async fn entries(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Entries, &visitor);
    let is_part = is_part(&headers);
    let query = query.unwrap_or_default();
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let read = Address::read(&query);
        let address = read.as_ref().cloned().unwrap_or_default();
        let list = read.and_then(|address| List::new(&desk, &address, &frame));
        let is_refused = list.is_err();
        let list = list.unwrap_or_else(|error| List::refused(error, &frame));
        let mut response = if is_part {
            let frame = frame.command(list.command.clone());
            page(&Part { frame, list })
        } else {
            let snapshot = desk.archive.snapshot()?;
            let converters = snapshot.converters()?.into_iter().collect();
            let holds = desk.archive.hold_dates()?.into_iter();
            let form = Form::new(&address, converters, holds.map(|hold| hold.name).collect());
            let frame = frame.command(list.command.clone());
            page(&Page {
                views: views(&snapshot, &address)?,
                form,
                frame,
                list,
            })
        };
        if is_part && !is_refused {
            set(&mut response, "hx-push-url", &address.href());
        }
        Ok(response)
    });
    answered.await
}

/// Answers `GET /entries/count`: how many match, which the list itself does not wait for.
pub(in crate::web) async fn counted(
    State(web): State<Web>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<String, Problem> {
    let frame = Frame::new(Place::Entries, &visitor);
    let counted = web.work(&visitor, move |desk| {
        let address = Address::read(&query.unwrap_or_default())?;
        count(&desk.service(), &address)
    });
    Ok(count_words(counted.await?, &frame))
}

/// Answers `GET /entries/news`: how many entries that match came after the list was drawn.
pub(in crate::web) async fn news(
    State(web): State<Web>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<String, Problem> {
    let arrived = web.work(&visitor, move |desk| {
        let mut since = EventSeq(0);
        let address = Address::read_with(&query.unwrap_or_default(), |key, value| {
            if key == "since" {
                since = EventSeq(value.parse().unwrap_or(0));
            }
            key == "since"
        })?;
        arrived(&desk.service(), &address, since)
    });
    let arrived = arrived.await?;
    let more = if arrived.more { "+" } else { "" };
    Ok(format!("{}{more}", arrived.n))
}
