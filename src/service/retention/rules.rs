//! The rules of one purge as a person or a program states them: the same words at each door.

use serde::{Deserialize, Serialize};

use super::configured::{configured_policies, plan_all};
use crate::archive::Archive;
use crate::host::Config;
use crate::query::Filter;
use crate::retention::{AsOf, GovernanceLocks, Policy, PurgePlan, Unconverted, Unsubmitted};
use crate::service::entries::refuse_unknown_converters;
use crate::service::time::{Zone, parse_age, parse_when};
use crate::service::words::{in_shell, parse_size};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The rules of one purge. At least one must be stated; an entry goes when any of them selects it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Only entries of this converter
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "NAME"))]
    pub converter: Option<String>,
    /// Entries archived longer ago, such as 90d or 1y
    #[cfg_attr(feature = "cli", arg(long, value_name = "AGE"))]
    pub older_than: Option<String>,
    /// Entries past the retention recorded with each of them
    #[cfg_attr(feature = "cli", arg(long))]
    pub expired: bool,
    /// The oldest, until the sources and reports left take at most this much on disk, such as 500GB
    #[cfg_attr(feature = "cli", arg(long, value_name = "SIZE"))]
    pub max_size: Option<String>,
    /// The oldest, until at most this many are left
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub max_count: Option<u64>,
    /// What the retention classes of the configuration let go
    #[cfg_attr(feature = "cli", arg(long))]
    pub classes: bool,
    /// What a host lets go by its configuration: the classes, and the keys of each converter
    #[cfg_attr(feature = "cli", arg(long))]
    pub configured: bool,
    /// Also entries whose reports wait to be submitted; they are never sent
    #[cfg_attr(feature = "cli", arg(long))]
    pub even_waiting: bool,
    /// Also entries that governance locks keep; which ones is recorded, and --reason is needed
    #[cfg_attr(feature = "cli", arg(long))]
    pub bypass_governance: bool,
    /// Apply the rules as of this time instead of now
    #[cfg_attr(feature = "cli", arg(long, value_name = "TIME"))]
    pub now: Option<String>,
}

/// What rules mean at one moment.
#[derive(Debug)]
pub struct Stated {
    /// The policies, which have no entry in common. That of a converter's keys has its name.
    pub policies: Vec<(Option<String>, Policy)>,
    /// The day for which they are evaluated.
    pub as_of: AsOf,
}

impl Rules {
    /// Returns what these rules mean.
    ///
    /// # Errors
    /// `Refused` without a rule, `Invalid` for a word that cannot be read, and what `config`
    /// returns for rules that stand in the configuration.
    pub fn stated(
        &self,
        now: Timestamp,
        zone: &Zone,
        config: impl FnOnce() -> Result<Config>,
    ) -> Result<Stated> {
        let as_of = match &self.now {
            Some(text) => AsOf::Vouched(parse_when(text, now, zone)?),
            None => AsOf::Clock,
        };
        let now = match as_of {
            AsOf::Vouched(day) => day,
            AsOf::Clock => now,
        };
        let older_than = self.older_than.as_deref();
        let max_size = self.max_size.as_deref();
        let mut policy = Policy {
            converter: self.converter.clone(),
            older_than_micros: older_than.map(|age| parse_age(age, now)).transpose()?,
            expired: self.expired,
            max_size: max_size.map(parse_size).transpose()?,
            max_count: self.max_count,
            unsubmitted: if self.even_waiting {
                Unsubmitted::Take
            } else {
                Unsubmitted::Keep
            },
            unconverted: Unconverted::Take,
            classes: Vec::new(),
            governance_locks: if self.bypass_governance {
                GovernanceLocks::Bypass
            } else {
                GovernanceLocks::Obey
            },
        };
        let states_rules = policy.has_other_rules();
        if self.configured {
            if states_rules || self.classes || self.converter.is_some() {
                let told = "the rules of the configuration are given, and others or a converter";
                return Err(Error::new(ErrorKind::Invalid, told)
                    .hint("give 'configured' alone, or the other rules"));
            }
            let mut policies = configured_policies(&config()?)?;
            for (_, one) in &mut policies {
                one.unsubmitted = policy.unsubmitted;
                one.governance_locks = policy.governance_locks;
            }
            return Ok(Stated { policies, as_of });
        }
        if self.classes {
            policy.classes = config()?.retention;
            if policy.classes.is_empty() {
                let said = "the configuration has no [[retention]] classes";
                return Err(
                    Error::new(ErrorKind::Refused, said).hint("docs/retention.md has examples")
                );
            }
        } else if !states_rules {
            return Err(Error::new(
                ErrorKind::Refused,
                "empty policy: there is no rule that lets anything go",
            )
            .hint("add --expired, --older-than, --max-size, --max-count or --classes"));
        }
        let policies = vec![(None, policy)];
        Ok(Stated { policies, as_of })
    }

    /// Plans what these rules take. Changes nothing.
    ///
    /// # Errors
    /// Those of [`Rules::stated`], `NotFound` for a converter that nobody knows, and `Refused`
    /// while the clock is in doubt.
    pub fn plan(
        &self,
        archive: &Archive,
        stated: &Stated,
        config: Option<&Config>,
    ) -> Result<PurgePlan> {
        let named = Filter {
            converter: self.converter.iter().cloned().collect(),
            ..Filter::default()
        };
        refuse_unknown_converters(&named, &archive.snapshot()?, config)?;
        plan_all(archive, &stated.policies, stated.as_of)
    }

    /// Returns the words of the command line that state the same rules after `verb`.
    pub fn command(&self, verb: &str) -> String {
        let mut line = format!("annals {verb}");
        let mut flag = |name: &str, value: Option<&str>| {
            line.push_str(" --");
            line.push_str(name);
            if let Some(value) = value {
                line.push(' ');
                line.push_str(&in_shell(value));
            }
        };
        let count = self.max_count.map(|count| count.to_string());
        for (name, value) in [
            ("converter", self.converter.as_deref()),
            ("older-than", self.older_than.as_deref()),
            ("max-size", self.max_size.as_deref()),
            ("max-count", count.as_deref()),
            ("now", self.now.as_deref()),
        ] {
            if value.is_some() {
                flag(name, value);
            }
        }
        for (name, is_given) in [
            ("expired", self.expired),
            ("classes", self.classes),
            ("configured", self.configured),
            ("even-waiting", self.even_waiting),
            ("bypass-governance", self.bypass_governance),
        ] {
            if is_given {
                flag(name, None);
            }
        }
        line
    }
}
