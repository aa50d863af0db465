//! The address of a list of entries: filters, order, columns and place, as keys with values.
//!
//! All that a list shows stands in its address, so that reload, back and a mailed link show the
//! same. The keys are those of the command line. A key that nobody knows is refused: an address
//! with a filter dropped would show other entries than it says.

use form_urlencoded::Serializer;

use super::columns::Column;
use crate::convert::suggest;
use crate::query::{Cursor, Direction, Filter, Purged, Query, Sort, SortField};
use crate::service::desk::Desk;
use crate::service::entries::Filters;
use crate::{Error, ErrorKind, Result};

/// The most entries of a page of the API.
pub(in crate::web) const LIMIT_MAX: usize = 1_000;
/// Keys beside those of filters.
const OTHER_KEYS: [&str; 5] = ["purged", "sort", "columns", "limit", "after"];
/// The newest entries come first.
const NEWEST_FIRST: Sort = Sort {
    field: SortField::Id,
    direction: Direction::Desc,
};

/// What a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Address {
    /// Which entries.
    pub(in crate::web) filters: Filters,
    /// Also those whose bytes were purged.
    pub(in crate::web) purged: bool,
    /// In which order.
    pub(in crate::web) sort: Sort,
    /// Which facts of each; `None` for the usual ones.
    pub(in crate::web) columns: Option<Vec<Column>>,
    /// How many at most; `None` for the usual number.
    pub(in crate::web) limit: Option<usize>,
    /// The entry that the page before ended with.
    pub(in crate::web) after: Option<Cursor>,
}

impl Default for Address {
    fn default() -> Self {
        Self {
            filters: Filters::default(),
            purged: false,
            sort: NEWEST_FIRST,
            columns: None,
            limit: None,
            after: None,
        }
    }
}

impl Address {
    /// Reads the query of an address. Fields of a form that were left empty count as not given.
    ///
    /// # Errors
    /// `Invalid` for a key that is unknown, with what was meant, and for a value that is none.
    pub(in crate::web) fn read(query: &str) -> Result<Self> {
        Self::read_with(query, |_, _| false)
    }

    /// Reads the query of an address in which other keys stand, too: `other` takes those that it
    /// knows.
    pub(in crate::web) fn read_with(
        query: &str,
        mut other: impl FnMut(&str, &str) -> bool,
    ) -> Result<Self> {
        let mut address = Self::default();
        let mut sorted = None;
        let mut columns: Vec<Column> = Vec::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if other(&key, &value) {
                continue;
            }
            if value.is_empty() && OTHER_KEYS.contains(&&*key) {
                continue;
            }
            match &*key {
                "purged" => address.purged = read(&key, &value)?,
                "sort" => sorted = Some(read(&key, &value)?),
                "after" => address.after = Some(read(&key, &value)?),
                "limit" => address.limit = Some(read_limit(&value)?),
                "columns" => {
                    for name in value.split(',') {
                        let column = read(&key, name.trim())?;
                        if !columns.contains(&column) {
                            columns.push(column);
                        }
                    }
                }
                _ => match filter_key(&key) {
                    Some(filter) => address.filters.add(filter, &value)?,
                    None => return Err(unknown(&key)),
                },
            }
        }
        address.columns = (!columns.is_empty()).then_some(columns);
        let of_cursor = address.after.as_ref().map(|after| after.sort);
        address.sort = match (sorted, of_cursor) {
            (Some(sorted), Some(of_cursor)) if sorted != of_cursor => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "'after' belongs to a list in another order",
                )
                .hint("begin at the first page of this order"));
            }
            (sorted, of_cursor) => sorted.or(of_cursor).unwrap_or(NEWEST_FIRST),
        };
        Ok(address)
    }

    /// Returns the filter that it states, with what only the store knows.
    pub(in crate::web) fn filter(&self, desk: &Desk) -> Result<Filter> {
        let mut stated = self.filters.to_filter(desk.now, &desk.zone)?;
        if self.purged {
            stated.filter.purged = Purged::Include;
        }
        stated.in_store(desk)
    }

    /// Returns the query of one page of the list.
    pub(in crate::web) fn page(&self, filter: Filter, usual: usize) -> Query {
        let mut query = Query::default()
            .filter(filter)
            .sort(self.sort)
            .limit(self.limit.unwrap_or(usual));
        query.after.clone_from(&self.after);
        query
    }

    /// Returns the filters that narrow the list, as keys with values, and what shows more of it.
    pub(in crate::web) fn stated(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filters.pairs();
        if self.purged {
            pairs.push(("purged", true.to_string()));
        }
        pairs
    }

    /// Returns which entries are listed and in which order, without what says how a page looks.
    pub(in crate::web) fn selecting(&self) -> Self {
        Self {
            columns: None,
            limit: None,
            after: None,
            ..self.clone()
        }
    }

    /// Returns the first page of this list.
    pub(in crate::web) fn first(&self) -> Self {
        Self {
            after: None,
            ..self.clone()
        }
    }

    /// Returns the page that begins after an entry.
    pub(in crate::web) fn following(&self, after: Cursor) -> Self {
        Self {
            after: Some(after),
            ..self.clone()
        }
    }

    /// Returns the first page of this list in another order.
    pub(in crate::web) fn sorted(&self, sort: Sort) -> Self {
        Self {
            sort,
            ..self.first()
        }
    }

    /// Returns the first page of the list without one of its filters.
    pub(in crate::web) fn without(&self, key: &str, value: &str) -> Self {
        let mut kept = self.stated();
        if let Some(at) = kept.iter().position(|(of, is)| *of == key && is == value) {
            kept.remove(at);
        }
        let mut address = self.first();
        address.purged = kept.iter().any(|(key, _)| *key == "purged");
        let filters = kept.iter().filter(|(key, _)| *key != "purged");
        let filters = filters.map(|(key, value)| (*key, value.as_str()));
        // What was read once is read again.
        address.filters = Filters::from_pairs(filters).unwrap_or_default();
        address
    }

    /// Returns the query of the address, without what is usual.
    pub(in crate::web) fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.stated());
        if self.sort != NEWEST_FIRST {
            query.append_pair("sort", &sort_text(self.sort));
        }
        if let Some(columns) = &self.columns {
            let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            query.append_pair("columns", &names.join(","));
        }
        if let Some(limit) = self.limit {
            query.append_pair("limit", &limit.to_string());
        }
        if let Some(after) = &self.after {
            query.append_pair("after", &after.to_string());
        }
        query.finish()
    }

    /// Returns the address of the page of entries that shows this.
    pub(in crate::web) fn href(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/entries".to_owned(),
            query => format!("/entries?{query}"),
        }
    }

    /// Returns the command line that lists the same.
    pub(in crate::web) fn command(&self) -> String {
        let mut line = self.filters.command("list");
        if self.purged {
            line += " --purged";
        }
        if self.sort != NEWEST_FIRST {
            line += " --sort ";
            line += &sort_text(self.sort);
        }
        line
    }
}

