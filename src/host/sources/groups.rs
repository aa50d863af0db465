//! Groups the names in a watch folder: each main file with its companions.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::candidate::{Candidate, Scanned};
use super::file_meta::{FileMeta, file_meta};
use super::parts::refused;
use crate::convert::{Beside, Companions, Listing};
use crate::host::config::settings::{ConverterConfig, Links};
use crate::{Error, ErrorKind};

/// Lists the main files in a watch folder, each with its companions. A companion is no source
/// itself.
pub(super) fn scan(
    config: &ConverterConfig,
    companions: &Companions,
    folder: &Path,
    converter: usize,
) -> io::Result<Scanned> {
    let listing = Listing::of(folder)?;
    let is_main = |name: &OsStr| config.takes(&name.to_string_lossy());
    let files = listing
        .iter()
        .filter(|found| !found.is_folder && is_main(&found.name));
    let found: BTreeMap<&OsStr, Beside> = files
        .map(|found| {
            (
                found.name.as_os_str(),
                companions.beside(&found.name, &listing),
            )
        })
        .collect();
    let Divided {
        sources,
        contested,
        mut belonging,
    } = divide(&found);
    let mut scanned = Scanned::default();
    for (main, other) in contested {
        scanned
            .refused
            .push((folder.join(main), claimed_twice(folder, main, other)));
        belonging.insert(main);
        belonging.extend(found[main].names.iter().map(OsString::as_os_str));
    }
    for main in sources {
        belonging.insert(main);
        if let Some(candidate) = candidate(folder, main, &found[main], &mut scanned) {
            scanned.candidates.push(Candidate {
                converter,
                ..candidate
            });
        }
    }
    let alone = listing
        .iter()
        .filter(|found| !belonging.contains(found.name.as_os_str()) && companions.may_be(found));
    scanned
        .alone
        .extend(alone.map(|found| folder.join(&found.name)));
    Ok(scanned)
}

/// Returns a main file with its companions as a candidate.
///
/// Returns `None` when it is no regular file, or gone, or cannot be a source as it is.
fn candidate(
    folder: &Path,
    main: &OsStr,
    beside: &Beside,
    scanned: &mut Scanned,
) -> Option<Candidate> {
    let path = folder.join(main);
    let alone = match file_meta(&path, Links::Skip) {
        Ok(Some(alone)) => alone,
        Ok(None) => return None,
        Err(error) => {
            let error = Error::io("look at", &path, error);
            scanned.refused.push((path, error));
            return None;
        }
    };
    let mut names = beside.names.clone();
    let whole = if names.is_empty() {
        alone
    } else {
        names.push(main.to_owned());
        match FileMeta::among(folder, &names) {
            Ok((meta, _)) => meta,
            Err(error) if error.is_gone() => return None,
            Err(error) => {
                scanned.refused.push((path.clone(), refused(&path, error)));
                return None;
            }
        }
    };
    let unfinished = beside.unfinished.as_ref();
    let incomplete = unfinished
        .map(|name| format!("{} is still being written", name.display()))
        .or_else(|| {
            let lacking = beside.lacking.as_ref();
            lacking.map(|pattern| format!("its companion {pattern} is not there"))
        });
    Some(Candidate {
        path,
        name: main.to_owned(),
        meta: whole,
        main: alone,
        companions: beside.names.clone(),
        incomplete,
        converter: 0,
    })
}

/// Names that were divided into sources and companions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Divided<'a> {
    sources: Vec<&'a OsStr>,
    /// Pairs of files that claim each other, or that claim one companion.
    contested: Vec<(&'a OsStr, &'a OsStr)>,
    /// The companions of all sources.
    belonging: BTreeSet<&'a OsStr>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    Source,
    Companion,
}

