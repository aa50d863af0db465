//! Retention while the host runs: what is past it goes, by the rules each converter was given, as plans with a reason.

use crate::Result;
use crate::archive::{Archive, PurgeOutcome};
use crate::retention::{AsOf, Policy, PurgePlan, Unsubmitted};

use super::config::ConverterConfig;

/// What is recorded as the reason.
const REASON: &str = "retention of the converter host";

/// What became of the entries of one converter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The plan that was carried out.
    pub plan: PurgePlan,
    /// What it did.
    pub outcome: PurgeOutcome,
}

/// Lets go what the rules of `config` let go; `None` when that is nothing.
///
/// # Errors
/// Refused when the clock is not to be trusted, and when a hold or a purge came in between; the next time will do.
pub(super) fn expire(archive: &Archive, config: &ConverterConfig) -> Result<Option<Expired>> {
    let policy = Policy {
        converter: Some(config.converter.name.clone()),
        older_than_micros: None,
        expired: true,
        max_size: config.archive.max_size,
        max_count: config.archive.max_count,
        unsubmitted: Unsubmitted::Keep,
    };
    let plan = archive.plan_purge(&policy, AsOf::Clock)?;
    if plan.items.is_empty() {
        return Ok(None);
    }
    let outcome = archive.purge(&plan, REASON)?;
    Ok(Some(Expired { plan, outcome }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::entry::Retention;
    use crate::host::Config;

    fn config(more: &str) -> ConverterConfig {
        let text = format!(
            "[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"{{input}}\"]\nenvironment = \"sh\"\narchive_enabled = true\n{more}\n"
        );
        let config = Config::parse(&text, Path::new("host.toml")).expect("valid");
        config.converters.into_iter().next().expect("one")
    }

    fn put(archive: &Archive, converter: &str, content: &[u8]) {
        let new = NewEntry {
            converter: converter.to_owned(),
            retention: Retention::days(90),
            ..NewEntry::default()
        };
        archive.put(new, content).expect("archived");
    }

    #[test]
    fn what_is_over_the_count_of_its_converter_goes_oldest_first_and_of_others_nothing() {
        let archive =
            Archive::create_on(Arc::new(SimDisk::new()), Options::default()).expect("a store");
        let none = config("");
        assert_eq!(expire(&archive, &none).expect("nothing there"), None);
        for nth in 0..5_u8 {
            put(&archive, "T", &[nth; 100]);
            put(&archive, "other", &[100 + nth; 100]);
        }
        assert_eq!(expire(&archive, &none).expect("nothing due"), None);
        let expired = expire(&archive, &config("max_archive_count = 2")).expect("purged");
        let expired = expired.expect("three are too many");
        assert_eq!(expired.outcome.archives_purged, 3);
        assert_eq!(expired.outcome.reason, REASON);
        let rules: Vec<&str> = expired.plan.items.iter().map(|item| &*item.rule).collect();
        assert_eq!(rules, ["max-count 2"; 3]);
        let stats = archive.snapshot().expect("there").stats().expect("counted");
        assert_eq!((stats.entries, stats.purged), (7, 3));
    }

    /// A limit takes what a retention keeps. One that nobody wrote must not.
    #[test]
    fn a_limit_on_size_counts_only_where_the_file_states_it() {
        assert_eq!(config("").archive.max_size, None);
        let stated = config("max_archive_size_gb = 10.0");
        assert_eq!(stated.archive.max_size, Some(10 << 30));
        let archive =
            Archive::create_on(Arc::new(SimDisk::new()), Options::default()).expect("a store");
        for nth in 0..5_u8 {
            put(&archive, "T", &[nth; 100]);
        }
        let mut small = stated;
        small.archive.max_size = Some(250);
        let expired = expire(&archive, &small).expect("purged").expect("some");
        assert_eq!(expired.outcome.archives_purged, 3);
    }
}