/// Returns an order as it stands in an address.
fn sort_text(sort: Sort) -> String {
    let direction = match sort.direction {
        Direction::Asc => "asc",
        Direction::Desc => "desc",
    };
    format!("{}:{direction}", sort.field.name())
}

fn read<T>(key: &str, value: &str) -> Result<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    value.parse().map_err(|why| {
        let told = format!("'{value}' cannot stand for '{key}': {why}");
        Error::new(ErrorKind::Invalid, told)
    })
}

/// Returns the key of a filter; words in it may be joined by `-` or `_`.
fn filter_key(key: &str) -> Option<&'static str> {
    let mut names = Filters::KEYS.iter().map(|known| known.name);
    names.find(|name| name.replace('-', "_") == key.replace('-', "_"))
}

/// Reads the `limit` of an address.
///
/// # Errors
/// `Invalid` for what is no number, and those of [`page_limit`].
pub(in crate::web) fn read_limit(value: &str) -> Result<usize> {
    page_limit(read("limit", value)?)
}

/// Checks how many items of any list are asked for at a time.
///
/// # Errors
/// `Invalid` for 0, and for more than one answer may have.
pub(in crate::web) fn page_limit(limit: usize) -> Result<usize> {
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    let told = format!("'limit' is {limit}, not 1 to {LIMIT_MAX}");
    Err(Error::new(ErrorKind::Invalid, told)
        .hint("go on with 'next' as 'after', or take the whole list as CSV"))
}

fn unknown(key: &str) -> Error {
    let filters = Filters::KEYS.iter().map(|known| known.name);
    let known: Vec<&str> = filters.chain(OTHER_KEYS).collect();
    let error = Error::new(ErrorKind::Invalid, format!("there is no filter '{key}'"));
    match suggest(key, known.iter().copied()) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint(format!("the keys are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Address {
        Address::read(query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Somebody mails a link. It has to show what the sender saw.
    #[test]
    fn an_address_says_all_that_a_list_shows() {
        for query in [
            "",
            "status=failed&status=rejected&from=yesterday",
            "converter=ICT+%26+CSV&meta=line%3D3%3Da&sort=size%3Adesc",
            "text=%C3%A4+%25&purged=true&columns=id%2Cserial&limit=20",
            "suspicious=true&sort=serial%3Aasc&after=serial.asc.7.00ff",
        ] {
            assert_eq!(of(query).query(), query);
            assert_eq!(of(&of(query).query()), of(query));
        }
        assert_eq!(of("serial=&sort=&columns=&purged="), Address::default());
        assert_eq!(of("purged=false"), Address::default());
        assert_eq!(of("sort=id:desc").query(), "");
    }

    /// Of two filters, one was dropped in silence. The list looked complete and was not.
    #[test]
    fn a_key_that_is_unknown_or_a_value_that_is_none_is_refused() {
        for query in [
            "colour=red",
            "status=purple",
            "sort=luck",
            "sort=size:up",
            "columns=id,luck",
            "limit=0",
            "limit=1001",
            "after=x",
            "purged=perhaps",
            "sort=size:desc&after=id.asc.7.",
            "=",
        ] {
            let error = Address::read(query).expect_err(query);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        }
        let error = Address::read("stauts=failed").expect_err("misspelt");
        assert_eq!(error.next_step(), Some("did you mean 'status'?"));
    }

    #[test]
    fn a_dropped_filter_leaves_the_others_and_begins_at_the_first_page() {
        let all = of("status=failed&status=rejected&part=P1&purged=true&after=id.desc.7.");
        let less = |key, value| all.without(key, value).query();
        assert_eq!(
            less("status", "failed"),
            "status=rejected&part=P1&purged=true"
        );
        assert_eq!(
            less("part", "P1"),
            "status=failed&status=rejected&purged=true"
        );
        assert_eq!(
            less("purged", "true"),
            "status=failed&status=rejected&part=P1"
        );
        assert_eq!(all.first(), less_nothing(&all));
    }

    fn less_nothing(all: &Address) -> Address {
        all.without("part", "another")
    }

    #[test]
    fn the_command_line_lists_the_same() {
        let address = of("converter=ICT+CSV&status=failed&purged=true&sort=size%3Adesc");
        assert_eq!(
            address.command(),
            "annals list --converter 'ICT CSV' --status failed --purged --sort size:desc"
        );
    }
}
