//! The HTTP API, and the OpenAPI document made from it.

mod archiving;
mod entry;
mod finding;
mod holds;
mod lists;
mod notes;
mod selections;
mod views;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::web::state::Web;

/// What the OpenAPI document says about the API as a whole.
#[derive(OpenApi)]
#[openapi(info(
    title = "annals",
    description = "Every test-data file and every fact about it: found, compared, reprocessed, proven."
))]
struct Document;

/// Returns the routes below `/api/v1` together with their description.
pub(in crate::web) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(entry::entry))
        .routes(routes!(entry::source))
        .routes(routes!(entry::report))
        .routes(routes!(entry::report_nth))
        .routes(routes!(entry::diff))
        .routes(routes!(entry::events))
        .routes(routes!(entry::why))
        .routes(routes!(entry::proof))
        .routes(routes!(entry::certificate))
        .routes(routes!(holds::list, holds::place))
        .routes(routes!(holds::release))
        .routes(routes!(crate::web::stream::events))
        .routes(routes!(crate::web::stream::stream))
        .merge(lists())
        .merge(selections())
}

/// Returns the routes of lists: finding, filters, saved views, and what a list is of.
fn lists() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(lists::entries, archiving::archive))
        .routes(routes!(lists::entries_csv))
        .routes(routes!(finding::find))
        .routes(routes!(notes::note))
        .routes(routes!(views::list))
        .routes(routes!(views::save, views::drop_view))
}

/// Returns the routes of frozen selections.
fn selections() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(selections::create))
        .routes(routes!(selections::show))
        .routes(routes!(selections::note))
        .routes(routes!(selections::hold))
        .routes(routes!(selections::csv))
        .routes(routes!(selections::tar))
}
