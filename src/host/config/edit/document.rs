//! Changes one value in a TOML document and leaves the rest of it byte for byte as it is.

use toml_edit::{Decor, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::Document;
use super::target::{SectionRef, Target};
use crate::convert::MASK;
use crate::{Error, ErrorKind, Result};

/// Sets a value, which is given as TOML.
pub(super) fn set(document: &mut DocumentMut, target: &Target<'_>, value: &str) -> Result<()> {
    let mut value: Value = value
        .parse()
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("this is not TOML: {error}")))?;
    if let SectionRef::Section(name) = target.place {
        let table = || Item::Table(Table::new());
        document.as_table_mut().entry(name).or_insert_with(table);
    }
    let found = section(document, target)?;
    let (mut table, mut is_inline) = found.ok_or_else(|| unusual(target.path))?;
    let mut parts = parts(target)?;
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let inner = table.entry(part).or_insert_with(|| {
            let mut inner = Table::new();
            inner.set_dotted(true);
            Item::Table(inner)
        });
        is_inline |= inner.is_inline_table();
        table = inner.as_table_like_mut().ok_or_else(|| unusual(part))?;
    }
    match table.get_mut(last) {
        Some(Item::Value(there)) => {
            if is_equal(there, &value) {
                return Ok(());
            }
            // Keeps the white space around the value, and the comment after it.
            *value.decor_mut() = there.decor().clone();
            *there = value;
        }
        Some(Item::None) | None => {
            if is_inline {
                // The space before the closing brace belongs to what was last.
                let space = last_decor(table).and_then(|decor| {
                    let space = decor.suffix()?.as_str()?.to_owned();
                    decor.set_suffix("");
                    Some(space)
                });
                value.decor_mut().set_prefix(" ");
                value.decor_mut().set_suffix(space.unwrap_or_default());
            }
            table.insert(last, Item::Value(value));
        }
        // `[converter.arguments]` written as a section: its own entries change, one by one.
        Some(there) => {
            let given = value.as_inline_table().ok_or_else(|| unusual(last))?;
            let there = there.as_table_like_mut().ok_or_else(|| unusual(last))?;
            replace_entries(there, given);
        }
    }
    Ok(())
}

/// What stands in for a value that is gone until the text is written, which leaves its line out. To
/// remove the key at once would remove the comments above it, too.
const GONE: &str = "\u{fdd0}gone\u{fdd0}";

/// Returns the text of a document, without the lines of what was taken out.
pub(super) fn text(document: &DocumentMut) -> String {
    let text = document.to_string();
    if !text.contains(GONE) {
        return text;
    }
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.contains(GONE)).collect()
}

/// Takes a key out. One that is not there stays away.
pub(super) fn unset(document: &mut DocumentMut, target: &Target<'_>) -> Result<()> {
    let Some((mut table, mut is_inline)) = section(document, target)? else {
        return Ok(());
    };
    let mut parts = parts(target)?;
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(inner) = table.get_mut(part) else {
            return Ok(());
        };
        is_inline |= inner.is_inline_table();
        table = inner.as_table_like_mut().ok_or_else(|| unusual(part))?;
    }
    match table.get_mut(last) {
        Some(Item::Value(there)) if !is_inline => *there = Value::from(GONE),
        _ => {
            let space = last_decor(table).and_then(|decor| decor.suffix().cloned());
            table.remove(last);
            if let (true, Some(space), Some(decor)) = (is_inline, space, last_decor(table)) {
                decor.set_suffix(space);
            }
        }
    }
    Ok(())
}

/// Returns what stands around the last value of a table.
fn last_decor(table: &mut dyn TableLike) -> Option<&mut Decor> {
    let (_, last) = table.iter_mut().last()?;
    last.as_value_mut().map(Value::decor_mut)
}

/// Returns a value that may be secret as it stands in the file: that of the key, or of one entry of
/// it. What a converter does not have itself, `[defaults]` may have.
pub(super) fn secret(text: &str, target: &Target<'_>, entry: Option<&str>) -> Option<String> {
    let (key, _) = target.key().ok()?;
    let document = Document::of(text).ok()?.tables;
    let own = match target.place {
        SectionRef::Section(name) => document.get(name),
        SectionRef::Converter(index, _) => document.get("converter")?.get(index),
    };
    [own, document.get("defaults")]
        .into_iter()
        .flatten()
        .find_map(|section| {
            let mut item = section;
            for part in key.name.split('.').chain(entry) {
                item = item.get(part)?;
            }
            item.as_str().map(str::to_owned)
        })
}

