//! The arguments that a converter is given, in clear and as they may be recorded.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::secret::{MissingSecret, expand};
use crate::entry::Meta;

/// Replaces a secret wherever it would be recorded or shown.
pub const MASK: &str = "***";

/// The arguments of a converter. Secret ones never appear in what is recorded or printed.
///
/// A secret value may be written as `${NAME}` (an environment variable), as `${file:PATH}` (the
/// content of a file, without its line end) or as `${credential:NAME}` (kept by the service
/// manager), so that configurations hold no secret themselves.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    values: Meta,
    secret: BTreeSet<String>,
}

impl Arguments {
    /// Creates arguments. Those named in `secret` are never recorded in clear.
    pub fn new(values: Meta, secret: impl IntoIterator<Item = String>) -> Self {
        Self {
            values,
            secret: secret.into_iter().collect(),
        }
    }

    /// Returns what may be recorded: every value, with secret ones masked.
    pub fn recorded(&self) -> Meta {
        self.values
            .iter()
            .map(|(name, value)| {
                let value = if self.secret.contains(name) {
                    MASK
                } else {
                    value
                };
                (name.clone(), value.to_owned())
            })
            .collect()
    }

    /// Returns the names of secret arguments.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().map(String::as_str)
    }

    /// Returns the arguments that an earlier run recorded.
    ///
    /// Records hold no secrets, so secret values are taken from these arguments instead.
    ///
    /// # Errors
    /// Names a secret argument that was recorded but is not configured here.
    pub(crate) fn recalled(&self, recorded: &Meta) -> Result<Self, String> {
        let mut values = Meta::new();
        let mut secret = self.secret.clone();
        for (name, value) in recorded {
            if value == MASK {
                let current = self.values.get(name).ok_or_else(|| name.clone())?;
                values.insert(name.clone(), current.clone());
                secret.insert(name.clone());
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
        Ok(Self { values, secret })
    }

    /// Returns the values as the converter gets them. `${file:PATH}` is relative to `dir`.
    pub(crate) fn reveal(&self, dir: &Path) -> Result<Revealed, MissingSecret> {
        let mut values = Meta::new();
        let mut secrets = Vec::new();
        for (name, value) in &self.values {
            if self.secret.contains(name) {
                let clear = expand(value, dir)?;
                secrets.push(clear.clone());
                values.insert(name.clone(), clear);
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
        Ok(Revealed {
            values,
            secrets: Secrets::new(secrets),
        })
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recorded().fmt(f)
    }
}

/// Arguments in clear, to be shown to nobody but the converter.
pub(crate) struct Revealed {
    pub(crate) values: Meta,
    pub(crate) secrets: Secrets,
}

/// Secret values, to be masked in everything that a converter writes.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(values: Vec<String>) -> Self {
        let mut spellings: Vec<String> = values
            .into_iter()
            .flat_map(|value| {
                // Converters quote their arguments in messages. The JSON spelling of a secret also
                // has to be masked, because it differs where the secret contains a quote.
                let quoted = serde_json::Value::from(value.as_str()).to_string();
                let inner = quoted[1..quoted.len() - 1].to_owned();
                [value, inner]
            })
            .filter(|spelling| !spelling.is_empty())
            .collect();
        // Longest first: a secret that contains another one is then masked as a whole.
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
        Self(spellings)
    }

    pub(crate) fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |masked, spelling| {
            masked.replace(spelling.as_str(), MASK)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(pairs: &[(&str, &str)], secret: &[&str]) -> Arguments {
        let values = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Arguments::new(values, secret.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_secret_shows_neither_in_records_nor_in_debug_output() {
        let given = arguments(&[("operation", "10"), ("token", "s3cret")], &["token"]);
        assert_eq!(given.recorded()["token"], MASK);
        assert_eq!(given.recorded()["operation"], "10");
        assert!(!format!("{given:?}").contains("s3cret"));
    }

    #[test]
    fn a_recorded_secret_is_taken_from_the_configuration_or_refused_by_name() {
        let configured = arguments(&[("token", "new"), ("operation", "20")], &["token"]);
        let recorded = arguments(&[("token", "old"), ("operation", "10")], &["token"]).recorded();
        let recalled = configured.recalled(&recorded).expect("configured");
        assert_eq!(recalled.values["token"], "new");
        assert_eq!(recalled.values["operation"], "10");
        assert_eq!(
            Arguments::default().recalled(&recorded),
            Err("token".to_owned())
        );
    }

    #[test]
    fn a_secret_is_masked_in_each_of_its_spellings() {
        let secrets = Secrets::new(vec!["ab".into(), "ab\"cd".into()]);
        assert_eq!(secrets.mask(r#"got ab"cd and ab\"cd"#), "got *** and ***");
    }
}
