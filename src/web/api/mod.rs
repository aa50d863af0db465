//! The HTTP API, and the OpenAPI document made from it.

mod entries;

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
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(entries::entry))
}
