//! Applies retention in the background: purges entries by the converters' rules, also while the
//! disk is full.

use std::time::{Duration, Instant};

use crossbeam_channel::select_biased;

use crate::archive::Archive;
use crate::convert::Cancel;
use crate::host::config::settings::{Config, ConverterConfig};
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;
use crate::retention::{AsOf, GovernanceLocks, Policy, Unconverted, Unsubmitted};
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

use super::retention_care::{Looked, StoreAtStart};

/// The delay before the first purge.
///
/// A host that has just started has more urgent work, and a person who notices a mistake in the
/// configuration has time to stop it.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// Maximum number of plans when holds or purges make earlier ones stale.
const PLANS_MAX: u32 = 3;
/// Stands for the converter where classes take entries of several ones.
pub(super) const BY_CLASS: &str = "all converters";

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
            unconverted: Unconverted::Take,
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
        let mut looked = Looked::default();
        self.end_grace_periods(hooks);
        let mut trouble = self.apply_classes(&active.config, &mut looked, hooks);
        for config in &active.config.converters {
            if !config.archive.archives() {
                continue;
            }
            let Some(archive) = self.archives.of(config) else {
                continue;
            };
            let purged = self.purge_by_rules(archive, &active.config, config, &mut looked, hooks);
            let purged = purged.and_then(|()| looked.look_at_limits(archive, config));
            if let Err(error) = purged {
                let converter = &config.converter.name;
                (hooks.notice)(&Notice::PurgeFailed {
                    converter,
                    error: &error,
                });
                trouble = Some(format!("{converter}: {error}"));
            }
        }
        let now = SystemClock.now();
        for archive in self.archives.iter() {
            if let Err(error) = looked.look(archive, now) {
                trouble.get_or_insert_with(|| error.to_string());
            }
        }
        if !looked.status.holds.is_empty() {
            (hooks.notice)(&Notice::HoldsNeedLook {
                what: &looked.status.holds,
            });
        }
        self.counters.retention_looked(looked.status);
        self.counters.retention_applied(trouble);
    }

    /// Makes purges final whose grace period is over. What fails is tried again the next time.
    fn end_grace_periods(&self, hooks: &Hooks) {
        for archive in self.archives.iter() {
            let ended = archive.finalize_due();
            let (entries, freed) = match ended {
                Ok((0, _)) => continue,
                Ok(ended) => ended,
                Err(error) => (0, Err(error)),
            };
            match freed {
                Ok(freed) => {
                    self.counters.finalized(freed.bytes_freed);
                    (hooks.notice)(&Notice::PurgesFinal {
                        entries,
                        bytes_freed: freed.bytes_freed,
                    });
                }
                Err(error) => (hooks.notice)(&Notice::Trouble {
                    path: archive.dir(),
                    error: &error,
                }),
            }
        }
    }

    /// Purges once what the classes allow, in each store. Returns what went wrong.
    fn apply_classes(&self, config: &Config, looked: &mut Looked, hooks: &Hooks) -> Option<String> {
        let policy = config.retention_classes()?;
        let mut trouble = None;
        for archive in self.archives.iter() {
            let purged = self.purge_by_or_timeless(archive, BY_CLASS, &policy, looked, hooks);
            if let Err(error) = purged {
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
        looked: &mut Looked,
        hooks: &Hooks,
    ) -> Result<()> {
        let rules = config.retention_policy(converter);
        self.purge_by_or_timeless(archive, &converter.converter.name, &rules, looked, hooks)
    }

    fn purge_by_or_timeless(
        &self,
        archive: &Archive,
        converter: &str,
        rules: &Policy,
        looked: &mut Looked,
        hooks: &Hooks,
    ) -> Result<()> {
        let purged = self.purge_by(archive, converter, rules, looked, hooks);
        let doubtful = |error: &Error| error.kind() == ErrorKind::Refused;
        // When the clock is not trusted, no entry is known to be old. Limits on size, number and
        // free disk still apply.
        if purged.as_ref().is_err_and(doubtful)
            && let Some(timeless) = rules.timeless()
        {
            self.purge_by(archive, converter, &timeless, looked, hooks)?;
        }
        purged
    }

    fn purge_by(
        &self,
        archive: &Archive,
        converter: &str,
        rules: &Policy,
        looked: &mut Looked,
        hooks: &Hooks,
    ) -> Result<()> {
        let care = self.active().config.retention_care;
        // What this host has still to convert is not for its rules to take.
        let rules = rules.clone().unconverted(Unconverted::Keep);
        let mut plans = 0;
        loop {
            plans += 1;
            let plan = archive.plan_purge(&rules, AsOf::Clock)?;
            if plan.items.is_empty() {
                return Ok(());
            }
            let now = SystemClock.now();
            let at_start = StoreAtStart {
                newest_before: archive.newest_before_opening(),
                begun: *self.retention_begun.get_or_init(|| now),
                now,
            };
            let impact = archive.impact(&plan)?;
            if let Some(waiting) = care.waits(&plan, &impact, at_start, converter) {
                (hooks.notice)(&Notice::PurgeWaits {
                    converter,
                    waiting: &waiting,
                });
                looked.status.waiting.push(waiting);
                return Ok(());
            }
            let reason = match converter {
                BY_CLASS => "retention by class".to_owned(),
                _ => format!("retention of converter '{converter}': {}", plan.reason),
            };
            match archive.purge_with_grace(&plan, &reason, care.grace) {
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
