//! Applies retention in the background: purges entries by the converters' rules, also while the
//! disk is full.

use std::time::{Duration, Instant};

use crossbeam_channel::select_biased;

use crate::archive::Archive;
use crate::convert::Cancel;
use crate::host::config::settings::{Config, ConverterConfig};
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;
use crate::retention::{AsOf, GovernanceLocks, Policy, Unsubmitted};
use crate::{Error, ErrorKind, Result};

/// The delay before the first purge.
///
/// A host that has just started has more urgent work, and a person who notices a mistake in the
/// configuration has time to stop it.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// Maximum number of plans when holds or purges make earlier ones stale.
const PLANS_MAX: u32 = 3;
/// Stands for the converter where classes take entries of several ones.
const BY_CLASS: &str = "all converters";

impl ConverterConfig {
    /// Returns the rules by which a host purges entries of this converter.
    pub fn retention_policy(&self) -> Policy {
        Policy {
            converter: Some(self.converter.name.clone()),
            older_than_micros: None,
            expired: true,
            max_size: self.archive.max_size,
            max_count: self.archive.max_count,
            unsubmitted: Unsubmitted::Keep,
            classes: Vec::new(),
            governance_locks: GovernanceLocks::Obey,
        }
    }
}

impl Config {
    /// Returns the rules by which a host purges entries of one of its converters: the classes, and
    /// the keys of the converter for what no class matches.
    pub fn retention_policy(&self, converter: &ConverterConfig) -> Policy {
        let last = converter.retention_policy();
        last.classes(self.retention.clone())
    }

    /// Returns the classes alone, over all converters; `None` when they take nothing.
    pub fn retention_classes(&self) -> Option<Policy> {
        let policy = Policy::default().classes(self.retention.clone());
        policy.rules().is_ok().then_some(policy)
    }
}

impl Host {
    /// Purges by the rules until cancelled: whenever it is due, and when a disk is nearly full.
    pub(super) fn retention_loop(&self, cancel: &Cancel, hooks: &Hooks) {
        let mut since = Instant::now();
        let mut first = true;
        loop {
            let active = self.active();
            let every = active.config.retention_every;
            let due = every.map(|every| if first { every.min(FIRST_AFTER) } else { every });
            // Without retention there is nothing to wait for but another configuration.
            let left = due.map_or(Duration::MAX, |due| due.saturating_sub(since.elapsed()));
            select_biased! {
                recv(cancel.cancelled()) -> _ => return,
                recv(active.replaced.cancelled()) -> _ => continue,
                recv(self.purge_asked.asked) -> _ => {}
                default(left) => {}
            }
            if every.is_some() {
                self.apply_retention(hooks);
                first = false;
                since = Instant::now();
            }
        }
    }

    /// Purges once what the rules of each converter allow.
    pub fn apply_retention(&self, hooks: &Hooks) {
        let active = self.active();
        let mut trouble = self.apply_classes(&active.config, hooks);
        for config in &active.config.converters {
            if !config.archive.archives() {
                continue;
            }
            let Some(archive) = self.archives.of(config) else {
                continue;
            };
            if let Err(error) = self.purge_by_rules(archive, &active.config, config, hooks) {
                let converter = &config.converter.name;
                (hooks.notice)(&Notice::PurgeFailed {
                    converter,
                    error: &error,
                });
                trouble = Some(format!("{converter}: {error}"));
            }
        }
        self.counters.retention_applied(trouble);
    }

    /// Purges once what the classes allow, in each store. Returns what went wrong.
    fn apply_classes(&self, config: &Config, hooks: &Hooks) -> Option<String> {
        let policy = config.retention_classes()?;
        let mut trouble = None;
        for archive in self.archives.iter() {
            if let Err(error) = self.purge_by_or_timeless(archive, BY_CLASS, &policy, hooks) {
                (hooks.notice)(&Notice::PurgeFailed {
                    converter: BY_CLASS,
                    error: &error,
                });
                trouble = Some(format!("{BY_CLASS}: {error}"));
            }
        }
        trouble
    }

    fn purge_by_rules(
        &self,
        archive: &Archive,
        config: &Config,
        converter: &ConverterConfig,
        hooks: &Hooks,
    ) -> Result<()> {
        let rules = config.retention_policy(converter);
        self.purge_by_or_timeless(archive, &converter.converter.name, &rules, hooks)
    }

    fn purge_by_or_timeless(
        &self,
        archive: &Archive,
        converter: &str,
        rules: &Policy,
        hooks: &Hooks,
    ) -> Result<()> {
        let purged = self.purge_by(archive, converter, rules, hooks);
        let doubtful = |error: &Error| error.kind() == ErrorKind::Refused;
        // When the clock is not trusted, no entry is known to be old. Limits on size, number and
        // free disk still apply.
        if purged.as_ref().is_err_and(doubtful)
            && let Some(timeless) = rules.timeless()
        {
            self.purge_by(archive, converter, &timeless, hooks)?;
        }
        purged
    }

    fn purge_by(
        &self,
        archive: &Archive,
        converter: &str,
        rules: &Policy,
        hooks: &Hooks,
    ) -> Result<()> {
        let mut plans = 0;
        loop {
            plans += 1;
            let plan = archive.plan_purge(rules, AsOf::Clock)?;
            if plan.items.is_empty() {
                return Ok(());
            }
            let reason = match converter {
                BY_CLASS => "retention by class".to_owned(),
                _ => format!("retention of converter '{converter}': {}", plan.reason),
            };
            match archive.purge(&plan, &reason) {
                Ok(outcome) => {
                    self.counters.purged(converter, &outcome);
                    (hooks.notice)(&Notice::Purged {
                        converter,
                        outcome: &outcome,
                        held: plan.held_skipped,
                        waiting: plan.waiting_skipped,
                    });
                    // The entries are purged and counted; that their bytes could not be freed is an
                    // error too.
                    return outcome.reclaim.map(drop).map_err(|error| {
                        error
                            .adding("; the purge is on record, and 'annals compact' frees the rest")
                    });
                }
                Err(error) if error.kind() == ErrorKind::Refused && plans < PLANS_MAX => {}
                Err(error) => return Err(error),
            }
        }
    }
}
