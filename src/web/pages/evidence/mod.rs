//! `/evidence`: what can be proven, to whom, and who looked.

mod export;
mod lists;
mod review;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Query;

use super::frame::{Frame, Place, page};
use super::jobs::{go_to, refused, told};
use super::parts::Moment;
use crate::archive::RecordedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::id::{EventSeq, Sha256};
use crate::service::desk::Desk;
use crate::service::evidence::{CheckpointItem, Record, RecordPage, Records};
use crate::web::api::evidence::ListQuery;
use crate::web::preview::visible;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{ErrorKind, Result};

pub(in crate::web) use export::{act, ask as ask_export, plan as plan_export, show as show_export};
use lists::{Cell, List, Tab};
pub(in crate::web) use review::{ask as ask_review, record as record_review};

/// Events on one page.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "evidence/page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    signing: Signing,
    tabs: Vec<TabLink>,
    tab: Tab,
    list: List,
    query: ListQuery,
    doors: Vec<DoorChoice>,
    error: Option<(String, String)>,
    told: String,
    older: Option<String>,
    newest: String,
    looked_back: String,
    csv: Option<String>,
}

struct TabLink {
    href: String,
    name: &'static str,
    is_here: bool,
}

struct DoorChoice {
    value: &'static str,
    word: &'static str,
    is_chosen: bool,
}

/// Who signs, and what is signed.
struct Signing {
    newest: Option<Newest>,
    /// There is a key here to sign with.
    signs: bool,
    /// Why the last checkpoint was not made or not published.
    failure: String,
    /// What came after the checkpoint, in words; empty when nothing did.
    after: String,
    /// The key that signs from now on.
    key_name: String,
    vkey: String,
    /// How many keys the log names, when it is more than one.
    keys: String,
    verify: String,
}

struct Newest {
    event: EventSeq,
    at: Option<Moment>,
    size: String,
    root: String,
    note: String,
}

impl Signing {
    fn read(desk: &Desk, frame: &Frame) -> Result<Self> {
        let archive = &desk.archive;
        let newest = archive.newest_checkpoint()?;
        let key = archive.signing_key()?;
        let keys = archive.keys_of_log()?.len() as u64;
        let covered = newest
            .as_ref()
            .map_or(0, |newest| newest.signed.checkpoint().size);
        // The checkpoint is an event itself.
        let own = newest.as_ref().map_or(0, |newest| newest.event.0);
        let after = archive.newest().0.saturating_sub(own.max(covered));
        let shown = match newest {
            Some(newest) => Some(Newest::of(&newest, desk, frame)?),
            None => None,
        };
        let vkey = key.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            newest: shown,
            signs: archive.signs(),
            failure: archive.signing_failure().unwrap_or_default(),
            after: match after {
                0 => String::new(),
                _ => frame.fill("evidence.after", &[("n", &frame.count(after))]),
            },
            key_name: key
                .map(|key| visible(&key.name().to_string()).into_owned())
                .unwrap_or_default(),
            keys: if keys > 1 {
                frame.fill("evidence.keys", &[("n", &frame.count(keys))])
            } else {
                String::new()
            },
            verify: format!("annals verify-export DIR --vkey '{vkey}'"),
            vkey,
        })
    }
}

impl Newest {
    fn of(newest: &RecordedCheckpoint, desk: &Desk, frame: &Frame) -> Result<Self> {
        let record = Record::newest(Records::Checkpoints, desk)?;
        let record = record.filter(|record| record.event == newest.event);
        let checkpoint = newest.signed.checkpoint();
        Ok(Self {
            event: newest.event,
            at: record
                .and_then(|record| record.time)
                .map(|time| frame.moment(time)),
            size: frame.count(checkpoint.size),
            root: Sha256::from_bytes(checkpoint.root).to_string(),
            note: newest.signed.to_string(),
        })
    }
}

/// Answers `GET /evidence`.
pub(in crate::web) async fn first(
    web: State<Web>,
    visitor: Visitor,
    query: Query<ListQuery>,
) -> Result<Response, Problem> {
    shown(web, visitor, Tab::Checkpoints, query.0).await
}

/// Answers `GET /evidence/{list}`.
pub(in crate::web) async fn list(
    web: State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    query: Query<ListQuery>,
) -> Result<Response, Problem> {
    let Some(tab) = Tab::of_name(&name) else {
        let told = format!("there is no list '{name}'");
        return Err(
            Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, &told)
                .hint("/evidence has the lists"),
        );
    };
    shown(web, visitor, tab, query.0).await
}

async fn shown(
    State(web): State<Web>,
    visitor: Visitor,
    tab: Tab,
    query: ListQuery,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Evidence, &visitor).command(tab.command());
    let made = web.work(&visitor, move |desk| {
        page_of(&desk.service(), tab, query, frame)
    });
    Ok(page(&made.await?))
}

fn page_of(desk: &Desk, tab: Tab, mut query: ListQuery, frame: Frame) -> Result<Page> {
    let signing = Signing::read(desk, &frame)?;
    query.limit = Some(SHOWN);
    let read = query.asked(tab.records(), desk).and_then(|asked| {
        let keys = desk.archive.keys_of_log()?;
        let keys: Vec<VerifierKey> = keys.into_iter().map(|(_, key)| key).collect();
        let read = RecordPage::read(tab.records(), &asked, desk)?;
        Ok((read, keys))
    });
    let mut page = Page {
        signing,
        tabs: Tab::ALL
            .into_iter()
            .map(|other| TabLink {
                href: other.path(),
                name: other.word(&frame),
                is_here: other == tab,
            })
            .collect(),
        list: List::empty(tab, &frame),
        doors: lists::doors(&query, &frame),
        error: None,
        told: String::new(),
        older: None,
        newest: tab.path(),
        looked_back: String::new(),
        csv: tab.csv(&query),
        tab,
        query,
        frame,
    };
    match read {
        Err(error) if error.kind() == ErrorKind::Invalid => page.error = Some(told(&error)),
        Err(error) => return Err(error),
        Ok((read, keys)) => {
            let frame = &page.frame;
            page.list.fill(tab, &read.records, &keys, frame);
            let number = frame.count(read.count.n);
            let key = if read.count.more {
                "evidence.count_more"
            } else {
                "evidence.count"
            };
            page.told = frame.fill(key, &[("n", &number)]);
            if let Some(back) = read.looked_back_to {
                let event = frame.count(back.0);
                page.looked_back = frame.fill("evidence.looked_back", &[("event", &event)]);
            }
            page.older = read.next.map(|next| tab.older(&page.query, next));
        }
    }
    Ok(page)
}

/// Answers `POST /evidence/checkpoint`.
pub(in crate::web) async fn sign(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let signed = web.work(&visitor, |desk| Ok(desk.archive.checkpoint()));
    Ok(match signed.await? {
        Ok(_) => go_to("/evidence".to_owned()),
        Err(error) => refused(&error),
    })
}

/// Returns what a checkpoint in the list is called when no key of the log signed it.
fn key_words(item: &CheckpointItem, frame: &Frame) -> (String, bool) {
    match &item.vkey {
        Some(vkey) => (vkey.clone(), true),
        None => (frame.say("evidence.not_by_key").to_owned(), false),
    }
}
