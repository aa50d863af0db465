//! What a host purges by its configuration: classes first, then the keys of each converter.

use serde::Serialize;

use crate::archive::{Archive, HeldOverLimit};
use crate::host::{Config, ConverterConfig};
use crate::retention::{AsOf, Class, Policy, PurgePlan};
use crate::{Error, ErrorKind, Result};

/// Returns the policies of a host with this configuration: that of its classes, then one for each
/// converter that archives into the shared store, or only that of `wanted`.
pub fn host_policies<'a>(config: &'a Config, wanted: Option<&str>) -> Vec<(&'a str, Policy)> {
    let classes = config.retention_classes().filter(|_| wanted.is_none());
    let mut policies: Vec<_> = classes
        .map(|policy| ("by class", policy))
        .into_iter()
        .collect();
    for converter in sharing(config) {
        let name = converter.converter.name.as_str();
        if wanted.is_none_or(|wanted| wanted == name) {
            policies.push((name, config.retention_policy(converter)));
        }
    }
    policies
}

/// Returns the converters that archive into the shared store.
fn sharing(config: &Config) -> impl Iterator<Item = &ConverterConfig> {
    let converters = config.converters.iter();
    converters.filter(|one| one.archive.folder.is_none() && one.archive.archives())
}

/// Returns all rules of a configuration as policies that have no entry in common: the classes, then
/// the keys of each converter that archives into the shared store, with its name.
///
/// # Errors
/// `Refused` for a configuration that lets nothing go.
pub fn configured_policies(config: &Config) -> Result<Vec<(Option<String>, Policy)>> {
    let classes = config.retention_classes().map(|policy| (None, policy));
    // What a class matches is decided with the classes. Here they only shield it.
    let shields = config.retention.iter().map(|class| {
        let name = class.name.clone();
        Class::new(name).filter(class.filter.clone())
    });
    let shields: Vec<Class> = shields.collect();
    let keys = sharing(config).map(|converter| {
        let policy = converter.retention_policy().classes(shields.clone());
        (Some(converter.converter.name.clone()), policy)
    });
    let policies: Vec<_> = classes.into_iter().chain(keys).collect();
    if policies.is_empty() {
        let told = "the configuration lets nothing go: no converter archives into this store, and \
                    no class takes anything";
        return Err(
            Error::new(ErrorKind::Refused, told).hint("state rules, such as --older-than 90d")
        );
    }
    Ok(policies)
}

/// Plans what policies that have no entry in common take, as one plan.
///
/// # Errors
/// Those of [`Archive::plan_purge`]; `Refused` without a policy.
pub(super) fn plan_all(
    archive: &Archive,
    policies: &[(Option<String>, Policy)],
    as_of: AsOf,
) -> Result<PurgePlan> {
    let mut as_of = as_of;
    let mut plans = Vec::new();
    for (name, policy) in policies {
        let plan = archive.plan_purge(policy, as_of)?;
        // The first one has asked whether the clock can be trusted; all are for the same moment.
        as_of = AsOf::Vouched(plan.effective_now);
        plans.push((name.as_deref(), plan));
    }
    let nothing = || Error::new(ErrorKind::Refused, "there is no rule that lets anything go");
    PurgePlan::merged(plans).ok_or_else(nothing)
}

/// A limit of a converter that cannot be met, because holds keep more than it allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmetLimit {
    /// The converter.
    pub converter: String,
    /// Its limit in bytes on disk.
    pub max_size: Option<u64>,
    /// Its limit on the number of entries.
    pub max_count: Option<u64>,
    /// What holds keep of its entries.
    #[serde(flatten)]
    pub held: HeldOverLimit,
}

/// Returns the limits that holds keep from being met. Reads the entries that are on hold.
pub fn unmet_limits(archive: &Archive, config: &Config) -> Result<Vec<UnmetLimit>> {
    let mut unmet = Vec::new();
    for converter in sharing(config) {
        let (max_size, max_count) = (converter.archive.max_size, converter.archive.max_count);
        let name = &converter.converter.name;
        if let Some(held) = archive.held_over_limit(Some(name), max_size, max_count)? {
            unmet.push(UnmetLimit {
                converter: name.clone(),
                max_size,
                max_count,
                held,
            });
        }
    }
    Ok(unmet)
}

/// Returns the classes of a configuration that no entry matches. A label that is misspelt there
/// leaves the entries that it was to keep to the rules of later classes.
pub fn classes_without_entries(archive: &Archive, config: &Config) -> Result<Vec<String>> {
    let snapshot = archive.snapshot()?;
    let mut empty = Vec::new();
    for class in &config.retention {
        if snapshot.count_up_to(&class.filter, 1)?.n == 0 {
            empty.push(class.name.clone());
        }
    }
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::archive::NewEntry;
    use crate::id::EntryId;

    const CONFIGURATION: &str = r#"
[store]
path = "store"
[[converter]]
name = "ICT"
command = ["cat", "{input}"]
archive_enabled = true
retention_days = 30
max_archive_count = 4
[[converter]]
name = "FCT"
command = ["cat", "{input}"]
archive_enabled = true
[[converter]]
name = "own"
command = ["cat", "{input}"]
archive_enabled = true
archive_folder = "elsewhere"
max_archive_count = 1
[[retention]]
name = "samples"
label = "sample"
keep = "forever"
max_count = 2
"#;

    /// A preview of all rules at once showed other entries than the host purged later.
    #[test]
    fn one_plan_takes_what_the_plans_of_a_host_take() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::parse(CONFIGURATION, &folder.path().join("host.toml"));
        let config = config.expect("valid");
        let archive = Archive::builder().create(folder.path().join("store"));
        let archive = archive.expect("a store");
        for nth in 0..30_usize {
            let converter = ["ICT", "FCT", "own"][nth % 3];
            let mut new = NewEntry::new(converter).serial(format!("SN{nth}"));
            new = new.retention(crate::entry::Retention::days(if nth % 2 == 0 {
                1
            } else {
                900
            }));
            let id = archive
                .put(new, format!("{nth}").as_bytes())
                .expect("put")
                .id;
            if nth % 5 == 0 {
                let note = crate::archive::Annotation::new("a test").labels(vec!["sample".into()]);
                archive.annotate(id, note).expect("noted");
            }
        }
        let day = archive.plan_purge(&Policy::default().max_count(0), AsOf::Clock);
        let in_a_month = day
            .expect("a plan")
            .effective_now
            .plus_micros(30 * 86_400_000_000);
        let as_of = AsOf::Vouched(in_a_month);
        let mut by_host = BTreeSet::new();
        for (_, policy) in host_policies(&config, None) {
            let plan = archive.plan_purge(&policy, as_of).expect("a plan");
            by_host.extend(plan.items.iter().map(|item| item.id));
        }
        let policies = configured_policies(&config).expect("rules");
        let plan = plan_all(&archive, &policies, as_of).expect("a plan");
        let at_once: BTreeSet<EntryId> = plan.items.iter().map(|item| item.id).collect();
        assert_eq!(at_once, by_host);
        assert_eq!(plan.count, plan.items.len() as u64);
        assert!(at_once.len() > 5, "{at_once:?}");
        let purged = archive.purge(&plan, "a test").expect("not stale");
        assert_eq!(purged.recorded.archives_purged, plan.count);
    }
}
