//! Reads the classes of a retention policy: the `[[retention]]` tables of a configuration, or of a
//! file of their own.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::read::{Place, Reader};
use super::schema::{suggest, unknown_section};
use super::scope::{Scope, Values};
use super::settings::ConfigErrors;
use crate::entry::Status;
use crate::query::Filter;
use crate::retention::{Class, Keep, Keeps, Policy, Until, Zone, parse_bytes, unreachable};

/// The most classes of a policy: so many always fit the events that they are recorded in.
const CLASSES_MAX: usize = 100;
/// The longest name of a class, in bytes.
const NAME_BYTES_MAX: usize = 60;
/// Sections of a configuration that say nothing about classes.
const OTHER_SECTIONS: [&str; 6] = [
    "store",
    "evidence",
    "privacy",
    "host",
    "defaults",
    "converter",
];

impl Policy {
    /// Reads the classes of a policy from the text of a file that is, or would be, at `path`. Other
    /// sections of a host's configuration may stand in it and are not looked at.
    ///
    /// # Errors
    /// Every problem with its line.
    ///
    /// ```
    /// use annals::retention::Policy;
    ///
    /// let text = r#"
    /// [[retention]]
    /// name = "service parts"
    /// label = "service"
    /// keep = "1y"
    /// from = "label:end_of_service"
    ///
    /// [[retention]]
    /// name = "the rest"
    /// keep = { sources = "2y", reports = "7y", superseded = "90d" }
    /// until = "end_of_year"
    /// zone = "Europe/Berlin"
    /// "#;
    /// let policy = Policy::from_toml(text, "policy.toml".as_ref()).expect("valid");
    /// assert_eq!(policy.classes.len(), 2);
    ///
    /// let wrong = Policy::from_toml("[[retention]]\nkeep = '2 jears'", "policy.toml".as_ref());
    /// assert_eq!(wrong.expect_err("no name, no period").problems.len(), 2);
    /// ```
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader {
            text,
            problems: Vec::new(),
        };
        let classes = reader.policy();
        let mut problems = reader.problems;
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() {
            Ok(Self::default().classes(classes))
        } else {
            Err(ConfigErrors {
                path: path.to_owned(),
                problems,
            })
        }
    }
}

/// Returns a warning for each class that no entry can reach.
pub(super) fn out_of_reach(classes: &[Class]) -> Vec<String> {
    let told = unreachable(classes).into_iter().map(|(place, before)| {
        format!(
            "retention '{}' never takes effect: '{}' stands before it and has all of its entries",
            classes[place].name, classes[before].name
        )
    });
    told.collect()
}

