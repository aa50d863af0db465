//! The state of a job as lists show it.

use crate::archive::{Job, JobState};
use crate::cli::render::{Cell, Style};

/// Returns the state in a word; of a running job also how much is done.
pub(super) fn state_cell(job: &Job) -> Cell {
    let (word, style) = match job.state() {
        JobState::Running => ("running", Style::Good),
        JobState::Finished => ("finished", Style::Good),
        JobState::Paused => ("paused", Style::Warn),
        JobState::Interrupted => ("interrupted", Style::Warn),
        JobState::Cancelled => ("cancelled", Style::Warn),
    };
    let percent = job.progress.map(|progress| {
        let part = progress.done.saturating_mul(100) / progress.total.max(1);
        format!("{word} {part}%")
    });
    Cell::new(percent.unwrap_or_else(|| word.to_owned())).style(style)
}
