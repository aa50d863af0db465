//! JSON and XML as a tree, a bounded part at a time.

use super::kind::Encoding;
use super::text::decode;
use super::visible::{cut, visible};
use crate::convert::{Json, parse_xml};

/// The most rows of a part.
const ROWS_MAX: usize = 700;
/// The most members of one object or list that are shown at once.
pub(in crate::web) const MEMBERS_MAX: usize = 100;
/// How many levels are unfolded at first, unless everything fits a screen.
const OPEN_LEVELS: usize = 2;
/// So many rows fit a screen, more or less.
const SCREEN_ROWS: usize = 60;
/// The most characters of a value that are shown.
const VALUE_CHARS: usize = 400;
/// The most characters of a name that are shown.
const NAME_CHARS: usize = 200;
/// The most places that a search lists.
const FOUND_MAX: usize = 100;

/// A parsed document.
pub(super) struct Document {
    root: Json,
    /// Lists of one element are shown as that element: in XML each child may be repeated.
    is_xml: bool,
}

/// A row of a tree. What an `Open` begins ends with its `Close`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) enum Row {
    /// An object or list with its members.
    Open {
        name: String,
        path: String,
        /// The value of its member `name`, which tells steps apart.
        title: String,
        count: usize,
        is_list: bool,
        is_unfolded: bool,
    },
    Close,
    /// An object or list whose members would be too many here; its path leads to them.
    Folded {
        name: String,
        path: String,
        title: String,
        count: usize,
        is_list: bool,
    },
    Leaf {
        name: String,
        path: String,
        kind: &'static str,
        value: String,
        /// How many characters are left out.
        left_out: usize,
    },
    /// Members that are not shown here.
    More {
        path: String,
        from: usize,
        left: usize,
    },
}

/// A part of a tree.
#[derive(Debug)]
pub(in crate::web) struct Tree {
    pub(in crate::web) rows: Vec<Row>,
    /// The objects and lists around it, from the whole document inwards: name and path.
    pub(in crate::web) around: Vec<(String, String)>,
    /// The part, as a JSON pointer.
    pub(in crate::web) path: String,
    /// The first member that is shown, and how many there are.
    pub(in crate::web) from: usize,
    pub(in crate::web) count: usize,
}

impl Tree {
    /// Returns where the members before the ones shown begin.
    pub(in crate::web) fn before(&self) -> Option<usize> {
        (self.from > 0).then(|| self.from.saturating_sub(MEMBERS_MAX))
    }
}

/// What a search found.
#[derive(Debug)]
pub(in crate::web) struct Found {
    pub(in crate::web) places: Vec<Row>,
    /// How many there are in all.
    pub(in crate::web) count: usize,
}

/// Parses a document. `None` for what is not well-formed or nested too deeply.
pub(super) fn parse(bytes: &[u8], encoding: Encoding) -> Option<Document> {
    let decoded;
    let bytes = match encoding {
        Encoding::Utf8 => bytes,
        Encoding::Utf16Le | Encoding::Utf16Be => {
            decoded = decode(bytes, encoding).0;
            decoded.as_bytes()
        }
    };
    if let Some(root) = Json::parse(bytes) {
        let is_xml = false;
        return Some(Document { root, is_xml });
    }
    let root = parse_xml(str::from_utf8(bytes).ok()?)?;
    Some(Document { root, is_xml: true })
}

/// A member of an object or list.
struct Member<'j> {
    name: String,
    path: String,
    value: &'j Json,
}

impl Document {
    /// Returns the part at `path`, with its members from `from` on. `None` when it is not there.
    pub(super) fn part(&self, path: &str, from: usize) -> Option<Tree> {
        let mut around = Vec::new();
        let mut here = &self.root;
        let mut so_far = String::new();
        for step in path.split('/').skip(1) {
            around.push((last_name(&so_far), so_far.clone()));
            let bare = step.replace("~1", "/").replace("~0", "~");
            here = match here {
                Json::Object(_) => here.member(&bare)?,
                Json::List(items) => items.get(bare.parse::<usize>().ok()?)?,
                _ => return None,
            };
            so_far = format!("{so_far}/{step}");
        }
        if !path.is_empty() {
            around.push((last_name(&so_far), so_far.clone()));
        }
        let count = size_of(here);
        let from = if from < count { from } else { 0 };
        let levels = self.levels_that_fit(here, &so_far, from);
        let mut rows = Vec::new();
        let unfolded = match levels.rows {
            0..=SCREEN_ROWS => usize::MAX,
            _ => OPEN_LEVELS,
        };
        if is_branch(here) {
            self.add_members(here, &so_far, from, 1, levels.depth, unfolded, &mut rows);
        } else {
            rows.push(leaf(last_name(&so_far), so_far.clone(), here));
        }
        Some(Tree {
            rows,
            around,
            path: so_far,
            from,
            count,
        })
    }

