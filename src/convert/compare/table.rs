//! Reads text with separated columns (CSV, TSV) as a tree for comparison.

use crate::convert::protocol::{Json, Text};

/// The characters that may separate columns, the likeliest first.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// Maximum bytes of a text that is read as a table.
const BYTES_MAX: usize = 64 << 20;
/// Maximum number of columns.
const COLUMNS_MAX: usize = 4096;

/// Parses a table into an object: `delimiter`, `columns` (their names), and `rows`, each an object
/// of its fields by column.
///
/// The first row must name the columns: names that all differ, are not empty, and are no numbers.
/// Every row has a field for each column. `None` for any other text. Quoted fields may contain
/// delimiters, line ends, and quotes that are doubled.
pub(super) fn parse(text: &str) -> Option<Json> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > BYTES_MAX || text.contains('\0') {
        return None;
    }
    DELIMITERS
        .into_iter()
        .find_map(|delimiter| parse_by(text, delimiter))
}

fn parse_by(text: &str, delimiter: char) -> Option<Json> {
    let mut rows = Rows {
        rest: text,
        delimiter,
    };
    let columns = rows.next()??;
    if !(2..=COLUMNS_MAX).contains(&columns.len()) || !are_names(&columns) {
        return None;
    }
    let names: Vec<Text> = columns.iter().map(|name| Text::of(name.trim())).collect();
    let mut read = Vec::new();
    for row in rows {
        let row = row?;
        if row.len() == 1 && row[0].is_empty() {
            // An empty line, mostly the last one.
            continue;
        }
        if row.len() != names.len() {
            return None;
        }
        let fields = row.into_iter().map(Json::text);
        read.push(Json::Object(names.iter().cloned().zip(fields).collect()));
    }
    if read.is_empty() {
        return None;
    }
    let columns = columns.iter().map(|name| Json::text(name.trim())).collect();
    Some(Json::Object(vec![
        (Text::of("delimiter"), Json::text(delimiter)),
        (Text::of("columns"), Json::List(columns)),
        (Text::of("rows"), Json::List(read)),
    ]))
}

fn are_names(columns: &[String]) -> bool {
    let mut sorted: Vec<&str> = columns.iter().map(|name| name.trim()).collect();
    sorted.sort_unstable();
    let is_name = |name: &&str| {
        !name.is_empty() && name.parse::<f64>().is_err() && !name.starts_with(['{', '[', '<'])
    };
    sorted.iter().all(is_name) && sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// The rows of a text. A row is `None` where a quote is not closed or not alone.
struct Rows<'a> {
    rest: &'a str,
    delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Option<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            let Some(field) = self.field() else {
                self.rest = "";
                return Some(None);
            };
            row.push(field);
            if row.len() > COLUMNS_MAX {
                self.rest = "";
                return Some(None);
            }
            if let Some(rest) = self.rest.strip_prefix(self.delimiter) {
                self.rest = rest;
                continue;
            }
            let rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
            self.rest = rest.strip_prefix('\n').unwrap_or(rest);
            return Some(Some(row));
        }
    }
}

impl Rows<'_> {
    /// Takes a field off the rest, up to its delimiter or line end.
    fn field(&mut self) -> Option<String> {
        let Some(mut quoted) = self.rest.strip_prefix('"') else {
            let ends = |c: char| c == self.delimiter || c == '\n' || c == '\r';
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (field, rest) = self.rest.split_at(end);
            self.rest = rest;
            return (!field.contains('"')).then(|| field.to_owned());
        };
        let mut field = String::new();
        loop {
            let (part, rest) = quoted.split_once('"')?;
            field.push_str(part);
            match rest.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    quoted = more;
                }
                None => {
                    self.rest = rest;
                    let is_over = rest.is_empty() || rest.starts_with([self.delimiter, '\r', '\n']);
                    return is_over.then_some(field);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        parse(text).map(|tree| tree.to_string())
    }

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        let wanted = |delimiter: &str| {
            Some(format!(
                r#"{{"delimiter":"{delimiter}","columns":["Step","Volts"],"rows":[{{"Step":"a","Volts":"4.9"}},{{"Step":"b","Volts":""}}]}}"#
            ))
        };
        assert_eq!(told("Step,Volts\na,4.9\nb,\n"), wanted(","));
        assert_eq!(told("\u{feff}Step;Volts\r\na;4.9\r\nb;"), wanted(";"));
        assert_eq!(told("Step\tVolts\na\t4.9\n\nb\t\n\n"), wanted("\\t"));
        assert_eq!(told("\"Step\",Volts\n\"a\",\"4.9\"\nb,\"\"\n"), wanted(","));
    }

    #[test]
    fn quoted_fields_may_hold_anything() {
        let text = "a,b\n\"x,\"\"y\"\"\nz\",1\n";
        let wanted = r#"{"delimiter":",","columns":["a","b"],"rows":[{"a":"x,\"y\"\nz","b":"1"}]}"#;
        assert_eq!(told(text).as_deref(), Some(wanted));
    }

    #[test]
    fn what_has_no_names_or_no_rows_is_no_table() {
        for text in [
            "",
            "a",
            "a,b",
            "a,b\n",
            "1,2\n3,4",
            "a,a\n1,2",
            "a,\n1,2",
            "a,b\n1",
            "a,b\n1,2,3",
            "a,b\n\"1,2",
            "a,b\n\"1\"x,2",
            "a,b\nx\"y,2",
            "{\"a\":1,\"b\":2}\n1,2",
            "a,b\n\x001,2",
            "Serial: 1, 2\nVolts: 3\n",
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
