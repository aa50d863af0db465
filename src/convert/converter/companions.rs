//! Finds the files and folders that belong to a main file beside them, such as `unit.txt` with its
//! folder `unit/`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher, GlobSet};

use crate::index::{composed, fold};

/// The rules by which companions of a main file are found. Empty for a converter that takes single
/// files or folders.
#[derive(Debug, Clone, Default)]
pub struct Companions(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {
    patterns: Vec<Pattern>,
    /// Patterns of names that are never companions.
    ignored: GlobSet,
    /// Patterns of names of companions that are still being written.
    temporary: GlobSet,
}

/// One kind of companion: a pattern of names with one placeholder.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    before: String,
    placeholder: Placeholder,
    after: GlobMatcher,
    kind: Kind,
    need: Need,
}

/// The part of the main file's name that replaces the placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    /// The name without its last extension.
    Stem,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// Whether a main file is complete without a companion that fits the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Optional,
    Required,
}

impl Pattern {
    /// Parses a configured pattern. The error says what is wrong with it.
    pub(crate) fn parse(text: &str, need: Need) -> Result<Self, String> {
        let (name, kind) = match text.strip_suffix('/') {
            Some(name) => (name, Kind::Folder),
            None => (text, Kind::File),
        };
        if name.contains(['/', '\\']) {
            return Err("companions stand beside the main file: a '/' may only be at the end, where it means a folder".to_owned());
        }
        let found = [("{stem}", Placeholder::Stem), ("{name}", Placeholder::Name)]
            .into_iter()
            .find_map(|(word, placeholder)| Some((name.split_once(word)?, placeholder)));
        let Some(((before, after), placeholder)) = found else {
            return Err(
                "it needs a {stem}, the main file's name without extension, or a {name}, its whole name"
                    .to_owned(),
            );
        };
        if before.contains(['*', '?', '[', ']', '{', '}']) {
            return Err("only plain text may stand before the placeholder".to_owned());
        }
        if kind == Kind::File && after.is_empty() && before.is_empty() {
            return Err("it names the main file itself, or a file without extension; a folder ends with '/'".to_owned());
        }
        let after = GlobBuilder::new(&fold(after))
            .build()
            .map_err(|error| format!("it is no pattern: {}", error.kind()))?
            .compile_matcher();
        Ok(Self {
            text: text.to_owned(),
            before: composed(before).into_owned(),
            placeholder,
            after,
            kind,
            need,
        })
    }

    /// Returns a pattern that matches the companions of this kind of any main file.
    fn any(&self) -> String {
        format!("{}*{}", self.before, self.after.glob().glob())
    }
}

impl Companions {
    /// Creates the rules. Names in `ignored` are never companions; names in `temporary` are
    /// companions that are still being written.
    pub(crate) fn new(patterns: Vec<Pattern>, ignored: GlobSet, temporary: GlobSet) -> Self {
        Self(Arc::new(Rules {
            patterns,
            ignored,
            temporary,
        }))
    }

