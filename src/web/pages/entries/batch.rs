//! The bar at the bottom: what is chosen, frozen by the server, and what can be done with it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::fragment::{refusal, set};
use super::super::frame::{Frame, Place, page};
use crate::archive::Annotation;
use crate::id::EntryId;
use crate::web::address::Address;
use crate::web::batch::{NewHoldOnSelection, hold_all, note_all};
use crate::web::listing::{Chosen, freeze};
use crate::web::problem::Problem;
use crate::web::selections::Selection;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "entries/bar.html", config = "src/web/askama.toml")]
struct Bar {
    frame: Frame,
    selection: String,
    words: Words,
    /// "412 entries as of 14:03".
    told: String,
    /// "3 cannot run: purged"; empty when all can.
    left_out: String,
    /// What the command line calls the same entries, where it can.
    command: Option<String>,
}

/// What buttons say: each repeats to how many entries it does something.
struct Words {
    reprocess: String,
    hold_title: String,
    hold_do: String,
    note_title: String,
    note_do: String,
}

impl Words {
    fn of(number: &str, frame: &Frame) -> Self {
        let values = [("n", number)];
        Self {
            reprocess: frame.fill("entries.reprocess", &values),
            hold_title: frame.fill("entries.hold_title", &values),
            hold_do: frame.fill("entries.hold_do", &values),
            note_title: frame.fill("entries.note_title", &values),
            note_do: frame.fill("entries.note_do", &values),
        }
    }
}

#[derive(Template)]
#[template(path = "entries/done.html", config = "src/web/askama.toml")]
struct Done {
    text: String,
    /// What was refused, entry by entry.
    refused: Vec<String>,
}

/// What a visitor chose on the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Choice {
    /// Entries that are ticked.
    id: Vec<u64>,
    /// All that match this address.
    all: Option<String>,
    /// The selection that was made of this before; it stays as it is, if it is still kept.
    shown: Option<String>,
    /// The selection that this one takes the place of.
    replaces: Option<String>,
}

/// Answers `POST /entries/selection`: freezes what is chosen, and shows the bar for it.
pub(in crate::web) async fn choose(
    State(web): State<Web>,
    visitor: Visitor,
    Form(choice): Form<Choice>,
) -> Response {
    let frame = Frame::new(Place::Entries, &visitor);
    let kept = chosen(&web, &visitor, choice).await;
    match kept {
        Ok(selection) => page(&bar(&selection, frame)),
        Err(problem) => refusal(&problem),
    }
}

async fn chosen(web: &Web, visitor: &Visitor, choice: Choice) -> Result<Arc<Selection>, Problem> {
    if let Some(name) = &choice.shown
        && let Ok(kept) = web.selections().get(name)
    {
        return Ok(kept);
    }
    if let Some(name) = &choice.replaces {
        web.selections().forget(name);
    }
    let chosen = match choice.all {
        Some(query) => Chosen::Matching(Box::new(Address::read(&query)?)),
        None => Chosen::Ids(choice.id.into_iter().map(EntryId).collect()),
    };
    let made = web.work(visitor, move |desk| freeze(&desk.service(), chosen));
    Ok(web.selections().keep(made.await?)?)
}

fn bar(selection: &Selection, frame: Frame) -> Bar {
    let number = frame.count(selection.ids.len() as u64);
    let moment = frame.moment(selection.at);
    // The date is on the page; the bar says the time.
    let time = moment.short.split(' ').next_back().unwrap_or_default();
    let time = time.get(..5).unwrap_or(time).to_owned();
    let values = [("n", number.as_str()), ("time", time.as_str())];
    let key = match selection.ids.len() {
        1 => "entries.bar_one",
        _ => "entries.bar_many",
    };
    let why = |why: &str| frame.say(&format!("entries.why_{}", why.replace(' ', "_")));
    let left_out = selection.left_out.iter().flatten();
    let left_out: Vec<String> = left_out
        .map(|left| {
            let number = frame.count(left.count);
            frame.fill(
                "entries.bar_left_out",
                &[("n", &number), ("why", why(left.why))],
            )
        })
        .collect();
    let address = Address::read(&selection.query).ok();
    let named = match selection.ids.as_slice() {
        ids if selection.query.is_empty() && ids.len() <= 20 => {
            let ids = ids.iter().map(ToString::to_string);
            Some(format!(
                "annals reprocess {}",
                ids.collect::<Vec<_>>().join(" ")
            ))
        }
        _ if !selection.query.is_empty() => {
            address.map(|address| address.filters.command("reprocess"))
        }
        _ => None,
    };
    Bar {
        told: frame.fill(key, &values),
        words: Words::of(&number, &frame),
        selection: selection.id.clone(),
        left_out: left_out.join("; "),
        command: named,
        frame,
    }
}

/// Answers `POST /entries/selection/{selection}/forget`: nothing is chosen any more.
pub(in crate::web) async fn forget(State(web): State<Web>, Path(name): Path<String>) -> String {
    web.selections().forget(&name);
    String::new()
}

/// Answers `POST /entries/selection/{selection}/hold`.
pub(in crate::web) async fn hold(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(new): Form<NewHoldOnSelection>,
) -> Response {
    let frame = Frame::new(Place::Entries, &visitor);
    let held = async {
        let selection = web.selections().get(&name)?;
        let held = web.work(&visitor, move |desk| {
            hold_all(&desk.service(), &selection, new)
        });
        held.await
    };
    match held.await {
        Ok(held) => {
            let number = frame.count(held.held);
            let text = frame.fill("entries.held", &[("n", &number), ("name", &held.name)]);
            done(text, Vec::new())
        }
        Err(problem) => refusal(&problem),
    }
}

/// A note on all entries of a selection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct NewNote {
    text: String,
    label: String,
    unlabel: String,
    reason: String,
}

/// Answers `POST /entries/selection/{selection}/note`.
pub(in crate::web) async fn note(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(new): Form<NewNote>,
) -> Response {
    let frame = Frame::new(Place::Entries, &visitor);
    let stated = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let mut annotation = Annotation::new(new.reason.trim());
    annotation.text = stated(&new.text);
    annotation.labels = stated(&new.label).into_iter().collect();
    annotation.unlabels = stated(&new.unlabel).into_iter().collect();
    let noted = async {
        let selection = web.selections().get(&name)?;
        let noted = web.work(&visitor, move |desk| {
            note_all(&desk.service(), &selection, &annotation)
        });
        noted.await
    };
    match noted.await {
        Ok(noted) => {
            let number = frame.count(noted.noted);
            let text = frame.fill("entries.noted", &[("n", &number)]);
            let refused = noted.errors.iter();
            let refused = refused.map(|error| format!("{}: {}", error.id, error.error));
            done(text, refused.collect())
        }
        Err(problem) => refusal(&problem),
    }
}

fn done(text: String, refused: Vec<String>) -> Response {
    let mut response = page(&Done { text, refused });
    set(&mut response, "hx-trigger", "annals:changed");
    response
}
