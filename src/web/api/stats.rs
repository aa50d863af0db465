//! `/api/v1/stats`: how much is archived, as `annals stats --json` tells it.

use axum::extract::State;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::answers::Answer;
use crate::archive::Group;
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::service::entries::Filters;
use crate::service::objects::{By, Doubts, StatsObject};
use crate::service::time::Zone;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    by: Option<By>,
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    utc: bool,
}

impl Asked {
    /// Returns the desk in the zone that is asked for.
    fn desk(&self, mut desk: Desk) -> Desk {
        if self.utc {
            desk.zone = Zone::Utc;
            desk.now = desk.zone.exact(desk.now);
        }
        desk
    }

    /// Returns which entries are broken down.
    fn filter(&self, desk: &Desk) -> Result<Filter> {
        let dates = [("from", &self.from), ("to", &self.to)];
        let stated = dates
            .iter()
            .filter_map(|(key, date)| Some((*key, date.as_deref()?)));
        let stated: Vec<(&str, &str)> = stated.collect();
        if self.by.is_none() && !stated.is_empty() {
            let said = "from and to narrow a breakdown, and none is asked for";
            return Err(Error::new(ErrorKind::Invalid, said)
                .hint("add by=day; totals are always those of the whole store"));
        }
        let stated = Filters::from_pairs(stated)?;
        stated.period.to_filter(desk.now, &desk.zone)
    }
}

/// Returns how much there is: totals of the whole store, and at most one breakdown, which `from`
/// and `to` narrow.
#[utoipa::path(
    get,
    path = "/api/v1/stats",
    params(
        ("by" = Option<By>, Query, description = "What it is broken down by"),
        ("from" = Option<String>, Query, description = "Broken down: archived at or after, such as yesterday"),
        ("to" = Option<String>, Query, description = "Broken down: archived before"),
        ("utc" = Option<bool>, Query, description = "Days and hours of UTC, not of the reader's zone")
    ),
    responses(
        (status = 200, description = "The totals, as `annals stats --json` shows them", body = StatsObject<'static>),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn stats(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = asked.desk(desk.service());
        let filter = asked.filter(&desk)?;
        let snapshot = desk.archive.snapshot()?;
        let stats = snapshot.stats()?;
        let groups = asked
            .by
            .map(|by| by.groups(&stats, &snapshot, &filter, &desk.zone));
        let groups = groups.transpose()?.unwrap_or_default();
        let doubts = Doubts::of(&desk, &snapshot)?;
        let broken_down = asked.by.map(|by| (by, &*groups));
        Answer::object(&StatsObject::new(&stats, &doubts, broken_down, &desk.zone))
    });
    answer.await
}

/// Returns a breakdown as CSV, by converter unless `by` says otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/stats.csv",
    params(
        ("by" = Option<By>, Query, description = "What it is broken down by; the converter if left out"),
        ("from" = Option<String>, Query, description = "Archived at or after, such as yesterday"),
        ("to" = Option<String>, Query, description = "Archived before"),
        ("utc" = Option<bool>, Query, description = "Days and hours of UTC, not of the reader's zone")
    ),
    responses(
        (status = 200, description = "A row for each group", content_type = "text/csv", body = String),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn stats_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(mut asked): Query<Asked>,
) -> Result<Answer, Problem> {
    let by = *asked.by.get_or_insert(By::Converter);
    let answer = web.work(&visitor, move |desk| {
        let desk = asked.desk(desk.service());
        let filter = asked.filter(&desk)?;
        let snapshot = desk.archive.snapshot()?;
        let groups = by.groups(&snapshot.stats()?, &snapshot, &filter, &desk.zone)?;
        let columns = [
            "name",
            "entries",
            "sources_bytes",
            "success",
            "failed",
            "pending",
            "other",
        ];
        let row = |group: &Group| {
            let numbers = [
                group.entries,
                group.sources_bytes,
                group.success,
                group.failed,
                group.pending,
                group.other,
            ];
            let numbers = numbers.iter().map(u64::to_string);
            [group.name.clone()].into_iter().chain(numbers).collect()
        };
        let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
        Ok(Answer::csv(&columns, &rows))
    });
    answer.await
}