    /// Returns the patterns as they are configured.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.patterns.iter().map(|pattern| pattern.text.as_str())
    }

    /// Returns true when there are no patterns, so that no file has companions.
    pub fn is_empty(&self) -> bool {
        self.0.patterns.is_empty()
    }

    /// Returns patterns of the names that companions may have that are files.
    pub(crate) fn any_file(&self) -> impl Iterator<Item = String> {
        self.any(Kind::File)
    }

    /// Returns patterns of the names that companions may have that are folders.
    pub(crate) fn any_folder(&self) -> impl Iterator<Item = String> {
        self.any(Kind::Folder)
    }

    fn any(&self, kind: Kind) -> impl Iterator<Item = String> {
        let of_kind = self
            .0
            .patterns
            .iter()
            .filter(move |pattern| pattern.kind == kind);
        of_kind.map(Pattern::any)
    }

    /// Finds the companions of a main file in a listing of its folder.
    pub(crate) fn beside(&self, main: &OsStr, listing: &Listing) -> Beside {
        let mut beside = Beside::default();
        for pattern in &self.0.patterns {
            let part = match pattern.placeholder {
                Placeholder::Stem => Path::new(main).file_stem().unwrap_or(main),
                Placeholder::Name => main,
            };
            let begins = [pattern.before.clone().into_bytes(), key(part)].concat();
            let mut is_lacking = pattern.need == Need::Required;
            let named = listing.beginning_with(&begins).filter(|(rest, found)| {
                let kind = if found.is_folder {
                    Kind::Folder
                } else {
                    Kind::File
                };
                kind == pattern.kind && found.name != main && pattern.after.is_match(&*fold(rest))
            });
            for (_, found) in named {
                match self.standing(found) {
                    Standing::Companion => {
                        beside.names.push(found.name.clone());
                        is_lacking = false;
                    }
                    Standing::Unfinished => beside.unfinished = Some(found.name.clone()),
                    Standing::Ignored => {}
                }
            }
            if is_lacking {
                beside.lacking.get_or_insert_with(|| pattern.text.clone());
            }
        }
        beside.names.sort();
        beside.names.dedup();
        beside
    }

    /// Returns true for a name that may be the companion of some main file.
    pub(crate) fn may_be(&self, found: &Found) -> bool {
        if self.standing(found) != Standing::Companion {
            return false;
        }
        let told = found.name.to_string_lossy();
        let name = composed(&told);
        let kind = if found.is_folder {
            Kind::Folder
        } else {
            Kind::File
        };
        self.0.patterns.iter().any(|pattern| {
            kind == pattern.kind
                && name
                    .strip_prefix(pattern.before.as_str())
                    .is_some_and(|rest| {
                        // The placeholder may stand for any beginning of the rest, so each one is
                        // tried.
                        let mut ends = rest
                            .char_indices()
                            .skip(1)
                            .map(|(at, _)| at)
                            .chain([rest.len()]);
                        ends.any(|end| pattern.after.is_match(&*fold(&rest[end..])))
                    })
        })
    }
}

/// What a name that fits a pattern means for its main file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Companion,
    Unfinished,
    Ignored,
}

impl Companions {
    fn standing(&self, found: &Found) -> Standing {
        let name = found.name.to_string_lossy();
        let name = &*fold(&name);
        if self.0.ignored.is_match(name) {
            Standing::Ignored
        } else if self.0.temporary.is_match(name) {
            Standing::Unfinished
        } else {
            Standing::Companion
        }
    }
}

impl PartialEq for Companions {
    fn eq(&self, other: &Self) -> bool {
        let told = |companions: &Self| -> Vec<(String, Need)> {
            let patterns = companions.0.patterns.iter();
            patterns
                .map(|pattern| (pattern.text.clone(), pattern.need))
                .collect()
        };
        told(self) == told(other)
    }
}

impl Eq for Companions {}

/// The companions that lie beside a main file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// The names of the companions, sorted.
    pub(crate) names: Vec<OsString>,
    /// The pattern of a required companion of which there is none.
    pub(crate) lacking: Option<String>,
    /// A companion that is still being written.
    pub(crate) unfinished: Option<OsString>,
}

/// The names in a folder, sorted so that names with a common beginning are adjacent.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    names: BTreeMap<Vec<u8>, Vec<Found>>,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: OsString,
    pub(crate) is_folder: bool,
}

impl Listing {
    /// Lists a folder. Links are not followed.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        for item in fs::read_dir(folder)? {
            let item = item?;
            let is_folder = match item.file_type() {
                Ok(kind) => kind.is_dir(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            listing.insert(item.file_name(), is_folder);
        }
        Ok(listing)
    }

