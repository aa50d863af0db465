//! Reads the keys that say which companions files have.

use super::names::{Names, overlap};
use super::settings::ConverterConfig;
use crate::convert::{Companions, Need, Pattern, Takes};

/// Reads which companions files have. Also returns the keys with invalid values, and why.
pub(super) fn read(
    texts: &[String],
    required: &[String],
    names: &Names,
) -> (Companions, Vec<(&'static str, String)>) {
    let mut wrong = Vec::new();
    for text in required.iter().filter(|text| !texts.contains(text)) {
        let why = format!("{text:?} is none of companions");
        wrong.push(("companions_required", why));
    }
    let mut patterns = Vec::new();
    for text in texts {
        let need = if required.contains(text) {
            Need::Required
        } else {
            Need::Optional
        };
        match Pattern::parse(text, need) {
            Ok(pattern) => patterns.push(pattern),
            Err(why) => wrong.push(("companions", format!("{text:?}: {why}"))),
        }
    }
    let (ignored, temporary) = (names.ignored().clone(), names.temporary().clone());
    (Companions::new(patterns, ignored, temporary), wrong)
}

/// Warns of other converters of this folder that take what may be a companion.
pub(super) fn taken_by_others(one: &ConverterConfig, all: &[ConverterConfig]) -> Vec<String> {
    let Some(companions) = one.companions() else {
        return Vec::new();
    };
    let others = all.iter().filter(|other| {
        !std::ptr::eq(one, *other)
            && one.watch_folder.is_some()
            && one.watch_folder == other.watch_folder
    });
    let warning = |other: &ConverterConfig| {
        let ours: Vec<String> = if other.converter.takes == Takes::Folders {
            companions.any_folder().collect()
        } else {
            companions.any_file().collect()
        };
        let mut theirs = other.patterns().iter();
        let taken = theirs.find(|theirs| ours.iter().any(|ours| overlap(ours, theirs)))?;
        Some(format!(
            "converter '{}' takes files such as {taken}, which may be companions of the files of converter '{}' in the same folder; the one with the lower priority number, then the first, gets them",
            other.converter.name, one.converter.name,
        ))
    };
    others.filter_map(warning).collect()
}
