//! Saved views: filters, order and columns that all who use the store share.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::fragment::refusal;
use super::super::frame::{Frame, Place, page};
use crate::Result;
use crate::archive::{Archive, Snapshot};
use crate::web::address::Address;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// The saved views, and what saving one now would keep.
pub(super) struct Views {
    pub(super) saved: Vec<Saved>,
    /// What is shown, as the query of an address.
    pub(super) query: String,
    /// The view that is shown, if it is one.
    pub(super) shown: Option<String>,
}

/// A saved view.
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) href: String,
    /// Who saved it.
    pub(super) by: String,
    pub(super) is_shown: bool,
}

#[derive(Template)]
#[template(path = "entries/views.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    views: Views,
}

/// Returns the saved views.
pub(super) fn views(snapshot: &Snapshot, address: &Address) -> Result<Views> {
    let query = Address {
        after: None,
        limit: None,
        ..address.clone()
    };
    let query = query.query();
    let saved: Vec<Saved> = snapshot
        .views()?
        .into_iter()
        .map(|view| Saved {
            is_shown: is_same(&view.query, &query),
            href: match view.query.as_str() {
                "" => "/entries".to_owned(),
                query => format!("/entries?{query}"),
            },
            name: view.name,
            by: view.by,
        })
        .collect();
    let shown = saved.iter().find(|view| view.is_shown);
    Ok(Views {
        shown: shown.map(|view| view.name.clone()),
        saved,
        query,
    })
}

/// Returns true when two queries show the same, however their keys are ordered.
fn is_same(one: &str, other: &str) -> bool {
    match (Address::read(one), Address::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// A view that is to be saved.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct NewView {
    name: String,
    #[serde(default)]
    query: String,
}

/// Answers `POST /entries/views`: saves what is shown under a name.
pub(in crate::web) async fn save_view(
    State(web): State<Web>,
    visitor: Visitor,
    Form(new): Form<NewView>,
) -> Response {
    changed(&web, &visitor, move |archive, query| {
        // A view that no list takes is not saved.
        let address = Address::read(&new.query)?;
        query.clone_from(&new.query);
        archive.save_view(new.name.trim(), &address.query())
    })
    .await
}

/// A view that is to be dropped.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct OldView {
    name: String,
    #[serde(default)]
    query: String,
}

/// Answers `POST /entries/views/drop`.
pub(in crate::web) async fn drop_view(
    State(web): State<Web>,
    visitor: Visitor,
    Form(old): Form<OldView>,
) -> Response {
    changed(&web, &visitor, move |archive, query| {
        query.clone_from(&old.query);
        archive.drop_view(&old.name)
    })
    .await
}

async fn changed(
    web: &Web,
    visitor: &Visitor,
    change: impl FnOnce(&Archive, &mut String) -> Result<()> + Send + 'static,
) -> Response {
    let frame = Frame::new(Place::Entries, visitor);
    let changed = web.work(visitor, move |desk| {
        let mut query = String::new();
        change(&desk.archive, &mut query)?;
        let address = Address::read(&query).unwrap_or_default();
        let views = views(&desk.archive.snapshot()?, &address)?;
        Ok(page(&Part { frame, views }))
    });
    changed
        .await
        .unwrap_or_else(|problem: Problem| refusal(&problem))
}