    fn insert(&mut self, name: OsString, is_folder: bool) {
        let names = self.names.entry(key(&name)).or_default();
        names.push(Found { name, is_folder });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Found> {
        self.names.values().flatten()
    }

    /// Returns the names that begin with these bytes, each with the rest of the name.
    fn beginning_with(&self, begins: &[u8]) -> impl Iterator<Item = (String, &Found)> {
        let length = begins.len();
        let begins_so = begins.to_owned();
        self.names
            .range(begins.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(&begins_so))
            .flat_map(move |(key, found)| {
                let rest = String::from_utf8_lossy(&key[length..]).into_owned();
                found.iter().map(move |found| (rest.clone(), found))
            })
    }
}

/// Returns a name in the form in which names are compared.
///
/// Accents are composed into one character, because systems write them in different ways. A name
/// that is not UTF-8 stays as it is.
fn key(name: &OsStr) -> Vec<u8> {
    match name.to_str() {
        Some(name) => composed(name).into_owned().into_bytes(),
        None => name.as_encoded_bytes().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn companions(patterns: &[&str]) -> Companions {
        let parsed = patterns
            .iter()
            .map(|text| Pattern::parse(text, Need::Optional));
        let parsed = parsed.collect::<Result<_, _>>().expect("valid");
        Companions::new(parsed, GlobSet::default(), GlobSet::default())
    }

    /// Finds companions among `names`; those with a `/` at their end are folders.
    fn beside(patterns: &[&str], main: &str, names: &[&str]) -> Vec<String> {
        let mut listing = Listing::default();
        for name in names {
            let is_folder = name.ends_with('/');
            listing.insert(name.trim_end_matches('/').into(), is_folder);
        }
        let found = companions(patterns).beside(OsStr::new(main), &listing);
        let text = |name: OsString| name.into_string().expect("text");
        found.names.into_iter().map(text).collect()
    }

    /// Unit names may contain dots, spaces and a `+`. None of these may be read as part of a
    /// pattern.
    #[test]
    fn companions_of_a_main_file_are_found_by_its_name() {
        let main = "DUT [1] 10-02-51-3 UTC+0200.txt";
        let stem = "DUT [1] 10-02-51-3 UTC+0200";
        let names = [
            main,
            &format!("{stem}/"),
            &format!("{stem}.WAV"),
            &format!("{stem}0.wav"),
            "DUT 1 10-02-51-3 UTC+0200/",
            "DUT [1] 10-02-51-3 UTC+0200 (2)/",
        ];
        let both = [stem.to_owned(), format!("{stem}.WAV")];
        assert_eq!(beside(&["{stem}/", "{stem}.*"], main, &names), both);
        assert_eq!(beside(&["{stem}/"], main, &names), both[..1]);
        assert_eq!(beside(&["{stem}.wav"], main, &names), both[1..]);
    }

    #[test]
    fn a_companion_is_a_file_or_a_folder_as_its_pattern_says() {
        let names = ["a.txt", "a/", "a.d/", "a.txt.md5", "plot_a.png", "b.txt"];
        assert_eq!(beside(&["{stem}.*"], "a.txt", &names), ["a.txt.md5"]);
        assert_eq!(beside(&["{stem}*/"], "a.txt", &names), ["a", "a.d"]);
        assert_eq!(beside(&["{name}.md5"], "a.txt", &names), ["a.txt.md5"]);
        assert_eq!(
            beside(&["plot_{stem}.png"], "a.txt", &names),
            ["plot_a.png"]
        );
    }

    /// macOS writes an accented letter as two characters where most systems write one.
    #[test]
    fn a_name_with_accents_is_the_same_however_they_are_written() {
        let names = ["Pru\u{308}fling/"];
        assert_eq!(
            beside(&["{stem}/"], "Pr\u{fc}fling.txt", &names),
            ["Pru\u{308}fling"]
        );
    }

    #[test]
    fn what_is_required_and_not_there_is_named() {
        let pattern = Pattern::parse("{stem}/", Need::Required).expect("valid");
        let companions = Companions::new(vec![pattern], GlobSet::default(), GlobSet::default());
        let mut listing = Listing::default();
        listing.insert("a.txt".into(), false);
        let lacking = |listing: &Listing| companions.beside(OsStr::new("a.txt"), listing).lacking;
        assert_eq!(lacking(&listing).as_deref(), Some("{stem}/"));
        listing.insert("a".into(), true);
        assert_eq!(lacking(&listing), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused_with_what_to_write() {
        for (text, told) in [
            ("*.wav", "needs a {stem}"),
            ("{stem}", "names the main file itself"),
            ("*{stem}.wav", "only plain text"),
            ("images/{stem}.png", "beside the main file"),
            ("../{stem}/", "beside the main file"),
            ("{stem}.[", "no pattern"),
        ] {
            let why = Pattern::parse(text, Need::Optional).expect_err(text);
            assert!(why.contains(told), "{text}: {why}");
        }
    }

    #[test]
    fn what_may_belong_to_some_main_file_is_known_without_it() {
        let found = |name: &str, is_folder| Found {
            name: name.into(),
            is_folder,
        };
        let companions = companions(&["{stem}_img/", "{stem}.wav"]);
        assert!(companions.may_be(&found("a_img", true)));
        assert!(companions.may_be(&found("a.WAV", false)));
        assert!(!companions.may_be(&found("_img", true)));
        assert!(!companions.may_be(&found("a.csv", false)));
    }
}
