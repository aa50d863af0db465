//! Which class has an entry and what keeps it, the classes in their order, and locks, as objects.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::archive::{KeptBy, RetentionExplained, RetentionLock};
use crate::entry::Entry;
use crate::host::Config;
use crate::query::Filter;
use crate::retention::{Class, Due, Policy};
use crate::service::time::Zone;
use crate::{Error, Result};

/// A class as an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassObject {
    /// Its place in the order in which classes are tried, from 1.
    pub place: usize,
    /// Its name.
    pub name: String,
    /// Which entries belong to it, in words.
    pub entries: String,
    /// Its rules, in the words of the log.
    pub rules: String,
    /// Whether it is made of the keys of a converter.
    pub built_in: bool,
}

/// Returns classes as objects in their order, then the keys of the converters of `config`.
pub fn class_objects(classes: &[Class], config: Option<&Config>) -> Vec<ClassObject> {
    let stated = classes.iter().map(|class| {
        (
            class.name.clone(),
            selection(&class.filter),
            class.rules(),
            false,
        )
    });
    let converters = config.iter().flat_map(|config| &config.converters);
    let keys = converters.map(|converter| {
        let rules = converter.retention_policy().rules().unwrap_or_default();
        let kept = format!("{} ({})", rules.join(", "), converter.archive.retention);
        let name = &converter.converter.name;
        (name.clone(), format!("converter {name}"), kept, true)
    });
    let objects = stated.chain(keys).enumerate();
    objects
        .map(|(nth, (name, entries, rules, built_in))| ClassObject {
            place: nth + 1,
            name,
            entries,
            rules,
            built_in,
        })
        .collect()
}

/// Describes which entries a filter of a class selects.
fn selection(filter: &Filter) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.push(format!("{name} {}", values.join(" or ")));
        }
    };
    list("converter", filter.converter.clone());
    let status = filter.status.iter().map(ToString::to_string).collect();
    list("status", status);
    let one = |value: &Option<String>| value.iter().cloned().collect();
    list("serial", one(&filter.serial));
    list("part", one(&filter.part));
    list("station", one(&filter.station));
    list("process", one(&filter.process));
    list("file", one(&filter.file));
    list("path", one(&filter.path));
    words.extend(filter.label.iter().map(|label| format!("label {label}")));
    let meta = filter.meta.iter();
    words.extend(meta.map(|(name, value)| format!("{name}={value}")));
    if words.is_empty() {
        "all".to_owned()
    } else {
        words.join(", ")
    }
}

/// Reads the classes in a file.
pub fn read_policy(file: &Path) -> Result<Policy> {
    let text =
        fs::read_to_string(file).map_err(|error| Error::io("read the policy in", file, error))?;
    Policy::from_toml(&text, file).map_err(Error::from)
}

/// Returns the policy of the configuration for an entry: its classes, and the keys of its
/// converter. Without a configuration, what was recorded with the entry.
pub fn policy_in_force(entry: &Entry, config: Option<&Config>) -> Policy {
    let Some(config) = config else {
        return Policy::default().expired(true);
    };
    match config.converter(&entry.converter) {
        Some(converter) => config.retention_policy(converter),
        None => Policy::default()
            .expired(true)
            .classes(config.retention.clone()),
    }
}

/// Returns what was explained with its times in `zone`.
pub fn explained_in_zone(mut explained: RetentionExplained, zone: &Zone) -> RetentionExplained {
    for part in &mut explained.parts {
        if let Due::At { at, from } = &mut part.due {
            (*at, *from) = (zone.exact(*at), zone.exact(*from));
        }
    }
    for gone in &mut explained.purged_parts {
        gone.at = zone.exact(gone.at);
    }
    for kept in &mut explained.kept_by {
        if let KeptBy::Lock { until, .. } = kept {
            *until = until.map(|at| zone.exact(at));
        }
    }
    let exact = |time| zone.exact(time);
    explained.recorded_until = explained.recorded_until.map(exact);
    explained.purged_at = explained.purged_at.map(exact);
    explained
}

/// Returns a lock with its time in `zone`.
pub fn lock_in_zone(lock: RetentionLock, zone: &Zone) -> RetentionLock {
    RetentionLock {
        placed_at: zone.exact(lock.placed_at),
        ..lock
    }
}

/// Describes which entries a lock has.
pub fn locked_entries(lock: &RetentionLock) -> String {
    let labels = lock.labels.iter().map(|label| format!("label {label}"));
    let all: Vec<String> = lock.converters.iter().cloned().chain(labels).collect();
    if all.is_empty() {
        "all".to_owned()
    } else {
        all.join(", ")
    }
}
