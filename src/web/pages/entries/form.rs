//! The form with which a list is filtered, and the chips of the filters that act.

use super::super::frame::Frame;
use super::super::parts::Mark;
use super::rows::column_name;
use crate::entry::Status;
use crate::query::{Sort, SortField};
use crate::web::address::Address;
use crate::web::columns::Column;

/// What stands in the fields of the form.
pub(super) struct Form {
    address: Address,
    /// The converters that there are, for the list of choices.
    pub(super) converters: Vec<String>,
    /// The holds that are in force.
    pub(super) holds: Vec<String>,
}

/// Something to choose.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) word: String,
    pub(super) is_chosen: bool,
}

/// A state to choose.
pub(super) struct StateChoice {
    pub(super) mark: Mark,
    pub(super) is_chosen: bool,
}

/// A filter that acts.
pub(super) struct Chip {
    pub(super) name: String,
    pub(super) value: String,
    /// The list without it.
    pub(super) href: String,
}

impl Form {
    pub(super) fn new(address: &Address, converters: Vec<String>, holds: Vec<String>) -> Self {
        Self {
            address: address.clone(),
            converters,
            holds,
        }
    }

    /// Returns the value of a filter that takes one; empty when it is not stated.
    pub(super) fn one(&self, key: &str) -> String {
        self.many(key).into_iter().next().unwrap_or_default()
    }

    /// Returns the values of a filter that takes many.
    pub(super) fn many(&self, key: &str) -> Vec<String> {
        let stated = self.address.stated().into_iter();
        let of_key = stated.filter(|(of, _)| of.replace('-', "_") == key);
        of_key.map(|(_, value)| value).collect()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        !self.many(key).is_empty()
    }

    pub(super) fn states(&self, frame: &Frame) -> Vec<StateChoice> {
        let chosen = self.many("status");
        let choice = |status: Status| StateChoice {
            mark: frame.mark(status),
            is_chosen: chosen.iter().any(|name| name == status.name()),
        };
        Status::ALL.into_iter().map(choice).collect()
    }

    /// Returns every column, with those that are shown first and in their order.
    pub(super) fn columns(&self, frame: &Frame) -> Vec<Choice> {
        let shown = super::rows::columns(&self.address);
        let others = Column::ALL.iter().filter(|one| !shown.contains(one));
        let all = shown.iter().chain(others);
        all.map(|column| Choice {
            value: column.name().to_owned(),
            word: column_name(*column, frame).to_owned(),
            is_chosen: shown.contains(column),
        })
        .collect()
    }

    /// Returns the columns that were chosen, as they stand in an address; empty for the usual ones.
    pub(super) fn chosen_columns(&self) -> String {
        let chosen = self.address.columns.iter().flatten();
        let names: Vec<&str> = chosen.map(|column| column.name()).collect();
        names.join(",")
    }

    /// Returns every order, by name.
    pub(super) fn orders(&self, frame: &Frame) -> Vec<Choice> {
        let both = |field: SortField| {
            ["asc", "desc"].map(|direction| {
                let value = format!("{}:{direction}", field.name());
                let column = Column::ALL.iter().find(|one| one.sort() == Some(field));
                let name = column.map_or("", |column| column_name(*column, frame));
                let way = frame.say(&format!("entries.sort_{direction}"));
                Choice {
                    is_chosen: value.parse() == Ok::<Sort, _>(self.address.sort),
                    word: format!("{name}, {way}"),
                    value,
                }
            })
        };
        SortField::ALL.into_iter().flat_map(both).collect()
    }
}

/// Returns the chips of the filters that act.
pub(super) fn chips(address: &Address, frame: &Frame) -> Vec<Chip> {
    let stated = address.stated().into_iter();
    stated
        .map(|(key, value)| Chip {
            name: filter_name(key, frame).to_owned(),
            href: address.without(key, &value).href(),
            value: filter_value(key, &value, frame),
        })
        .collect()
}

/// Returns the name of a filter in the visitor's language.
pub(super) fn filter_name(key: &str, frame: &Frame) -> &'static str {
    frame.say(&format!("entries.filter_{}", key.replace('-', "_")))
}

/// Returns the value of a filter as people say it.
pub(super) fn filter_value(key: &str, value: &str, frame: &Frame) -> String {
    match key {
        "status" => match value.parse::<Status>() {
            Ok(status) => frame.mark(status).word.to_owned(),
            Err(_) => value.to_owned(),
        },
        "hold" if value == "*" => frame.say("entries.any_hold").to_owned(),
        // Flags have no value beside their name.
        _ if value == "true" => String::new(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::service::entries::Filters;
    use crate::web::columns::Column;
    use crate::web::texts::Language;

    /// The names of filters and columns are put together, so no search for texts finds them.
    #[test]
    fn every_filter_and_every_column_has_a_name_in_every_language() {
        let filters = Filters::KEYS.iter().map(|key| key.name).chain(["purged"]);
        let filters = filters.map(|name| format!("entries.filter_{}", name.replace('-', "_")));
        let columns = Column::ALL.iter().map(|column| column.name());
        let columns = columns.map(|name| format!("entries.column_{name}"));
        for key in filters.chain(columns) {
            for language in Language::ALL {
                let name = language.say(&key);
                assert!(name != "?" && name != key, "{key}");
            }
        }
    }
}
