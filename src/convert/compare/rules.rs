//! What counts when two reports are compared.

use std::collections::BTreeMap;

use super::path::{Part, PathPattern};
use super::tolerance::Tolerance;
use crate::event::JudgedBy;
use crate::{Error, ErrorKind, Result};

/// Maximum number of rules of one converter.
const RULES_MAX: usize = 200;

/// What counts when two reports of a converter are compared.
///
/// Rules only take differences away, they never add one. What they leave out is listed in
/// [`Difference::ignored`](super::Difference::ignored), each with the rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompareRules {
    strictness: Strictness,
    ignore: Vec<PathPattern>,
    tolerance: Vec<(PathPattern, Tolerance)>,
    keys: Vec<(PathPattern, String)>,
}

/// Whether differences that come from the run itself count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Strictness {
    /// A top-level `id` that is a UUID on both sides, and the name of the temporary folder in the
    /// path of the source, do not count.
    #[default]
    Usual,
    /// Everything counts.
    Strict,
}

/// A rule that cannot be used: which one, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct RuleError {
    /// The list that the rule is in: `ignore`, `tolerance` or `keys`.
    pub key: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl CompareRules {
    /// Parses the rules of a configuration: patterns to ignore, tolerances by pattern, and the
    /// member that tells the items of a list apart, by the pattern of the list.
    ///
    /// # Errors
    /// One for each rule that cannot be used.
    pub fn parse(
        ignore: &[String],
        tolerance: &BTreeMap<String, String>,
        keys: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut rules = Self::default();
        let mut wrong = Vec::new();
        let mut note = |key, why: String| wrong.push(RuleError { key, why });
        for text in ignore {
            match text.parse() {
                Ok(pattern) => rules.ignore.push(pattern),
                Err(error) => note("ignore", error.to_string()),
            }
        }
        for (text, amount) in tolerance {
            match (text.parse(), amount.parse()) {
                (Ok(pattern), Ok(amount)) => rules.tolerance.push((pattern, amount)),
                (Err(error), _) => note("tolerance", error.to_string()),
                (_, Err(error)) => note("tolerance", format!("{text:?}: {error}")),
            }
        }
        for (text, member) in keys {
            match text.parse() {
                Ok(_) if member.is_empty() => {
                    note("keys", format!("{text:?} needs the name of a member"));
                }
                Ok(pattern) => rules.keys.push((pattern, member.clone())),
                Err(error) => note("keys", error.to_string()),
            }
        }
        let number = ignore.len() + tolerance.len() + keys.len();
        if number > RULES_MAX {
            let why = format!("{number} rules are more than {RULES_MAX}");
            note("ignore", why);
        }
        if wrong.is_empty() {
            Ok(rules)
        } else {
            Err(wrong)
        }
    }

    /// Returns the rules by which every difference counts.
    pub fn strict() -> Self {
        Self {
            strictness: Strictness::Strict,
            ..Self::default()
        }
    }

    /// Adds a pattern: differences at places that it matches, and below them, do not count.
    #[must_use]
    pub fn ignoring(mut self, pattern: PathPattern) -> Self {
        if !self.ignore.contains(&pattern) {
            self.ignore.push(pattern);
        }
        self
    }

    /// Adds a tolerance for numbers, and for texts that are numbers, at places that a pattern
    /// matches.
    #[must_use]
    pub fn tolerating(mut self, pattern: PathPattern, tolerance: Tolerance) -> Self {
        self.tolerance.push((pattern, tolerance));
        self
    }

    /// Compares lists that a pattern matches as sets of objects, which a member tells apart. Then
    /// moved items are no difference.
    #[must_use]
    pub fn keyed(mut self, list: PathPattern, member: impl Into<String>) -> Self {
        self.keys.push((list, member.into()));
        self
    }

    /// Returns the patterns of places that do not count.
    pub fn ignored(&self) -> &[PathPattern] {
        &self.ignore
    }

    /// Returns true if these are the rules of a converter that has none of its own.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }

    pub(super) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(super) fn ignores(&self, parts: &[Part<'_>]) -> Option<&PathPattern> {
        self.ignore
            .iter()
            .find(|pattern| pattern.covers_parts(parts))
    }

    pub(super) fn tolerates(
        &self,
        parts: &[Part<'_>],
        old: &str,
        new: &str,
    ) -> Option<&(PathPattern, Tolerance)> {
        self.tolerance
            .iter()
            .find(|(pattern, tolerance)| pattern.matches_parts(parts) && tolerance.allows(old, new))
    }

    pub(super) fn key_of(&self, parts: &[Part<'_>]) -> Option<&str> {
        let found = self
            .keys
            .iter()
            .find(|(pattern, _)| pattern.matches_parts(parts));
        found.map(|(_, member)| member.as_str())
    }

    /// Returns the rules as a job records them.
    pub(crate) fn recorded(&self, converter: &str) -> JudgedBy {
        let texts = |pairs: &[(PathPattern, String)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(pattern, value)| (pattern.to_string(), value.clone()))
                .collect()
        };
        JudgedBy {
            converter: converter.to_owned(),
            strict: self.is_strict(),
            ignore: self.ignore.iter().map(ToString::to_string).collect(),
            tolerance: self
                .tolerance
                .iter()
                .map(|(pattern, amount)| (pattern.to_string(), amount.to_string()))
                .collect(),
            keys: texts(&self.keys),
        }
    }

    fn of_recorded(judged: &JudgedBy) -> Result<Self> {
        let mut rules =
            Self::parse(&judged.ignore, &judged.tolerance, &judged.keys).map_err(|wrong| {
                let why: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                Error::new(
                    ErrorKind::Invalid,
                    format!(
                        "the job was judged by rules for '{}' that this version does not know: {}",
                        judged.converter,
                        why.join("; ")
                    ),
                )
            })?;
        if judged.strict {
            rules.strictness = Strictness::Strict;
        }
        Ok(rules)
    }
}

/// The rules of all converters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleBook {
    by_converter: BTreeMap<String, CompareRules>,
    /// The rules of converters that are not listed.
    others: CompareRules,
}

impl RuleBook {
    /// Returns a book of the rules of converters, each by its name.
    pub fn of<'c>(rules: impl IntoIterator<Item = (&'c str, &'c CompareRules)>) -> Self {
        let own = rules.into_iter().filter(|(_, rules)| !rules.is_usual());
        Self {
            by_converter: own
                .map(|(name, rules)| (name.to_owned(), rules.clone()))
                .collect(),
            others: CompareRules::default(),
        }
    }

    /// Returns the rules by which every difference of every converter counts.
    pub fn strict() -> Self {
        Self {
            by_converter: BTreeMap::new(),
            others: CompareRules::strict(),
        }
    }

    /// Adds a pattern to the rules of every converter.
    #[must_use]
    pub fn ignoring(self, pattern: &PathPattern) -> Self {
        let by_converter = self.by_converter.into_iter();
        Self {
            by_converter: by_converter
                .map(|(name, rules)| (name, rules.ignoring(pattern.clone())))
                .collect(),
            others: self.others.ignoring(pattern.clone()),
        }
    }

    /// Returns the rules for the reports of a converter.
    pub fn of_converter(&self, name: &str) -> &CompareRules {
        self.by_converter.get(name).unwrap_or(&self.others)
    }

    /// Returns the rules as a job records them. The rules of converters that are not listed have an
    /// empty name.
    pub(crate) fn recorded(&self) -> Vec<JudgedBy> {
        let listed = self.by_converter.iter();
        let mut all: Vec<_> = listed.map(|(name, rules)| rules.recorded(name)).collect();
        if !self.others.is_usual() {
            all.push(self.others.recorded(""));
        }
        all
    }

    /// Returns the rules that a job recorded.
    ///
    /// # Errors
    /// `Invalid` if this version does not know one of them.
    pub fn of_recorded(judged: &[JudgedBy]) -> Result<Self> {
        let mut book = Self::default();
        for rules in judged {
            let known = CompareRules::of_recorded(rules)?;
            if rules.converter.is_empty() {
                book.others = known;
            } else {
                book.by_converter.insert(rules.converter.clone(), known);
            }
        }
        Ok(book)
    }
}