impl Reader<'_> {
    fn policy(&mut self) -> Vec<Class> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            self.problem(line, format!("this is not TOML: {}", error.message()));
        }
        if !errors.is_empty() {
            return Vec::new();
        }
        let mut tables = Vec::new();
        for (name, value) in document.get_ref() {
            let line = self.line(name.span().start);
            match name.get_ref().as_ref() {
                "retention" => tables.extend(self.class_tables(line, value.get_ref())),
                known if OTHER_SECTIONS.contains(&known) => {}
                unknown => {
                    let message = unknown_section(unknown);
                    self.problem(line, message);
                }
            }
        }
        if tables.is_empty() && self.problems.is_empty() {
            self.problem(1, "there is no [[retention]] table, so the policy is empty");
        }
        self.classes(&tables)
    }

    /// Reads the values of the `[[retention]]` tables.
    pub(super) fn class_tables(
        &mut self,
        line: usize,
        value: &DeValue<'_>,
    ) -> Vec<(usize, Values)> {
        let Some(list) = value.as_array() else {
            let said = "classes of retention are written [[retention]], with two brackets";
            self.problem(line, said);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in list {
            let line = self.line(item.span().start);
            let DeValue::Table(table) = item.get_ref() else {
                self.problem(line, "a class of retention must be a [[retention]] table");
                continue;
            };
            let named = table.get("name").and_then(|name| name.get_ref().as_str());
            let place = Place::listed("retention", named, tables.len());
            let mut values = Values::new();
            self.table("retention", &place, table, "", &mut values);
            tables.push((line, values));
        }
        tables
    }

    /// Returns the classes that some tables state, in their order.
    pub(super) fn classes(&mut self, tables: &[(usize, Values)]) -> Vec<Class> {
        if let Some((line, _)) = tables.get(CLASSES_MAX) {
            self.problem(
                *line,
                format!("more than {CLASSES_MAX} classes of retention"),
            );
        }
        let mut classes: Vec<Class> = Vec::new();
        for (number, (line, values)) in (1..).zip(tables) {
            let none = Values::new();
            let scope = Scope {
                section: "retention",
                own: values,
                defaults: &none,
                dir: Path::new(""),
            };
            let class = self.class(&scope, *line, number);
            if classes.iter().any(|other| other.name == class.name) {
                let said = format!("there are two classes of retention named '{}'", class.name);
                self.problem(*line, said);
            }
            classes.push(class);
        }
        classes
    }

    fn class(&mut self, scope: &Scope<'_>, line: usize, number: usize) -> Class {
        let name = scope.text("name");
        let place = if name.is_empty() {
            format!("retention {number}")
        } else {
            format!("retention '{name}'")
        };
        if name.trim().is_empty() {
            self.problem(line, format!("{place}: name is missing"));
        } else if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            let said = format!("{place}: name must be one line of at most {NAME_BYTES_MAX} bytes");
            self.problem(line, said);
        }
        let mut class = Class::new(name);
        class.filter = self.filter(scope, &place);
        class.keep = self.keeps(scope, &place);
        class.from = self.word(scope, &place, "from").unwrap_or_default();
        let until = scope.text("until");
        let mut ends = Until::ENDS.into_iter();
        class.until = ends
            .find(|end| end.name() == Some(&until))
            .unwrap_or_default();
        let zone = scope.text("zone");
        match Zone::named(&zone) {
            Ok(zone) => class.zone = zone,
            Err(error) => {
                let line = scope.line("zone").unwrap_or(line);
                self.problem(line, format!("{place}: zone: {error}"));
            }
        }
        class.max_size = self.bytes(scope, &place, "max_size");
        class.min_free_disk = self.bytes(scope, &place, "min_free_disk");
        class.max_count = scope.line("max_count").map(|_| scope.whole("max_count"));
        let says = ["keep", "keep.sources", "keep.reports", "keep.superseded"];
        if !class.takes_something() && says.iter().all(|key| scope.line(key).is_none()) {
            let said = format!(
                "{place}: it says nothing; state keep, max_size, max_count or min_free_disk, or \
                 keep = \"forever\""
            );
            self.problem(line, said);
        }
        class
    }

    fn filter(&mut self, scope: &Scope<'_>, place: &str) -> Filter {
        let mut status = Vec::new();
        for word in scope.texts("status") {
            match word.parse::<Status>() {
                Ok(known) => status.push(known),
                Err(error) => {
                    let line = scope.line("status").unwrap_or(1);
                    let names = Status::ALL.into_iter().map(Status::name);
                    let meant = suggest(&word, names);
                    let meant = meant.map(|meant| format!("; did you mean '{meant}'?"));
                    let said = format!("{place}: status: {error}{}", meant.unwrap_or_default());
                    self.problem(line, said);
                }
            }
        }
        Filter {
            converter: scope.texts("converter"),
            status,
            label: scope.texts("label"),
            meta: scope.text_map("meta").into_iter().collect(),
            serial: scope.optional_text("serial"),
            part: scope.optional_text("part"),
            station: scope.optional_text("station"),
            process: scope.optional_text("process"),
            file: scope.optional_text("file"),
            ..Filter::default()
        }
    }

    fn keeps(&mut self, scope: &Scope<'_>, place: &str) -> Keeps {
        if let Some(all) = self.word::<Keep>(scope, place, "keep") {
            return all.into();
        }
        Keeps {
            sources: self.word(scope, place, "keep.sources").unwrap_or_default(),
            reports: self.word(scope, place, "keep.reports").unwrap_or_default(),
            superseded: self.word(scope, place, "keep.superseded"),
        }
    }

    /// Returns the value of a key with a form of its own; a wrong one is a problem.
    fn word<T: FromStr<Err: Display>>(
        &mut self,
        scope: &Scope<'_>,
        place: &str,
        key: &str,
    ) -> Option<T> {
        let line = scope.line(key)?;
        match scope.text(key).parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(line, format!("{place}: {key}: {error}"));
                None
            }
        }
    }

    fn bytes(&mut self, scope: &Scope<'_>, place: &str, key: &str) -> Option<u64> {
        let line = scope.line(key)?;
        let text = scope.text(key);
        // A number without a unit would be bytes, which nobody means.
        let has_unit = text.contains(|c: char| c.is_ascii_alphabetic());
        let bytes = parse_bytes(&text).filter(|bytes| *bytes > 0 && has_unit);
        if bytes.is_none() {
            let said = format!("{place}: {key}: '{text}' is not a size such as 500GB or 1.5TB");
            self.problem(line, said);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Class>, Vec<String>> {
        let read = Policy::from_toml(text, Path::new("policy.toml"));
        let told = |errors: ConfigErrors| {
            let problems = errors.problems.into_iter();
            problems
                .map(|problem| format!("{}: {}", problem.line, problem.message))
                .collect()
        };
        read.map(|policy| policy.classes).map_err(told)
    }

    #[test]
    fn every_word_of_a_class_is_read() {
        let text = r#"
            [[retention]]
            name = "a"
            converter = "ICT"
            status = ["success", "failed"]
            label = "ppap"
            meta = { line = "L1" }
            process = "final"
            keep = { sources = "2y", reports = "7y", superseded = "90d" }
            from = "label:end_of_service"
            until = "end_of_year"
            zone = "Europe/Berlin"
            max_size = "1.5GB"
            max_count = 7
            min_free_disk = "50 GB"
        "#;
        let classes = read(text).expect("valid");
        let [class] = classes.as_slice() else {
            panic!("{classes:?}");
        };
        assert_eq!(class.filter.status, [Status::Success, Status::Failed]);
        assert_eq!(
            class.rules(),
            "keep sources 2y, reports 7y, superseded 90d from label:end_of_service until \
             end_of_year in Europe/Berlin, max-size 1610612736, max-count 7, min-free-disk \
             53687091200"
        );
    }

    #[test]
    fn every_problem_is_told_with_its_line_and_what_was_meant() {
        let text = "[[retention]]\nkepe = '1y'\nstatus = 'sucess'\nfrom = 'archive'\n\
                    zone = 'Berlin'\nmax_size = 'big'\n[retentoin]\n";
        let told = read(text).expect_err("wrong");
        assert_eq!(
            told,
            [
                "1: retention 1: name is missing",
                "1: retention 1: it says nothing; state keep, max_size, max_count or \
                 min_free_disk, or keep = \"forever\"",
                "2: retention 1: there is no 'kepe'; did you mean 'keep'?",
                "3: retention 1: status: 'sucess' is not one of pending, success, failed, \
                 suspended, skipped, rejected; did you mean 'success'?",
                "4: retention 1: from: 'archive' is not one of archived, source_time, \
                 last_attempt, reported, label:NAME",
                "5: retention 1: zone: 'Berlin' is not a time zone such as UTC or Europe/Berlin",
                "6: retention 1: max_size: 'big' is not a size such as 500GB or 1.5TB",
                "7: there is no [retentoin]; did you mean [retention]?",
            ]
        );
        assert_eq!(
            read("[store]\npath = 'x'\n").expect_err("no class"),
            ["1: there is no [[retention]] table, so the policy is empty"]
        );
        assert!(read("[[retention]]\nname = 'shield'\nkeep = 'forever'").is_ok());
    }

    #[test]
    fn a_class_behind_one_that_has_all_of_its_entries_is_told() {
        let class = |name: &str, rest: &str| {
            format!("[[retention]]\nname = '{name}'\nkeep = '1y'\n{rest}\n")
        };
        let text = [
            class("one", "converter = ['ICT', 'FCT']"),
            class("two", "converter = 'ict'\nlabel = 'x'"),
            class("three", "label = 'x'"),
            class("four", ""),
            class("five", "status = 'failed'"),
        ];
        let classes = read(&text.concat()).expect("valid");
        let told = out_of_reach(&classes);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("retention 'two' never takes effect: 'one'"));
        assert!(told[1].starts_with("retention 'five' never takes effect: 'four'"));
    }
}