/// Returns the line of a key in `[defaults]`.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = toml_edit::Document::parse(text).ok()?;
    let mut item = document.get("defaults")?;
    for part in key.split('.') {
        item = item.get(part)?;
    }
    let before = text.get(..item.span()?.start)?;
    Some(before.matches('\n').count() + 1)
}

/// Puts the secrets that stand in the file into a table that came back with masks.
pub(super) fn unmask(
    table: &str,
    secret: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut table: Value = table.parse().map_err(|_| "is no table".to_owned())?;
    let entries = table.as_inline_table_mut().ok_or("is no table")?;
    for (name, value) in entries.iter_mut() {
        if value.as_str() == Some(MASK) {
            let there = secret(&name)
                .ok_or_else(|| format!("{name:?}: {MASK} stands for a secret that is not there"))?;
            let decor = value.decor().clone();
            *value = Value::from(there);
            *value.decor_mut() = decor;
        }
    }
    Ok(table.to_string())
}

/// Returns the table of a section, and whether it is written in braces. `None` when the file has no
/// such section.
fn section<'a>(
    document: &'a mut DocumentMut,
    target: &Target<'_>,
) -> Result<Option<(&'a mut dyn TableLike, bool)>> {
    match target.place {
        SectionRef::Section(name) => match document.get_mut(name) {
            None => Ok(None),
            Some(item) => {
                let is_inline = item.is_inline_table();
                let table = item.as_table_like_mut().ok_or_else(|| unusual(name))?;
                Ok(Some((table, is_inline)))
            }
        },
        SectionRef::Converter(index, name) => {
            let unusual = || unusual(&format!("converter '{name}'"));
            let list = document.get_mut("converter").ok_or_else(unusual)?;
            // `[[converter]]`, or a list of tables in braces.
            match list {
                Item::ArrayOfTables(tables) => {
                    let table = tables.get_mut(index).ok_or_else(unusual)?;
                    Ok(Some((table as &mut dyn TableLike, false)))
                }
                Item::Value(Value::Array(tables)) => {
                    let table = tables.get_mut(index).and_then(Value::as_inline_table_mut);
                    let table = table.ok_or_else(unusual)? as &mut dyn TableLike;
                    Ok(Some((table, true)))
                }
                _ => Err(unusual()),
            }
        }
    }
}

/// Returns the parts of the way to a value. An entry's name may contain dots; in the name of a key,
/// a dot separates the inner table.
fn parts<'a>(target: &Target<'a>) -> Result<Vec<&'a str>> {
    let (_, entry) = target.key()?;
    let name = entry.map_or(target.path, |entry| {
        &target.path[..target.path.len() - entry.len() - 1]
    });
    Ok(name.split('.').chain(entry).collect())
}

/// Gives a table the entries of another, and leaves those that are equal alone.
fn replace_entries(there: &mut dyn TableLike, given: &InlineTable) {
    let names: Vec<String> = there.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().filter(|name| !given.contains_key(name)) {
        there.remove(name);
    }
    for (name, value) in given {
        let mut value = value.clone();
        match there.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) if is_equal(old, &value) => {}
            Some(old) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => {
                value.decor_mut().clear();
                there.insert(name, Item::Value(value));
            }
        }
    }
}

/// Tells whether two values mean the same however they are spelled: `90` and `90.0` are two
/// numbers, `"a"` and `'a'` one text.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.value() == other.value(),
        (Value::Integer(one), Value::Integer(other)) => one.value() == other.value(),
        (Value::Float(one), Value::Float(other)) => {
            one.value().to_bits() == other.value().to_bits()
        }
        (Value::Boolean(one), Value::Boolean(other)) => one.value() == other.value(),
        (Value::Array(one), Value::Array(other)) => {
            let pairs = || one.iter().zip(other.iter());
            one.len() == other.len() && pairs().all(|(one, other)| is_equal(one, other))
        }
        (Value::InlineTable(one), Value::InlineTable(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    let there = other.get(name);
                    there.is_some_and(|there| is_equal(value, there))
                })
        }
        _ => false,
    }
}

fn unusual(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{what} is written in a way that cannot be changed here"),
    )
    .hint("change the file by hand, then `config check`")
}
