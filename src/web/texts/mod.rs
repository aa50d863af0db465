//! What pages say, in each language: catalogues of short texts with places for values.
//!
//! A catalogue is a TOML file for each page and language; `find.title` is the key `title` of
//! `find.toml`. The tests compare the languages key by key, and with what templates ask for.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::service::words;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::web) enum Language {
    #[default]
    English,
    German,
}

impl Language {
    /// Every language, in the order of the catalogues.
    pub(in crate::web) const ALL: [Self; 2] = [Self::English, Self::German];

    /// Returns the code for the attribute `lang`.
    pub(in crate::web) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Returns the name of the language in itself.
    pub(in crate::web) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// Returns a count with its groups of three: `12,345`, `12.345`.
    pub(in crate::web) fn count(self, number: u64) -> String {
        let count = words::count(number);
        match self {
            Self::English => count,
            Self::German => count.replace(',', "."),
        }
    }

    /// Returns a size in the unit that suits it: `1.5 KiB`, `1,5 KiB`.
    pub(in crate::web) fn size(self, bytes: u64) -> String {
        let size = words::size(bytes);
        match self {
            Self::English => size,
            Self::German => size.replace('.', ","),
        }
    }

    pub(in crate::web) fn of_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// Returns the first known language of `Accept-Language`, which browsers sort by preference.
    pub(in crate::web) fn accepted(header: &str) -> Self {
        let mut codes = header.split(',').map(|part| {
            let code = part.split(';').next().unwrap_or_default().trim();
            code.split('-').next().unwrap_or_default()
        });
        codes.find_map(Self::of_code).unwrap_or_default()
    }

    /// Returns the text of a key. A key that no catalogue has is shown as it is, which a test
    /// refuses.
    pub(in crate::web) fn say(self, key: &str) -> &'static str {
        match self.texts().get_key_value(key) {
            Some((_, text)) => text,
            None => catalogues()
                .keys
                .get(key)
                .map_or("?", |known| known.as_str()),
        }
    }

    /// Returns the text of a key with values in its places: `{n}` becomes the value of `n`.
    pub(in crate::web) fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self.say(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn texts(self) -> &'static Texts {
        match self {
            Self::English => &catalogues().english,
            Self::German => &catalogues().german,
        }
    }
}

type Texts = BTreeMap<String, String>;

struct Catalogues {
    english: Texts,
    german: Texts,
    /// The keys themselves, to have something to show for a text that is missing.
    keys: BTreeMap<String, String>,
}

macro_rules! catalogue_files {
    ($($page:literal),* $(,)?) => {
        /// The files of each page: its name, English, German.
        const FILES: &[(&str, &str, &str)] = &[$((
            $page,
            include_str!(concat!("en/", $page, ".toml")),
            include_str!(concat!("de/", $page, ".toml")),
        )),*];
    };
}

// One line for each page, in the order of the alphabet.
catalogue_files! {
    "converters",
    "entries",
    "entry",
    "evidence",
    "failures",
    "find",
    "frame",
    "host",
    "jobs",
    "login",
    "settings",
    "holds",
    "jobs",
    "login",
    "retention",
    "step",
}

fn catalogues() -> &'static Catalogues {
    static READ: OnceLock<Catalogues> = OnceLock::new();
    READ.get_or_init(|| {
        let (mut english, mut german) = (Texts::new(), Texts::new());
        for (page, in_english, in_german) in FILES {
            read(page, in_english, &mut english);
            read(page, in_german, &mut german);
        }
        let keys = english.keys().map(|key| (key.clone(), key.clone()));
        Catalogues {
            keys: keys.collect(),
            english,
            german,
        }
    })
}

/// Adds the texts of a file. A file that cannot be read adds nothing, which a test refuses.
fn read(page: &str, toml: &str, texts: &mut Texts) {
    let table: BTreeMap<String, String> = toml::from_str(toml).unwrap_or_default();
    for (key, text) in table {
        texts.insert(format!("{page}.{key}"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_every_language_with_the_same_places() {
        for (page, english, german) in FILES {
            let parsed = |text: &str| toml::from_str::<BTreeMap<String, String>>(text);
            let english = parsed(english).unwrap_or_else(|error| panic!("{page}: {error}"));
            let german = parsed(german).unwrap_or_else(|error| panic!("{page}: {error}"));
            let keys = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&english), keys(&german), "{page}");
            for (key, text) in &english {
                let places = |text: &str| {
                    let mut places: Vec<String> = text
                        .split('{')
                        .skip(1)
                        .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
                        .collect();
                    places.sort();
                    places
                };
                assert_eq!(places(text), places(&german[key]), "{page}.{key}");
                assert!(!text.is_empty() && !german[key].is_empty(), "{page}.{key}");
            }
        }
    }

    /// A key that is misspelt would show as itself on a page.
    #[test]
    fn every_text_that_a_template_or_a_page_asks_for_exists() {
        let mut asked = 0;
        for file in files(std::path::Path::new("src/web")) {
            let text = std::fs::read_to_string(&file).expect("readable");
            for call in [".say(\"", ".fill(\""] {
                for rest in text.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap_or_default();
                    if file.ends_with("texts/mod.rs") {
                        continue;
                    }
                    asked += 1;
                    let known = catalogues().english.contains_key(key);
                    assert!(known, "{}: {key}", file.display());
                }
            }
        }
        assert!(asked > 10, "only {asked} texts are asked for");
    }

    fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let of_interest = path
                .extension()
                .is_some_and(|kind| kind == "rs" || kind == "html");
            if path.is_dir() {
                found.extend(files(&path));
            } else if of_interest {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn a_browser_gets_the_first_language_that_is_known() {
        for (header, language) in [
            ("de-DE,de;q=0.9,en;q=0.8", Language::German),
            ("fr-FR,fr;q=0.9,de;q=0.5", Language::German),
            ("en-US,en", Language::English),
            ("fr", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
