//! Which entries a job or a step is for: named, filtered, frozen before, or those of an older job
//! with one verdict.

use std::time::Duration;

use crate::convert::Selection;
use crate::id::{EntryId, JobId};
use crate::service::desk::Desk;
use crate::service::entries::{Filters, Selected};
use crate::service::jobs::{Digests, VerdictWord};
use crate::service::reprocess::{named, selection};
use crate::web::selections::Selections;
use crate::{Error, ErrorKind, Result};

/// How long the verdicts of an older job are waited for.
const VERDICTS_WITHIN: Duration = Duration::from_secs(20);

/// Which entries, as an address or a request says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::web) struct Chosen {
    /// Entries by id.
    pub(in crate::web) ids: Vec<EntryId>,
    /// The name of a selection that the server keeps.
    pub(in crate::web) frozen: Option<String>,
    /// Filters, as keys with values.
    pub(in crate::web) filters: Vec<(String, String)>,
    /// A job, and what became of its entries.
    pub(in crate::web) judged: Option<(JobId, VerdictWord)>,
}

impl Chosen {
    /// Takes what concerns the choice from the pairs of an address, and returns the others.
    ///
    /// # Errors
    /// `Invalid` for a value that cannot be read.
    pub(in crate::web) fn take(
        pairs: Vec<(String, String)>,
    ) -> Result<(Self, Vec<(String, String)>)> {
        let (mut chosen, mut others) = (Self::default(), Vec::new());
        let (mut judged_job, mut verdict) = (None, None);
        for (key, value) in pairs {
            if value.is_empty() {
                continue;
            }
            match key.as_str() {
                "id" => {
                    for id in value.split([',', ' ']).filter(|id| !id.is_empty()) {
                        chosen.ids.push(read(&key, id)?);
                    }
                }
                "selection" => chosen.frozen = Some(value),
                "of" => judged_job = Some(read(&key, &value)?),
                "verdict" => verdict = Some(value.parse()?),
                filter if Filters::KEYS.iter().any(|known| known.name == filter) => {
                    chosen.filters.push((key, value));
                }
                _ => others.push((key, value)),
            }
        }
        chosen.judged = match (judged_job, verdict) {
            (Some(job), Some(verdict)) => Some((job, verdict)),
            (None, None) => None,
            _ => {
                let told = "'of' names a job and 'verdict' which of its entries; give both";
                return Err(Error::new(ErrorKind::Invalid, told));
            }
        };
        chosen.refuse_mixed()?;
        Ok((chosen, others))
    }

    /// Refuses several ways of choosing at once: it would not be clear what a batch works on.
    ///
    /// # Errors
    /// `Invalid` when more than one is given.
    pub(in crate::web) fn refuse_mixed(&self) -> Result<()> {
        let given = [
            !self.ids.is_empty(),
            self.frozen.is_some(),
            !self.filters.is_empty(),
            self.judged.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let told = "entries are chosen in several ways at once";
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("give ids, a selection, filters, or a job with a verdict"));
        }
        Ok(())
    }

    /// Returns true when nothing says which entries are meant.
    pub(in crate::web) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the filters in words.
    pub(in crate::web) fn filters(&self) -> Result<Filters> {
        Filters::from_pairs(self.filters.iter().map(|(key, value)| (key, value)))
    }

    /// Returns the pairs of an address that state the same.
    pub(in crate::web) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        if !self.ids.is_empty() {
            let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
            pairs.push(("id".into(), ids.join(",")));
        }
        pairs.extend(
            self.frozen
                .iter()
                .map(|name| ("selection".into(), name.clone())),
        );
        pairs.extend(self.filters.iter().cloned());
        if let Some((job, verdict)) = self.judged {
            pairs.push(("of".into(), job.to_string()));
            pairs.push(("verdict".into(), verdict.name().into()));
        }
        pairs
    }

    /// Returns the words of a command line that choose the same entries.
    pub(in crate::web) fn command(&self, verb: &str) -> String {
        if let Ok(filters) = self.filters()
            && !self.filters.is_empty()
        {
            return filters.command(verb);
        }
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        match (self.judged, ids.is_empty()) {
            (Some((job, _)), _) => format!("annals {verb} --job {job}"),
            (None, false) => format!("annals {verb} {}", ids.join(" ")),
            (None, true) => format!("annals {verb} ID..."),
        }
    }

    /// Returns the entries at this moment, in ascending order.
    ///
    /// # Errors
    /// `NotFound` when there are none, `Invalid` when nothing says which.
    pub(in crate::web) fn selection(
        &self,
        desk: &Desk,
        kept: &Selections,
        digests: &Digests,
    ) -> Result<Selection> {
        if let Some(name) = &self.frozen {
            let kept = kept.get(name)?;
            return named(kept.ids.clone());
        }
        if let Some((job, verdict)) = self.judged {
            let digest = digests.of(&desk.archive, job)?;
            digest.wait(VERDICTS_WITHIN);
            let entries = digest.entries(verdict)?.ok_or_else(|| {
                let told = format!("the reports of job {job} are still being compared");
                Error::new(ErrorKind::Refused, told).hint("ask again in a moment")
            })?;
            let ids: Vec<EntryId> = entries.iter().collect();
            if ids.is_empty() {
                let told = format!("no entry of job {job} is {}", verdict.name());
                return Err(Error::new(ErrorKind::NotFound, told));
            }
            return named(ids);
        }
        let filter = self.filters()?.to_filter(desk.now, &desk.zone)?;
        let selected = Selected::of(self.ids.clone(), filter)?.in_store(desk)?;
        selection(&desk.archive, selected, desk.config())
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|why| {
        Error::new(
            ErrorKind::Invalid,
            format!("'{value}' cannot be read as {key}: {why}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    /// A batch over "these ids" that also had a filter ran over either of them.
    #[test]
    fn ids_and_filters_at_once_are_refused() {
        let mixed = Chosen::take(pairs(&[("id", "7"), ("serial", "SN1")]));
        assert_eq!(mixed.expect_err("unclear").kind(), ErrorKind::Invalid);
        let alone = Chosen::take(pairs(&[("of", "12")]));
        assert_eq!(alone.expect_err("no verdict").kind(), ErrorKind::Invalid);
    }

    #[test]
    fn an_address_states_the_same_choice_again() {
        for given in [
            pairs(&[("id", "7,9")]),
            pairs(&[("selection", "abc")]),
            pairs(&[("status", "failed"), ("from", "yesterday")]),
            pairs(&[("of", "12"), ("verdict", "changed")]),
        ] {
            let (chosen, others) = Chosen::take(given.clone()).expect("clear");
            assert_eq!((chosen.pairs(), others), (given, Vec::new()));
        }
        let (chosen, others) = Chosen::take(pairs(&[("submit", "all")])).expect("clear");
        assert!(chosen.is_empty());
        assert_eq!(others, pairs(&[("submit", "all")]));
    }
}
