//! Reviews of a range of the log: its ends as people write them, and the answer.

use serde::Serialize;

use crate::Result;
use crate::archive::{ReviewEdge, ReviewPlan};
use crate::id::EventSeq;
use crate::service::desk::Desk;

/// What happened in a range, and whether a review of it was recorded, as `annals review --json`
/// prints it.
#[derive(Debug, Serialize)]
pub struct ReviewAnswer<'a> {
    /// What happened.
    #[serde(flatten)]
    pub plan: &'a ReviewPlan,
    /// What the reviewer found.
    pub verdict: Option<&'a str>,
    /// The event that records the review.
    pub recorded: Option<EventSeq>,
}

/// Reads an end of a range: an event number, or a date.
///
/// # Errors
/// `Invalid` for what is neither.
pub fn edge(text: &str, desk: &Desk) -> Result<ReviewEdge> {
    match text.parse() {
        Ok(seq) => Ok(ReviewEdge::Event(seq)),
        Err(_) => desk.when(text).map(ReviewEdge::Time),
    }
}
