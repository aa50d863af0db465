//! The converter to run over an entry, or the reason why none can run.

use std::path::Path;
use std::sync::Arc;

use super::runners::RunnerKey;
use crate::Error;
use crate::convert::IdentityDigits;
use crate::convert::converter::{Arguments, Converter};
use crate::convert::running::{self, EnvironmentCheck, Runner};
use crate::entry::Entry;
use crate::event::ConverterRegistered;

/// The converter to run over one entry.
pub(super) struct Chosen {
    pub(super) key: RunnerKey,
    pub(super) runner: Arc<Runner>,
    pub(super) arguments: Arguments,
    /// For a recorded converter, whether it runs on what it ran on before.
    pub(super) environment: Option<EnvironmentCheck>,
    /// A difference from what was recorded, to be noted with the attempt.
    pub(super) note: Option<String>,
}

/// The converter to run over an entry: a configured one, or one as it was recorded.
pub(super) enum Choice<'a> {
    Configured(&'a Converter),
    Recorded(Box<ConverterRegistered>),
}

impl Choice<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Configured(converter) => &converter.name,
            Self::Recorded(registered) => &registered.name,
        }
    }

    /// Returns why the program cannot be started on this machine, as far as can be seen without
    /// starting it.
    pub(super) fn missing_program(&self) -> Option<String> {
        match self {
            Self::Configured(converter) => running::missing_program(converter),
            Self::Recorded(registered) => {
                let bundle = registered.bundle.iter().map(|file| file.name.clone());
                let bundle: Vec<String> = bundle.collect();
                running::missing(&registered.command, Path::new(""), &bundle)
            }
        }
    }
}

impl Choice<'_> {
    /// Returns what a converter consists of, without the files of a recorded one: enough to find
    /// the program that would run it.
    pub(super) fn outline(&self) -> Converter {
        match self {
            Self::Configured(converter) => (*converter).clone(),
            Self::Recorded(registered) => {
                let files = registered.bundle.iter().map(|file| file.name.as_str());
                let (name, dir) = (&registered.name, std::env::temp_dir());
                Converter {
                    version: registered.version.clone(),
                    ..Converter::new(name, registered.command.iter().cloned(), dir).bundle(files)
                }
            }
        }
    }
}

/// Why an entry is not tried.
pub(super) enum Unfit {
    Skip(String),
    /// Its converter could not run over it.
    CannotRun(RunnerKey, Error),
    Error(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Returns why an entry has no source any more. The words are equal for all entries purged by one
/// rule.
pub(super) fn without_source(entry: &Entry) -> Option<String> {
    if entry.has_source() {
        return None;
    }
    if entry.facts_only && entry.purged_at.is_none() {
        return Some("only facts are kept of the source: it was not stored".to_owned());
    }
    let of_source = entry.source_purge().map(|gone| gone.by.as_str());
    let rule = of_source.or(entry.purged_by.as_deref());
    let rule = rule.unwrap_or("an unknown rule");
    Some(format!("the source was purged by {rule}"))
}

/// Returns the recorded converter of `name` that claims version `wanted`, or whose identity begins
/// with `wanted`.
pub(super) fn pick<'a>(
    known: &'a [ConverterRegistered],
    name: &str,
    wanted: &str,
) -> Result<&'a ConverterRegistered, String> {
    let digits = wanted.parse::<IdentityDigits>();
    let fits = |converter: &&ConverterRegistered| {
        converter.name == name
            && (converter.version.as_deref() == Some(wanted)
                || (digits.as_ref()).is_ok_and(|digits| digits.begin(&converter.converter_id)))
    };
    let mut found = known.iter().filter(fits);
    match (found.next(), found.next()) {
        (None, _) => Err(format!(
            "no converter '{wanted}' is configured, and no recorded version of '{name}' is called so"
        )),
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(format!(
            "'{wanted}' may be {} or {}, which claim the same version: name the identity",
            one.converter_id, other.converter_id
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ConverterId;

    #[test]
    fn a_recorded_version_is_picked_by_its_claim_or_its_identity_unless_two_claim_it() {
        let registered = |byte: u8, version: &str| ConverterRegistered {
            converter_id: ConverterId::from_bytes([byte; 32]),
            name: "ICT".into(),
            version: Some(version.into()),
            command: Vec::new(),
            mode: "oneshot".into(),
            environment: String::new(),
            bundle: Vec::new(),
        };
        let known = [
            registered(1, "1.0.0"),
            registered(2, "1.0.0"),
            registered(3, "1.1.0"),
        ];
        let id = |wanted| pick(&known, "ICT", wanted).map(|c| c.converter_id.as_bytes()[0]);
        assert_eq!(id("1.1.0"), Ok(3));
        assert_eq!(id("020202"), Ok(2));
        assert!(id("1.0.0").is_err_and(|why| why.contains("name the identity")));
        assert!(id("2.0.0").is_err());
        assert!(pick(&known, "FCT", "1.1.0").is_err());
    }
}
