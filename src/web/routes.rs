//! All routes: pages, the API, assets.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use tower_http::catch_panic::CatchPanicLayer;

use crate::ErrorKind;
use crate::host::{METRICS_CONTENT_TYPE, metrics_text};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::{api, assets, pages, rejected};

/// Most bytes of a body, where a route does not say otherwise. Routes that take files stream them.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Returns the routes. The guard stands before all of them.
pub(in crate::web) fn routes(web: Web) -> Router {
    let (api, described) = api::routes().split_for_parts();
    let document = api::document(&described);
    Router::new()
        .route("/", get(pages::find))
        .route("/entries/{id}", get(pages::entry))
        .route("/entries/{id}/hold", post(pages::hold))
        .route("/entries/{id}/note", post(pages::note))
        .route("/entries/{id}/release", post(pages::release))
        .route("/entries/{id}/summary", get(pages::summary))
        .route("/entries", get(pages::entries::entries))
        .route("/entries/count", get(pages::entries::counted))
        .route("/entries/news", get(pages::entries::news))
        .route("/entries/selection", post(pages::entries::choose))
        .route(
            "/entries/selection/{selection}/forget",
            post(pages::entries::forget),
        )
        .route(
            "/entries/selection/{selection}/hold",
            post(pages::entries::hold),
        )
        .route(
            "/entries/selection/{selection}/note",
            post(pages::entries::note),
        )
        .route("/entries/views", post(pages::entries::save_view))
        .route("/entries/views/drop", post(pages::entries::drop_view))
        .route("/failures", get(pages::failures))
        .route("/failures/waive", post(pages::waive))
        .route("/step", get(pages::step::show))
        .route("/step/identity", get(pages::step::identity))
        .route("/step/run", post(pages::step::run))
        .merge(jobs())
        .merge(host())
        .merge(converters())
        .merge(retention())
        .merge(evidence())
        .route("/assets/{version}/{name}", get(assets::asset))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || Json(document)))
        .merge(api)
        .fallback(missing)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(|_| {
            Problem::panicked().into_response()
        }))
        .layer(from_fn(rejected::as_problem))
        .layer(from_fn_with_state(web.clone(), pages::explain))
        .layer(from_fn(assets::pack_page))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(web)
}

/// Returns the page about whether all is well.
fn host() -> Router<Web> {
    Router::new().route("/host", get(pages::host::show))
}

/// Returns the pages about jobs.
fn jobs() -> Router<Web> {
    Router::new()
        .route("/jobs", get(pages::jobs::list))
        .route("/jobs/new", get(pages::jobs::new))
        .route("/jobs/new/start", post(pages::jobs::start))
        .route("/jobs/previews", post(pages::jobs::run_preview))
        .route("/jobs/previews/{id}", get(pages::jobs::preview))
        .route(
            "/jobs/previews/{id}/cancel",
            post(pages::jobs::cancel_preview),
        )
        .route("/jobs/{id}", get(pages::jobs::show))
        .route("/jobs/{id}/{act}", post(pages::jobs::act))
}

/// Returns the pages about converters, and those of settings.
fn converters() -> Router<Web> {
    use pages::converters::{
        change, change_settings, first_settings, list, promote, settings, show,
    };
    Router::new()
        .route("/converters", get(list))
        .route("/converters/{name}", get(show).post(change))
        .route("/converters/{name}/promote", post(promote))
        .route("/settings", get(first_settings))
        .route("/settings/{section}", get(settings).post(change_settings))
}

/// Returns the pages about retention and holds.
fn retention() -> Router<Web> {
    Router::new()
        .route("/retention", get(pages::retention::rules))
        .route("/retention/plans", post(pages::retention::make))
        .route("/retention/plans/{plan_id}", get(pages::retention::plan))
        .route(
            "/retention/plans/{plan_id}/apply",
            post(pages::retention::apply),
        )
        .route("/retention/what-if", post(pages::retention::what_if))
        .route("/retention/purges", get(pages::retention::purges))
        .route("/retention/pending", get(pages::retention::pending))
        .route(
            "/retention/purges/{plan_id}/undo",
            post(pages::retention::undo),
        )
        .route(
            "/retention/purges/{plan_id}/finalize",
            post(pages::retention::finalize),
        )
        .route(
            "/retention/purges/{plan_id}/certificate",
            post(pages::retention::certificate),
        )
        .route("/holds", get(pages::holds::holds).post(pages::holds::place))
        .route("/holds/matches", get(pages::holds::matches))
        .route("/holds/release", post(pages::holds::release))
        .route("/holds/review", post(pages::holds::review))
}

/// Returns the pages about evidence.
fn evidence() -> Router<Web> {
    use pages::evidence as page;
    Router::new()
        .route("/evidence", get(page::first))
        .route("/evidence/checkpoint", post(page::sign))
        .route(
            "/evidence/export",
            get(page::ask_export).post(page::plan_export),
        )
        .route("/evidence/exports/{id}", get(page::show_export))
        .route("/evidence/exports/{id}/{act}", post(page::act))
        .route(
            "/evidence/review",
            get(page::ask_review).post(page::record_review),
        )
        .route("/evidence/{list}", get(page::list))
}

/// Answers what there is no route for.
async fn missing(uri: Uri) -> Problem {
    let said = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, &said)
        .hint("/ is the first page; /openapi.json describes the API")
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let said = format!("{method} is not for {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Invalid, &said)
        .hint("/openapi.json describes the API")
}

/// Answers `/healthz`, for whoever asks.
async fn health(State(web): State<Web>) -> Response {
    let (state, reasons) = match web.host_status().await {
        Some(status) => (Some(status.state), status.reasons),
        None => (None, web.store_trouble().await.into_iter().collect()),
    };
    let (code, word) = if reasons.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unwell")
    };
    let mut health = serde_json::json!({ "status": word, "reasons": reasons });
    if let Some(state) = state {
        health["state"] = serde_json::json!(state);
    }
    (code, Json(health)).into_response()
}

/// Answers `/metrics`, for Prometheus with the token.
async fn metrics(State(web): State<Web>) -> Result<Response, Problem> {
    let Some(status) = web.host_status().await else {
        let said = "metrics are those of a host, and none runs here";
        return Err(
            Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, said)
                .hint("annals host run, with listen in [host] of its configuration"),
        );
    };
    let text = metrics_text(&status);
    Ok(([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response())
}
