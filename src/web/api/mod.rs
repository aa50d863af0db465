//! The HTTP API, and the OpenAPI document made from it.

pub(in crate::web) mod answers;
mod archiving;
mod entry;
pub(in crate::web) mod failures;
mod finding;
mod holds;
mod job_acts;
pub(in crate::web) mod job_plans;
pub(in crate::web) mod jobs;
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
        .merge(jobs())
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

/// Returns the routes of reprocess jobs, of what fails, and of what is current.
fn jobs() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(jobs::jobs))
        .routes(routes!(jobs::jobs_csv))
        .routes(routes!(jobs::job))
        .routes(routes!(jobs::changes))
        .routes(routes!(jobs::entries))
        .routes(routes!(jobs::entries_csv))
        .routes(routes!(job_acts::pause))
        .routes(routes!(job_acts::cancel))
        .routes(routes!(job_acts::resume))
        .routes(routes!(job_acts::retry_failed))
        .routes(routes!(job_plans::plan))
        .routes(routes!(job_plans::made_plan))
        .routes(routes!(job_plans::start))
        .routes(routes!(job_plans::start_preview))
        .routes(routes!(job_plans::preview))
        .routes(routes!(job_plans::cancel_preview))
        .routes(routes!(failures::failures))
        .routes(routes!(failures::failures_csv))
        .routes(routes!(failures::promotions))
        .routes(routes!(failures::promotion))
}
