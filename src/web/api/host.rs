//! `/api/v1/host`: how the host is, as `annals host status --json` tells it.

use axum::extract::State;
use axum::http::StatusCode;

use super::answers::Answer;
use crate::ErrorKind;
use crate::service::status::StatusObject;
use crate::service::words::path_text;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// Returns what the host says about itself: queues, folders, workers, outbox, disk, and in
/// `reasons` why it is not well.
#[utoipa::path(
    get,
    path = "/api/v1/host",
    responses(
        (status = 200, description = "The status, as `annals host status --json` shows it", body = StatusObject<'static>),
        (status = 404, description = "No host runs here", body = Problem)
    )
)]
pub(super) async fn host(State(web): State<Web>, visitor: Visitor) -> Result<Answer, Problem> {
    let Some(status) = web.owner_status().await else {
        let said = "no host runs here";
        let problem = Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, said);
        return Err(problem.hint(
            "start one with `annals host run FILE`; /api/v1/stats has the \
                                 figures of the store",
        ));
    };
    let answer = web.work(&visitor, move |desk| {
        let store = path_text(desk.archive.dir());
        Answer::object(&StatusObject::new(store, Some(&status)))
    });
    answer.await
}
