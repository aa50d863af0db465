//! Decides which names in a watch folder a converter takes.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::index::fold;

/// Patterns of unfinished files, and of files that programs keep beside a file they work on.
///
/// - WinSCP: `.filepart`; Firefox, Nextcloud and tools like rsync: `.part`; Chrome: `.crdownload`
/// - Safari: `.download`; Opera: `.opdownload`; Edge and rclone: `.partial`; aria2: `.aria2`
/// - Syncthing on Windows: a name that begins with `~syncthing~`
/// - Microsoft Office: a lock file that begins with `~$`
/// - editors: the text before the last change, in a name that ends with `~`
///
/// Names that begin with a dot, such as those of rsync, lftp and LibreOffice, are never taken.
pub(in crate::host) const TEMPORARY: &[&str] = &[
    "*.tmp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
    "*.opdownload",
    "*.aria2",
    "~syncthing~*",
    "~$*",
    "*~",
];

/// Folders that file systems, Windows and Synology put beside the folders of people.
const OF_SYSTEM: &[&str] = &[
    "lost+found",
    "$RECYCLE.BIN",
    "System Volume Information",
    "@eaDir",
    "#recycle",
];

/// The names that one converter takes.
#[derive(Debug, Clone, Default)]
pub(in crate::host) struct Names {
    patterns: Vec<String>,
    takes: GlobSet,
    ignores: GlobSet,
    temporary: GlobSet,
}

/// An invalid pattern: the list it is in, and what is wrong with it.
pub(in crate::host) struct BadPattern {
    pub(in crate::host) key: &'static str,
    pub(in crate::host) why: String,
}

impl Names {
    /// Parses the patterns of names that are taken and ignored.
    ///
    /// A temporary name is never taken, whatever else is ignored, unless its pattern is one of
    /// `patterns`.
    pub(in crate::host) fn new(
        patterns: Vec<String>,
        ignore: &[String],
    ) -> Result<Self, BadPattern> {
        let takes = set("patterns", patterns.iter().map(String::as_str))?;
        let ignores = set("ignore", ignore.iter().map(String::as_str))?;
        let is_named = |text: &&&str| !patterns.iter().any(|own| own.eq_ignore_ascii_case(text));
        let temporary = set("ignore", TEMPORARY.iter().filter(is_named).copied())?;
        Ok(Self {
            patterns,
            takes,
            ignores,
            temporary,
        })
    }

    pub(in crate::host) fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Returns true for the name of a source.
    pub(in crate::host) fn takes(&self, name: &str) -> bool {
        let name = &*fold(name);
        !name.starts_with('.')
            && self.takes.is_match(name)
            && !self.ignores.is_match(name)
            && !self.temporary.is_match(name)
    }

    /// Returns true for the name of a subfolder that is read.
    ///
    /// Hidden folders hold what programs keep for themselves, such as `.stversions`.
    pub(in crate::host) fn reads_folder(&self, name: &str) -> bool {
        let name = &*fold(name);
        !name.starts_with('.')
            && !OF_SYSTEM.iter().any(|own| fold(own) == name)
            && !self.ignores.is_match(name)
    }

    /// Returns the patterns of names that the configuration ignores.
    pub(in crate::host) fn ignored(&self) -> &GlobSet {
        &self.ignores
    }

    /// Returns the patterns of names that are still being written.
    pub(in crate::host) fn temporary(&self) -> &GlobSet {
        &self.temporary
    }
}

fn set<'p>(
    key: &'static str,
    patterns: impl Iterator<Item = &'p str>,
) -> Result<GlobSet, BadPattern> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(pattern).map_err(|error| BadPattern {
            key,
            why: format!("{pattern:?} is no pattern: {}", error.kind()),
        })?);
    }
    set.build().map_err(|error| BadPattern {
        key,
        why: error.to_string(),
    })
}

/// Parses a pattern for names in their folded form.
///
/// Letter case and the encoding of accents do not count, because test stations differ in both.
/// Names must be folded too before they are matched.
fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(&fold(pattern)).build()
}

/// Returns true when one pattern, taken as a name, matches the other, so that both certainly take a
/// common name.
pub(in crate::host) fn overlap(one: &str, other: &str) -> bool {
    let matches = |pattern: &str, text: &str| {
        glob(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(&*fold(text)))
    };
    matches(one, other) || matches(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], ignore: &[&str]) -> Names {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let read = Names::new(owned(patterns), &owned(ignore));
        read.unwrap_or_else(|bad| panic!("{}: {}", bad.key, bad.why))
    }

    /// A half-finished upload must not be archived and converted.
    #[test]
    fn what_transfer_tools_have_not_finished_is_not_taken() {
        let all = names(&["*"], &[]);
        for name in [
            "a.csv.filepart",
            "a.csv.CRDOWNLOAD",
            "a.csv.part",
            "~$a.xlsx",
            "a.csv~",
            ".a.csv.x7Gq2s",
            ".~lock.a.csv#",
            "~syncthing~a.csv.tmp",
        ] {
            assert!(!all.takes(name), "{name}");
        }
        assert!(all.takes("a.csv") && all.takes("part.csv") && all.takes("tmp"));
    }

    /// Ignoring one more kind of file must not make unfinished files acceptable.
    #[test]
    fn what_is_ignored_by_wish_is_ignored_besides() {
        let more = names(&["*"], &["*.bak"]);
        assert!(!more.takes("a.bak") && !more.takes("a.filepart"));
    }

    #[test]
    fn a_temporary_name_that_is_asked_for_is_taken() {
        let asked = names(&["*.TMP", "*.csv"], &[]);
        assert!(asked.takes("a.tmp") && !asked.takes("a.part"));
    }

    /// macOS writes a letter and its accent as two characters, the configuration has them as one.
    #[test]
    fn a_pattern_with_accents_takes_names_however_they_are_written() {
        let composed = names(&["Pr\u{fc}fling*"], &[]);
        assert!(composed.takes("Pru\u{308}fling 1.csv") && composed.takes("Pr\u{dc}FLING.csv"));
        let apart = names(&["Pru\u{308}fling*"], &[]);
        assert!(apart.takes("Pr\u{fc}fling.csv"));
    }

    /// A `?` of globset matches one byte. A letter beyond ASCII has several, so it needs a `*`.
    #[test]
    fn a_question_mark_takes_ascii_and_a_star_takes_every_letter() {
        let one = names(&["Pr?fling.csv"], &[]);
        assert!(one.takes("Prafling.csv") && !one.takes("Pr\u{fc}fling.csv"));
        let any = names(&["Pr*fling.csv"], &[]);
        assert!(any.takes("Prafling.csv") && any.takes("Pr\u{fc}fling.csv"));
        let either = names(&["Pr{u,\u{fc}}fling.csv"], &[]);
        assert!(either.takes("Prufling.csv") && either.takes("Pru\u{308}fling.csv"));
    }
}