/// Divides files that may be main files into sources and companions.
///
/// A file that a source claims is its companion, whatever it claims itself.
fn divide<'a>(found: &'a BTreeMap<&'a OsStr, Beside>) -> Divided<'a> {
    let key = |name: &OsStr| found.get_key_value(name).map(|(key, _)| *key);
    let mut claimers: BTreeMap<&OsStr, Vec<&'a OsStr>> = BTreeMap::new();
    for (main, beside) in found {
        for name in beside.names.iter().filter_map(|name| key(name)) {
            claimers.entry(name).or_default().push(main);
        }
    }
    let mut standing: BTreeMap<&OsStr, Standing> = found
        .keys()
        .map(|main| (*main, Standing::Unknown))
        .collect();
    loop {
        let mut is_unchanged = true;
        for main in found.keys() {
            if standing[main] == Standing::Source {
                continue;
            }
            let by = claimers.get(main).into_iter().flatten();
            let mut of = by.map(|claimer| standing[claimer]);
            let now = if of.clone().any(|of| of == Standing::Source) {
                Standing::Companion
            } else if of.all(|of| of == Standing::Companion) {
                Standing::Source
            } else {
                Standing::Unknown
            };
            is_unchanged &= standing.insert(main, now) == Some(now);
        }
        if is_unchanged {
            break;
        }
    }
    let mut divided = Divided::default();
    let mut owners: BTreeMap<&OsStr, &'a OsStr> = BTreeMap::new();
    for (main, beside) in found {
        match standing[main] {
            Standing::Companion => {}
            Standing::Unknown => {
                let other = claimers.get(main).and_then(|claimers| claimers.first());
                divided.contested.extend(other.map(|other| (*main, *other)));
            }
            Standing::Source => {
                let shared = beside
                    .names
                    .iter()
                    .find_map(|name| owners.get(name.as_os_str()));
                if let Some(other) = shared.copied() {
                    divided.contested.extend([(*main, other), (other, *main)]);
                    continue;
                }
                let names = beside.names.iter().map(OsString::as_os_str);
                owners.extend(names.map(|name| (name, *main)));
                divided.sources.push(main);
            }
        }
    }
    divided.belonging.extend(owners.keys());
    divided.contested.sort();
    divided.contested.dedup_by_key(|(main, _)| *main);
    let contested: BTreeSet<&OsStr> = divided.contested.iter().map(|(main, _)| *main).collect();
    divided.sources.retain(|main| !contested.contains(main));
    divided
}

fn claimed_twice(folder: &Path, main: &OsStr, other: &OsStr) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "{} was left: {} has the same companions, or is one",
            folder.join(main).display(),
            other.display()
        ),
    )
    .hint("let `patterns` take the main files only, or make `companions` more exact")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides names, each of which claims the names listed with it. Returns sources and contested
    /// names.
    fn divided(claims: &[(&'static str, &[&str])]) -> (Vec<String>, Vec<String>) {
        let found: BTreeMap<&OsStr, Beside> = claims
            .iter()
            .map(|(main, names)| {
                let names = names.iter().map(OsString::from).collect();
                let beside = Beside {
                    names,
                    ..Beside::default()
                };
                (OsStr::new(*main), beside)
            })
            .collect();
        let divided = divide(&found);
        let text = |name: &OsStr| name.to_string_lossy().into_owned();
        let contested = divided.contested.iter().map(|(main, _)| text(main));
        (
            divided.sources.iter().map(|main| text(main)).collect(),
            contested.collect(),
        )
    }

    /// With `{stem}*.txt`, `a.txt` and `a-values.txt` are both texts, and one belongs to the other.
    #[test]
    fn a_file_that_belongs_to_another_is_no_source_of_its_own() {
        let claims: &[(&str, &[&str])] = &[("a", &["b", "x"]), ("b", &["c"]), ("c", &[])];
        assert_eq!(divided(claims), (vec!["a".into(), "c".into()], vec![]));
    }

    #[test]
    fn files_that_claim_each_other_or_the_same_are_no_sources() {
        let each_other: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a"]), ("c", &["x"])];
        assert_eq!(
            divided(each_other),
            (vec!["c".into()], vec!["a".into(), "b".into()])
        );
        let same: &[(&str, &[&str])] = &[("a", &["x"]), ("b", &["x"])];
        assert_eq!(divided(same), (vec![], vec!["a".into(), "b".into()]));
    }
}
