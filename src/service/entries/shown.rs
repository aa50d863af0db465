//! What a view shows: filters and an order, as words and as the query of an address.

use std::collections::BTreeSet;

use super::filters::Filters;
use crate::query::{Direction, Sort};
use crate::{Error, ErrorKind, Result};

/// Members of an address that say how a page looks, not what is listed.
const LOOKS: [&str; 7] = [
    "after", "columns", "lang", "limit", "offset", "theme", "zone",
];

/// Which entries a view lists, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Shown {
    /// id, archived_at, converter, source_name, status, size, serial, part, station or process;
    /// then :asc or :desc [default: id:desc]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD[:DIR]"))]
    pub sort: Option<Sort>,
    /// Also those whose bytes were purged
    #[cfg_attr(feature = "cli", arg(long))]
    pub purged: bool,
    /// Which entries.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub filters: Filters,
}

impl Shown {
    /// Returns it as the query of an address. Dates stay as they were typed: `today` is another
    /// day tomorrow.
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        query.finish()
    }

    /// Returns what a saved view lists, with what is stated beside its name: a stated filter takes
    /// the place of the view's.
    ///
    /// # Errors
    /// `Invalid` when the view has a filter that this version does not know, or a value that is
    /// none: without it, other entries would be listed than the view's.
    pub fn of_view(name: &str, query: &str, stated: &Self) -> Result<Self> {
        let stated = stated.pairs();
        let replaced: BTreeSet<&str> = stated.iter().map(|(key, _)| *key).collect();
        let saved = form_urlencoded::parse(query.as_bytes());
        let saved = saved
            .filter(|(key, _)| !LOOKS.contains(&&**key) && !replaced.contains(&**key))
            .map(|(key, value)| (key.into_owned(), value.into_owned()));
        let stated = stated
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        let mut shown = Self::default();
        for (key, value) in saved.chain(stated) {
            shown.add(&key, &value).map_err(|error| {
                let told = format!("the view '{name}' cannot be listed: {error}");
                Error::new(ErrorKind::Invalid, told).hint("save it anew, or state the filters")
            })?;
        }
        Ok(shown)
    }

    /// Adds what one member of an address states. An empty value states nothing.
    fn add(&mut self, key: &str, value: &str) -> Result<()> {
        let wrong = |why: String| Error::new(ErrorKind::Invalid, why);
        match key {
            "sort" | "purged" if value.is_empty() => Ok(()),
            "sort" => {
                let sort = value
                    .parse::<Sort>()
                    .map_err(|why| wrong(why.to_string()))?;
                self.sort = Some(sort);
                Ok(())
            }
            "purged" => {
                self.purged = value.parse().map_err(|_| {
                    wrong(format!("'{value}' cannot stand for purged: true or false"))
                })?;
                Ok(())
            }
            _ => self.filters.add(key, value),
        }
    }

    /// Returns the members of an address, without those that are not stated.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filters.pairs();
        if let Some(Sort { field, direction }) = self.sort {
            let direction = match direction {
                Direction::Asc => "asc",
                Direction::Desc => "desc",
            };
            pairs.push(("sort", format!("{}:{direction}", field.name())));
        }
        if self.purged {
            pairs.push(("purged", true.to_string()));
        }
        pairs
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

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
        .to_query();
        assert!(query.contains("from=last+week"), "{query}");
        assert!(query.contains("converter=ICT+%26+CSV"), "{query}");
        let again = Shown::of_view("V", &query, &Shown::default()).expect("readable");
        assert_eq!(again.to_query(), query);
    }

    #[test]
    fn a_stated_filter_takes_the_place_of_the_views() {
        let saved = "status=failed&status=rejected&station=3&columns=id,serial&sort=size:desc";
        let stated = of(&["--status=pending", "--sort=id"]);
        let shown = Shown::of_view("V", saved, &stated).expect("readable");
        let query = shown.to_query();
        assert_eq!(query, "status=pending&station=3&sort=id%3Aasc");
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
            assert_eq!(shown.to_query(), "");
        }
    }
}
