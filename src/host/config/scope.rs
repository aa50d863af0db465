//! Provides the values of one section of the configuration, with defaults for those not given.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::endpoint::masked;
use super::schema::{KEYS, Value, find};
use super::settings::{ArchiveSettings, Origin, Setting, Unarchivable};
use crate::convert::{Bounds, Expect, Expected, MASK, Sandbox};
use crate::entry::{Meta, Retention};

/// The values of one section with their lines, by key.
pub(in crate::host) type Values = BTreeMap<&'static str, (Value, usize)>;

/// The values of one section, with defaults for those not given.
#[derive(Clone, Copy)]
pub(in crate::host) struct Scope<'a> {
    pub(in crate::host) section: &'static str,
    pub(in crate::host) own: &'a Values,
    pub(super) defaults: &'a Values,
    pub(in crate::host) dir: &'a Path,
}

impl Scope<'_> {
    pub(in crate::host) fn line(&self, name: &str) -> Option<usize> {
        self.own.get(name).map(|(_, line)| *line)
    }

    fn find(&self, name: &str) -> Option<(Value, Origin)> {
        if let Some((value, line)) = self.own.get(name) {
            return Some((value.clone(), Origin::Line(*line)));
        }
        if let Some((value, line)) = self.defaults.get(name) {
            return Some((value.clone(), Origin::Defaults(*line)));
        }
        let key = find(self.section, name)?;
        let written = DeValue::parse(key.default?).ok()?;
        let value = key.kind.read(written.get_ref()).ok()?;
        Some((value, Origin::BuiltIn))
    }

    /// Returns true when the file itself gives a value for the key.
    fn is_stated(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|(_, origin)| origin != Origin::BuiltIn)
    }

    pub(in crate::host) fn get(&self, name: &str) -> Option<Value> {
        self.find(name).map(|(value, _)| value)
    }

    pub(in crate::host) fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        }
    }

    pub(super) fn optional_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(Value::Flag(true))
    }

    pub(in crate::host) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    pub(super) fn text_map(&self, name: &str) -> Meta {
        match self.get(name) {
            Some(Value::TextMap(map)) => map,
            _ => Meta::new(),
        }
    }

    /// Returns a whole number. The key's range must fit the requested type.
    pub(in crate::host) fn whole<Number: TryFrom<i64> + Default>(&self, name: &str) -> Number {
        match self.get(name) {
            Some(Value::Whole(number)) => Number::try_from(number).unwrap_or_default(),
            _ => Number::default(),
        }
    }

    pub(in crate::host) fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Number(number)) => number,
            _ => 0.0,
        }
    }

    pub(in crate::host) fn seconds(&self, name: &str) -> Duration {
        Duration::try_from_secs_f64(self.number(name)).unwrap_or_default()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the key's range keeps it between 0 and 10,000 GiB"
    )]
    pub(super) fn gibibytes(&self, name: &str) -> u64 {
        (self.number(name) * f64::from(1_u32 << 30)) as u64
    }

    /// Returns a folder; an empty text means none.
    pub(in crate::host) fn folder(&self, name: &str) -> Option<PathBuf> {
        let text = self.optional_text(name)?;
        Some(tidy(&self.dir.join(text)))
    }

    fn paths(&self, name: &str) -> Vec<PathBuf> {
        let texts = self.texts(name);
        texts
            .iter()
            .map(|text| tidy(&self.dir.join(text)))
            .collect()
    }

    pub(in crate::host) fn settings(&self, section: &str) -> Vec<Setting> {
        let secret = self.texts("secret_arguments");
        KEYS.iter()
            .filter(|key| key.section == self.section)
            .filter_map(|key| {
                let (mut value, origin) = self.find(key.name)?;
                if let Value::TextMap(map) = &mut value {
                    for (name, value) in map {
                        if key.name == "submit.headers" || secret.contains(name) {
                            MASK.clone_into(value);
                        }
                    }
                }
                if let (Value::Text(url), "submit.url") = (&mut value, key.name) {
                    *url = masked(url);
                }
                Some(Setting {
                    section: section.to_owned(),
                    key: key.name,
                    value: value.to_toml(),
                    origin,
                })
            })
            .collect()
    }
}

/// Removes `.` and `..` from a path textually, so that folders can be compared before they exist.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Returns what is expected of the results of a converter.
pub(super) fn expect(scope: &Scope<'_>) -> Expect {
    let expected = |name: &str| match scope.get(name) {
        Some(Value::Flag(false)) => Expected::Never,
        Some(Value::Text(text)) => text.parse().unwrap_or_default(),
        _ => Expected::Usual,
    };
    let stated = |name: &str| scope.get(name).map(|_| scope.whole(name));
    let mut expect = Expect::default()
        .serial(expected("expect.serial"))
        .part(expected("expect.part"))
        .values(scope.flag("expect.values"))
        .steps_of_siblings(scope.number("expect.steps_of_siblings"))
        .on_suspicious(scope.text("on_suspicious").parse().unwrap_or_default());
    expect.steps = scope.text("expect.steps").parse().ok();
    expect.steps_min = stated("expect.steps_min");
    expect.report_bytes_min = stated("expect.report_bytes_min");
    expect
}

/// Returns the limits of a converter, and the keys whose values can't be used, with reasons.
pub(in crate::host) fn bounds(scope: &Scope<'_>) -> (Bounds, Vec<(&'static str, String)>) {
    let sandbox = match scope.text("sandbox").as_str() {
        "enforce" => Sandbox::Enforce {
            read: scope.paths("read_paths"),
            write: scope.paths("write_paths"),
        },
        _ => Sandbox::Off,
    };
    Bounds {
        timeout: scope.seconds("timeout_s"),
        memory: scope.whole::<u64>("memory_mb") << 20,
        file_size: scope.whole::<u64>("file_size_mb") << 20,
        sandbox,
        ..Bounds::default()
    }
    .restricted(&scope.text("network"), &scope.text("run_as"))
}

pub(super) fn archive_settings(scope: &Scope<'_>) -> ArchiveSettings {
    let retention = match scope.get("retention_days") {
        Some(Value::Whole(days)) => Retention::Period {
            days: u16::try_from(days).unwrap_or(u16::MAX),
            years: scope.whole("retention_years"),
        },
        _ => Retention::Forever,
    };
    ArchiveSettings {
        enabled: scope.flag("archive_enabled"),
        unarchivable: if scope.flag("archive_required") {
            Unarchivable::Waits
        } else {
            Unarchivable::Converted
        },
        source_files: scope.flag("archive_source_files"),
        output_reports: scope.flag("archive_output_reports"),
        folder: scope.folder("archive_folder"),
        retention,
        max_size: scope
            .is_stated("max_archive_size_gb")
            .then(|| scope.gibibytes("max_archive_size_gb"))
            .filter(|size| *size > 0),
        max_count: Some(scope.whole("max_archive_count")).filter(|count| *count > 0),
        compression_level: scope.whole("compression_level"),
        facts_above: Some(scope.whole::<u64>("archive_max_mb") << 20).filter(|bytes| *bytes > 0),
        delete_facts_only: scope.flag("delete_facts_only"),
    }
}
