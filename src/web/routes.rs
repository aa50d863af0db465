//! All routes: pages, the API, assets.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use tower_http::catch_panic::CatchPanicLayer;

use crate::ErrorKind;
use crate::host::{METRICS_CONTENT_TYPE, metrics_text};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::{api, assets, pages};

/// Most bytes of a body, where a route does not say otherwise. Routes that take files stream them.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Returns the routes. The guard stands before all of them.
pub(in crate::web) fn routes(web: Web) -> Router {
    let (api, document) = api::routes().split_for_parts();
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
        .layer(axum::middleware::from_fn(assets::pack_page))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(web)
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
