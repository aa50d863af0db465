//! What a view shows, as arguments and as the query of an address.

use std::collections::BTreeSet;

use clap::{Args as _, FromArgMatches as _};
use serde_json::Value;

use super::filters::Filters;
use crate::query::{Direction, Sort};
use crate::{Error, ErrorKind, Result};

/// Members of an address that say how a page looks, not what is listed.
const LOOKS: [&str; 7] = [
    "after", "columns", "lang", "limit", "offset", "theme", "zone",
];
/// Members that are there or not, as flags are.
const FLAGS: [&str; 3] = ["suspicious", "outdated", "purged"];

/// Which entries a view lists, and in which order.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Shown {
    /// id, archived_at, converter, source_name, status, size, serial, part, station or process;
    /// then :asc or :desc [default: id:desc]
    #[arg(long, value_name = "FIELD[:DIR]")]
    pub(crate) sort: Option<Sort>,
    /// Also those whose bytes were purged
    #[arg(long)]
    pub(crate) purged: bool,
    #[command(flatten)]
    pub(crate) filters: Filters,
}

impl Shown {
    /// Returns it as the query of an address. Dates stay as they were typed: `today` is another
    /// day tomorrow.
    pub(crate) fn to_query(&self) -> Result<String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs()?);
        Ok(query.finish())
    }

    /// Returns what a saved view lists, with what is stated beside its name: a stated filter takes
    /// the place of the view's.
    ///
    /// # Errors
    /// `Invalid` when the view has a filter that this version does not know, or a value that is
    /// none: without it, other entries would be listed than the view's.
    pub(crate) fn of_view(name: &str, query: &str, stated: &Self) -> Result<Self> {
        let stated = stated.pairs()?;
        let replaced: BTreeSet<&str> = stated.iter().map(|(key, _)| key.as_str()).collect();
        let saved = form_urlencoded::parse(query.as_bytes());
        let saved = saved.filter(|(key, value)| {
            !value.is_empty() && !LOOKS.contains(&&**key) && !replaced.contains(&**key)
        });
        let saved = saved.map(|(key, value)| (key.into_owned(), value.into_owned()));
        let pairs: Vec<_> = saved.chain(stated.iter().cloned()).collect();
        let arguments = pairs.iter().filter_map(|(key, value)| argument(key, value));
        let command = Self::augment_args(clap::Command::new("view").no_binary_name(true));
        let shown = command
            .try_get_matches_from(arguments)
            .and_then(|matches| Self::from_arg_matches(&matches));
        shown.map_err(|error| {
            let told = error.to_string();
            let told = told.lines().next().unwrap_or_default();
            let told = told.strip_prefix("error: ").unwrap_or(told);
            let told = format!("the view '{name}' cannot be listed: {told}");
            Error::new(ErrorKind::Invalid, told).hint("save it anew, or state the filters")
        })
    }

    /// Returns the members of an address, without those that are not stated.
    fn pairs(&self) -> Result<Vec<(String, String)>> {
        let stated = serde_json::to_value(&self.filters)
            .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        let mut pairs = Vec::new();
        for (key, value) in stated.as_object().into_iter().flatten() {
            let values = match value {
                Value::Array(values) => values.iter().filter_map(text).collect(),
                one => Vec::from_iter(text(one)),
            };
            pairs.extend(values.into_iter().map(|value| (key.clone(), value)));
        }
        if let Some(Sort { field, direction }) = self.sort {
            let direction = match direction {
                Direction::Asc => "asc",
                Direction::Desc => "desc",
            };
            pairs.push(("sort".into(), format!("{}:{direction}", field.name())));
        }
        if self.purged {
            pairs.push(("purged".into(), "true".into()));
        }
        Ok(pairs)
    }
}

/// Returns one value as text; `None` when it is not stated.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(pair) => {
            let texts: Option<Vec<&str>> = pair.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join("="))
        }
        Value::Bool(true) | Value::Number(_) => Some(value.to_string()),
    }
}

/// Returns a member of an address as an argument; `None` for a flag that is off.
fn argument(key: &str, value: &str) -> Option<String> {
    let flag = key.replace('_', "-");
    match value {
        "false" | "0" if FLAGS.contains(&key) => None,
        "true" | "1" if FLAGS.contains(&key) => Some(format!("--{flag}")),
        _ => Some(format!("--{flag}={value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Shown {
        let command = Shown::augment_args(clap::Command::new("view").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).expect("valid");
        Shown::from_arg_matches(&matches).expect("valid")
    }

    #[test]
    fn a_view_reads_back_as_it_was_saved() {
        let query = of(&[
            "--status=failed,rejected",
            "--from=last week",
            "--meta=line=3",
            "-c",
            "ICT & CSV",
            "--text=größe=5%",
            "--suspicious",
            "--sort=size:desc",
            "--purged",
        ])
        .to_query()
        .expect("a query");
        assert!(query.contains("from=last+week"), "{query}");
        assert!(query.contains("converter=ICT+%26+CSV"), "{query}");
        let again = Shown::of_view("V", &query, &Shown::default()).expect("readable");
        assert_eq!(again.to_query().expect("a query"), query);
    }

    #[test]
    fn a_stated_filter_takes_the_place_of_the_views() {
        let saved = "status=failed&status=rejected&station=3&columns=id,serial&sort=size:desc";
        let stated = of(&["--status=pending", "--sort=id"]);
        let shown = Shown::of_view("V", saved, &stated).expect("readable");
        let query = shown.to_query().expect("a query");
        assert_eq!(query, "station=3&status=pending&sort=id%3Aasc");
    }

    /// A view of a later version would have listed all entries under its name.
    #[test]
    fn a_view_with_a_filter_that_nobody_knows_is_refused() {
        for query in [
            "colour=red",
            "status=purple",
            "sort=luck",
            "suspicious=perhaps",
        ] {
            let error = Shown::of_view("V", query, &Shown::default()).expect_err(query);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        }
        for query in ["", "columns=id", "suspicious=false&serial="] {
            let shown = Shown::of_view("V", query, &Shown::default()).expect(query);
            assert_eq!(shown.to_query().expect("a query"), "");
        }
    }
}
