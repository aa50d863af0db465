//! Whether all is well, and what is not.

use super::figures::Figures;
use crate::host::HostStatus;

/// What speaks against all being well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why work cannot be done, in words; those of `annals host status` and `/healthz`.
    pub reasons: Vec<String>,
    /// What somebody should look at although work goes on.
    pub remarks: Vec<Remark>,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Entries whose last attempt failed.
    Failed(u64),
    /// Entries with a suspicious last result.
    Suspicious(u64),
    /// Files that stay in their folders because of a problem.
    Stuck(u64),
    /// A server does not take reports: its address, and why.
    Endpoint(String, String),
    /// A new identity of this converter waits to be promoted.
    Promotion(String),
    /// A purge of so many entries waits for a person.
    PurgeWaits(u64),
    /// The rules could not be applied.
    Retention(String),
    /// Holds that should have been looked at.
    HoldsOverdue(u64),
    /// A changed configuration was refused.
    Configuration(String),
}

impl Health {
    /// Judges a store by its figures, and its host if one runs.
    ///
    /// Nothing that is shown as bad elsewhere may be missing here: a headline that says well above
    /// a list of failures is worse than none.
    pub fn of(figures: &Figures, host: Option<&HostStatus>) -> Self {
        let mut health = Self {
            reasons: figures.trouble.iter().cloned().collect(),
            remarks: Vec::new(),
        };
        if let Some(host) = host {
            // A host tells of its stores by itself.
            health.reasons.clone_from(&host.reasons);
            if let Some(trouble) = &figures.trouble
                && !host.reasons.iter().any(|reason| reason.contains(trouble))
            {
                health.reasons.push(trouble.clone());
            }
            health.look_at(host);
        }
        health.note(Remark::Failed, figures.failed());
        health.note(Remark::Suspicious, figures.doubts.suspicious);
        health.note(Remark::HoldsOverdue, figures.held.overdue);
        health
    }

    fn note(&mut self, remark: impl Fn(u64) -> Remark, number: u64) {
        if number > 0 {
            self.remarks.push(remark(number));
        }
    }

    fn look_at(&mut self, host: &HostStatus) {
        self.note(Remark::Stuck, host.stuck.count);
        for trouble in &host.submissions.troubles {
            let (path, error) = (trouble.path.clone(), trouble.error.clone());
            self.remarks.push(Remark::Endpoint(path, error));
        }
        for converter in &host.converters {
            let waits = |status: &crate::host::PromotionStatus| status.candidate.is_some();
            if converter.promotion.as_ref().is_some_and(waits) {
                self.remarks.push(Remark::Promotion(converter.name.clone()));
            }
        }
        let waiting = host.retention.waiting.iter();
        self.note(Remark::PurgeWaits, waiting.map(|purge| purge.entries).sum());
        let error = host.retention.error.clone();
        self.remarks.extend(error.map(Remark::Retention));
        let refused = host.configuration.refused.clone();
        self.remarks.extend(refused.map(Remark::Configuration));
    }

    /// Returns true when nothing speaks against it.
    pub fn is_well(&self) -> bool {
        self.reasons.is_empty() && self.remarks.is_empty()
    }
}
