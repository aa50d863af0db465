//! All routes: pages, the API, assets.

use axum::routing::get;
use axum::{Json, Router};

use crate::web::state::Web;
use crate::web::{api, assets, pages};

/// Returns the routes. The guard stands before all of them.
pub(in crate::web) fn routes(web: Web) -> Router {
    let (api, document) = api::routes().split_for_parts();
    Router::new()
        .route("/", get(pages::find))
        .route("/assets/{version}/{name}", get(assets::asset))
        .route("/openapi.json", get(async || Json(document)))
        .merge(api)
        .with_state(web)
}
