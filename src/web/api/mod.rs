//! The HTTP API, and the OpenAPI document made from it.

pub(in crate::web) mod answers;
mod archiving;
mod config;
mod document;
mod entry;
pub(in crate::web) mod evidence;
pub(in crate::web) mod exports;
pub(in crate::web) mod failures;
mod finding;
pub(in crate::web) mod holds;
mod host;
mod job_acts;
pub(in crate::web) mod job_plans;
pub(in crate::web) mod jobs;
mod lists;
mod notes;
mod purges;
pub(in crate::web) mod retention;
mod selections;
mod stats;
mod views;

pub(in crate::web) use document::document;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::web::state::Web;

/// What the OpenAPI document says about the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "annals",
        description = "Every test-data file and every fact about it: found, compared, reprocessed, proven."
    ),
    components(schemas(crate::web::stream::TypeName))
)]
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
        .routes(routes!(holds::review))
        .routes(routes!(crate::web::stream::events))
        .routes(routes!(crate::web::stream::stream))
        .merge(lists())
        .merge(selections())
        .merge(jobs())
        .merge(figures())
        .merge(configuration())
        .merge(retention())
        .merge(evidence())
}

/// Returns the routes of retention: plans of purges, what-if, purges, locks.
fn retention() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(retention::plan))
        .routes(routes!(retention::made_plan))
        .routes(routes!(retention::items))
        .routes(routes!(retention::items_csv))
        .routes(routes!(retention::apply))
        .routes(routes!(retention::what_if))
        .routes(routes!(retention::classes))
        .routes(routes!(retention::explain))
        .routes(routes!(retention::locks))
        .routes(routes!(purges::list))
        .routes(routes!(purges::pending))
        .routes(routes!(purges::undo))
        .routes(routes!(purges::finalize))
        .routes(routes!(purges::certificate))
}

/// Returns the routes of what can be proven, and of who looked.
fn evidence() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(evidence::checkpoint))
        .routes(routes!(evidence::checkpoints, evidence::sign))
        .routes(routes!(evidence::checkpoints_csv))
        .routes(routes!(evidence::exports))
        .routes(routes!(evidence::exports_csv))
        .routes(routes!(evidence::reviews, evidence::review))
        .routes(routes!(evidence::reviews_csv))
        .routes(routes!(evidence::accesses))
        .routes(routes!(evidence::accesses_csv))
        .routes(routes!(exports::plan))
        .routes(routes!(exports::show))
        .routes(routes!(exports::start))
        .routes(routes!(exports::cancel))
        .routes(routes!(exports::bundle))
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

/// Returns the routes of figures: of the store, and of the host.
fn figures() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(stats::stats))
        .routes(routes!(stats::stats_csv))
        .routes(routes!(host::host))
}

/// Returns the routes of the configuration.
fn configuration() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(config::show, config::change))
        .routes(routes!(config::keys))
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
