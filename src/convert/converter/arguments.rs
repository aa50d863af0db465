//! The arguments that a converter is given, in clear and as they may be recorded.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::secret::{MissingSecret, expand};
use crate::entry::Meta;

/// What stands for a secret wherever one would be recorded or shown.
pub const MASK: &str = "***";

/// A converter's arguments. Secret ones never show in what is recorded or printed.
///
/// A secret value may be written `${NAME}` (an environment variable) or `${file:PATH}` (the content
/// of a file, without its line end), so that configurations hold no secret themselves.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    values: Meta,
    secret: BTreeSet<String>,
}

impl Arguments {
    /// Arguments of which those named in `secret` are never recorded in clear.
    pub fn new(values: Meta, secret: impl IntoIterator<Item = String>) -> Self {
        Self {
            values,
            secret: secret.into_iter().collect(),
        }
    }

    /// What may be recorded: every value, secret ones masked.
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

    /// The names of secret arguments.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().map(String::as_str)
    }

    /// The arguments an earlier run `recorded`, with secrets, which no record holds, taken from
    /// here.
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

    /// The values as the converter gets them. `dir` is what `${file:PATH}` is relative to.
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

/// Arguments in clear, for the converter's eyes only.
pub(crate) struct Revealed {
    pub(crate) values: Meta,
    pub(crate) secrets: Secrets,
}

/// Secret values, to be kept out of whatever a converter says.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(values: Vec<String>) -> Self {
        let mut spellings: Vec<String> = values
            .into_iter()
            .flat_map(|value| {
                // Converters quote what they were given: the JSON spelling hides a secret with a
                // quote in it.
                let quoted = serde_json::Value::from(value.as_str()).to_string();
                let inner = quoted[1..quoted.len() - 1].to_owned();
                [value, inner]
            })
            .filter(|spelling| !spelling.is_empty())
            .collect();
        // Longest first, so that a secret that contains another leaves no rest.
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