    /// Returns how many levels below a part fit, and how many rows they take.
    fn levels_that_fit(&self, part: &Json, path: &str, from: usize) -> Levels {
        let mut level: Vec<&Json> = self
            .members(part, path, from)
            .map(|one| one.value)
            .collect();
        let (mut rows, mut depth) = (level.len(), 1);
        while depth < usize::from(u8::MAX) {
            let below: Vec<&Json> = level
                .iter()
                .flat_map(|value| self.members(value, "", 0).map(|one| one.value))
                .take(ROWS_MAX + 1)
                .collect();
            if below.is_empty() || rows + below.len() > ROWS_MAX {
                break;
            }
            rows += below.len();
            depth += 1;
            level = below;
        }
        Levels { rows, depth }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one walk with where it is and where it ends"
    )]
    fn add_members(
        &self,
        part: &Json,
        path: &str,
        from: usize,
        level: usize,
        last_level: usize,
        unfolded: usize,
        rows: &mut Vec<Row>,
    ) {
        for member in self.members(part, path, from) {
            let Member { name, path, value } = member;
            if !is_branch(value) {
                rows.push(leaf(name, path, value));
                continue;
            }
            let (title, count) = (title(value), size_of(value));
            let is_list = matches!(value, Json::List(_));
            if level >= last_level || count == 0 {
                rows.push(Row::Folded {
                    name,
                    path,
                    title,
                    count,
                    is_list,
                });
                continue;
            }
            rows.push(Row::Open {
                name,
                path: path.clone(),
                title,
                count,
                is_list,
                is_unfolded: level < unfolded,
            });
            self.add_members(value, &path, 0, level + 1, last_level, unfolded, rows);
            rows.push(Row::Close);
        }
        let shown = from + MEMBERS_MAX;
        if let left @ 1.. = size_of(part).saturating_sub(shown) {
            rows.push(Row::More {
                path: path.to_owned(),
                from: shown,
                left,
            });
        }
    }

    /// Returns the members of an object or list that are shown at once.
    fn members<'j>(
        &self,
        part: &'j Json,
        path: &str,
        from: usize,
    ) -> impl Iterator<Item = Member<'j>> {
        let (objects, items): (&[_], &[_]) = match part {
            Json::Object(members) => (members, &[]),
            Json::List(items) => (&[], items),
            _ => (&[], &[]),
        };
        let is_xml = self.is_xml;
        let base = path.to_owned();
        let named = objects.iter().skip(from).take(MEMBERS_MAX);
        let named = named.map(move |(name, value)| {
            let words = name.words();
            let own = format!("{base}/{}", words.replace('~', "~0").replace('/', "~1"));
            let (path, value) = match value {
                Json::List(items) if is_xml && items.len() == 1 => (own + "/0", &items[0]),
                value => (own, value),
            };
            Member {
                name: shown_name(&words),
                path,
                value,
            }
        });
        let base = path.to_owned();
        let numbered = items.iter().enumerate().skip(from).take(MEMBERS_MAX);
        let numbered = numbered.map(move |(place, value)| Member {
            name: place.to_string(),
            path: format!("{base}/{place}"),
            value,
        });
        named.chain(numbered)
    }

    /// Looks for a text in names and values, whatever its case.
    pub(super) fn find(&self, text: &str) -> Found {
        let wanted = text.to_lowercase();
        let mut found = Found {
            places: Vec::new(),
            count: 0,
        };
        search(&self.root, "", &wanted, &mut found);
        found
    }
}

/// How many levels of a part are shown, and how many rows they take.
struct Levels {
    rows: usize,
    depth: usize,
}

/// Adds what is found below a value. The depth is bounded, because parsing bounds it.
fn search(value: &Json, path: &str, wanted: &str, found: &mut Found) {
    let mut look = |name: &str, own: String, value: &Json| {
        let in_name = name.to_lowercase().contains(wanted);
        let in_value = || !is_branch(value) && leaf_words(value).to_lowercase().contains(wanted);
        if in_name || in_value() {
            found.count += 1;
            if found.places.len() < FOUND_MAX {
                let shown = shown_name(&own);
                found.places.push(if is_branch(value) {
                    Row::Folded {
                        name: shown,
                        path: own.clone(),
                        title: title(value),
                        count: size_of(value),
                        is_list: matches!(value, Json::List(_)),
                    }
                } else {
                    leaf(shown, own.clone(), value)
                });
            }
        }
        search(value, &own, wanted, found);
    };
    match value {
        Json::Object(members) => {
            for (name, value) in members {
                let words = name.words();
                let own = words.replace('~', "~0").replace('/', "~1");
                look(&words, format!("{path}/{own}"), value);
            }
        }
        Json::List(items) => {
            for (place, value) in items.iter().enumerate() {
                look("", format!("{path}/{place}"), value);
            }
        }
        _ => {}
    }
}

fn is_branch(value: &Json) -> bool {
    matches!(value, Json::Object(_) | Json::List(_))
}

fn size_of(value: &Json) -> usize {
    match value {
        Json::Object(members) => members.len(),
        Json::List(items) => items.len(),
        _ => 0,
    }
}

/// Returns what an object is called, as far as that is shown.
fn title(value: &Json) -> String {
    let named = ["name", "Name", "@Name", "@name"].into_iter();
    let mut named = named.filter_map(|member| value.member(member)?.as_text());
    let title = named.next().unwrap_or_default();
    visible(cut(&title, NAME_CHARS).0).into_owned()
}

fn leaf(name: String, path: String, value: &Json) -> Row {
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        _ => "text",
    };
    let words = leaf_words(value);
    let (shown, left_out) = cut(&words, VALUE_CHARS);
    Row::Leaf {
        name,
        path,
        kind,
        value: visible(shown).into_owned(),
        left_out,
    }
}

fn leaf_words(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.digits().to_owned(),
        Json::Text(text) => text.words().into_owned(),
        Json::List(_) | Json::Object(_) => String::new(),
    }
}

/// Returns the last step of a JSON pointer, for people.
fn last_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    shown_name(&last.replace("~1", "/").replace("~0", "~"))
}

fn shown_name(name: &str) -> String {
    let (shown, left_out) = cut(name, NAME_CHARS);
    let more = if left_out > 0 { "…" } else { "" };
    format!("{}{more}", visible(shown))
}
