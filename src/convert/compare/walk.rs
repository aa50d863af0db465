//! Walks two reports side by side and finds what differs.

use std::collections::HashMap;

use super::generated::{is_uuid, without_scratch};
use super::path::{Part, Path};
use super::rules::CompareRules;
use super::{table, xml};
use crate::convert::protocol::{Json, Text, pairs};
use crate::id::BlobId;

/// Maximum bytes of a text inside a report that is read as a document while items of a list are
/// matched. Longer ones are matched as texts.
const MATCHED_BYTES_MAX: usize = 64 << 10;

/// One difference, while both reports are at hand.
pub(super) struct Finding<'w> {
    pub(super) path: &'w Path,
    pub(super) old: Option<&'w Json>,
    pub(super) new: Option<&'w Json>,
    /// The rule by which it does not count.
    pub(super) rule: Option<String>,
    /// The object or list that it is in, if there is one.
    pub(super) around: Option<&'w Around<'w>>,
}

/// An object or list around a difference, in both reports.
#[derive(Debug)]
pub(super) struct Around<'j> {
    /// Number of path parts that lead to it.
    pub(super) depth: usize,
    pub(super) old: &'j Json,
    pub(super) new: &'j Json,
    /// The object or list that this one is in.
    pub(super) outer: Option<&'j Around<'j>>,
}

/// The kind of document that a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Xml,
}

/// Reads a text as a document with a structure, if it is one.
fn document(text: &str) -> Option<(Kind, Json)> {
    if let Some(tree) = xml::parse(text) {
        return Some((Kind::Xml, tree));
    }
    table::parse(text).map(|tree| (Kind::Json, tree))
}

/// Finds the differences of two reports. Calls `found` for each, in the order of the new report.
pub(super) fn walk(
    rules: &CompareRules,
    base: &str,
    old: &[u8],
    new: &[u8],
    found: &mut dyn FnMut(&Finding<'_>),
) {
    if old == new {
        return;
    }
    let mut walk = Walk {
        rules,
        path: Path::below(base),
        found,
        matching: false,
        differs: false,
    };
    if let (Some(old), Some(new)) = (Json::parse(old), Json::parse(new)) {
        return walk.values(Kind::Json, &old, &new, None);
    }
    if let (Ok(old), Ok(new)) = (str::from_utf8(old), str::from_utf8(new)) {
        if let (Some((kind, old)), Some((other, new))) = (document(old), document(new))
            && kind == other
        {
            return walk.values(kind, &old, &new, None);
        }
        return lines(rules, base, old, new, found);
    }
    let (old, new) = (whole(old), whole(new));
    walk.differ(Some(&old), Some(&new), None);
}

/// Describes a report that is shown as a whole.
pub(super) fn whole(bytes: &[u8]) -> Json {
    let id = BlobId::of(bytes).to_string();
    Json::text(format!("{} bytes, blake3 {}", bytes.len(), &id[..16]))
}

/// Compares two texts line by line. Line ends do not count.
fn lines(
    rules: &CompareRules,
    base: &str,
    old: &str,
    new: &str,
    found: &mut dyn FnMut(&Finding<'_>),
) {
    let [old, new] = [old, new].map(|text| {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        text.lines().collect::<Vec<&str>>()
    });
    for (place, old, new) in align(&old, &new, |_, _, a, b| a == b) {
        if old == new {
            continue;
        }
        let number = format!("line {}", place + 1);
        let path = match base {
            "" => Path::below(&number),
            base => Path::below(&format!("{base} {number}")),
        };
        let is_scratch = |old: &&str, new: &&str| without_scratch(old) == without_scratch(new);
        let rule = match (old, new) {
            (Some(old), Some(new)) if !rules.is_strict() && is_scratch(old, new) => {
                Some(SCRATCH_RULE.to_owned())
            }
            _ => None,
        };
        let [old, new] = [old, new].map(|line| line.map(|line| Json::text(*line)));
        found(&Finding {
            path: &path,
            old: old.as_ref(),
            new: new.as_ref(),
            rule,
            around: None,
        });
    }
}

/// What is told of two texts that differ only in the temporary folder of the run.
const SCRATCH_RULE: &str = "temporary folder";

struct Walk<'w> {
    rules: &'w CompareRules,
    path: Path,
    found: &'w mut dyn FnMut(&Finding<'_>),
    /// True while items of a list are matched: differences are only noted in `differs`.
    matching: bool,
    differs: bool,
}

impl Walk<'_> {
    /// Compares two values.
    ///
    /// Recursion is bounded, because parsing refuses values that are nested too deeply. A text
    /// inside of a text is not read as a document again.
    fn values(&mut self, kind: Kind, old: &Json, new: &Json, around: Option<&Around<'_>>) {
        if self.matching && self.differs {
            return;
        }
        match (old, new) {
            (Json::Object(a), Json::Object(b)) => {
                let around = self.inside(old, new, around);
                let around = Some(&around);
                for pair in pairs(a, b) {
                    self.member(kind, pair.name, pair.nth, pair.old, pair.new, around);
                }
            }
            (Json::List(a), Json::List(b)) => {
                let around = self.inside(old, new, around);
                self.list(Shape::Json, a, b, Some(&around));
            }
            (Json::Text(a), Json::Text(b)) => {
                if a != b {
                    self.texts(kind, old, new, around);
                }
            }
            (Json::Number(a), Json::Number(b)) => {
                if a != b {
                    self.judge(a.digits(), b.digits(), old, new, around);
                }
            }
            (old, new) if old == new => {}
            (old, new) => self.differ(Some(old), Some(new), around),
        }
    }

    /// Returns what is around the content of two values.
    fn inside<'j>(
        &self,
        old: &'j Json,
        new: &'j Json,
        outer: Option<&'j Around<'j>>,
    ) -> Around<'j> {
        Around {
            depth: self.path.depth(),
            old,
            new,
            outer,
        }
    }

    fn member(
        &mut self,
        kind: Kind,
        name: &Text,
        nth: usize,
        old: Option<&Json>,
        new: Option<&Json>,
        around: Option<&Around<'_>>,
    ) {
        let name = name.words();
        if kind == Kind::Xml {
            let none: &[Json] = &[];
            match (old, new) {
                // The text of an element has the place of the element.
                _ if name.is_empty() => return self.sides(kind, old, new, around),
                (Some(Json::List(old)), Some(Json::List(new))) => {
                    return self.list(Shape::Xml(&name), old, new, around);
                }
                (Some(Json::List(old)), None) => {
                    return self.list(Shape::Xml(&name), old, none, around);
                }
                (None, Some(Json::List(new))) => {
                    return self.list(Shape::Xml(&name), none, new, around);
                }
                _ => {}
            }
        }
        match nth {
            1 => self.path.push(&name, format_args!("")),
            nth => self.path.push(&name, format_args!("#{nth}")),
        }
        self.sides(kind, old, new, around);
        self.path.pop();
    }

    fn sides(
        &mut self,
        kind: Kind,
        old: Option<&Json>,
        new: Option<&Json>,
        around: Option<&Around<'_>>,
    ) {
        match (old, new) {
            (Some(old), Some(new)) => self.values(kind, old, new, around),
            (old, new) => self.differ(old, new, around),
        }
    }

    /// Compares two lists, or the elements of one name in XML.
    fn list(&mut self, shape: Shape<'_>, old: &[Json], new: &[Json], around: Option<&Around<'_>>) {
        let is_single = old.len().max(new.len()) == 1;
        if let Some(key) = self.key(shape) {
            for (place, old, new) in by_key(&key, old, new) {
                self.item(shape, is_single, place, old, new, around);
            }
            return;
        }
        if self.matching {
            for place in 0..old.len().max(new.len()) {
                self.item(
                    shape,
                    is_single,
                    place,
                    old.get(place),
                    new.get(place),
                    around,
                );
            }
            return;
        }
        let aligned = align(old, new, |in_old, in_new, old, new| {
            let place = in_new.max(in_old);
            self.are_same(shape, is_single, place, old, new)
        });
        for (place, old, new) in aligned {
            self.item(shape, is_single, place, old, new, around);
        }
    }

    /// Returns the member that tells the items of this list apart.
    fn key(&mut self, shape: Shape<'_>) -> Option<String> {
        if !self.rules.has_keys() {
            return None;
        }
        if let Shape::Xml(name) = shape {
            self.path.push(name, format_args!(""));
        }
        let parts: Vec<Part<'_>> = self.path.parts().collect();
        let key = self.rules.key_of(&parts).map(str::to_owned);
        if let Shape::Xml(_) = shape {
            self.path.pop();
        }
        key
    }

    fn item(
        &mut self,
        shape: Shape<'_>,
        is_single: bool,
        place: usize,
        old: Option<&Json>,
        new: Option<&Json>,
        around: Option<&Around<'_>>,
    ) {
        let kind = match shape {
            Shape::Json => {
                self.path.push_index(place);
                Kind::Json
            }
            Shape::Xml(name) if is_single => {
                self.path.push(name, format_args!(""));
                Kind::Xml
            }
            Shape::Xml(name) => {
                self.path.push(name, format_args!("[{}]", place + 1));
                Kind::Xml
            }
        };
        self.sides(kind, old, new, around);
        self.path.pop();
    }

    /// Returns true if nothing that counts differs in two items. Items inside of them are compared
    /// by their positions.
    fn are_same(
        &mut self,
        shape: Shape<'_>,
        is_single: bool,
        place: usize,
        old: &Json,
        new: &Json,
    ) -> bool {
        self.matching = true;
        self.differs = false;
        self.item(shape, is_single, place, Some(old), Some(new), None);
        self.matching = false;
        !self.differs
    }

    /// Compares two texts that differ.
    fn texts(&mut self, kind: Kind, old: &Json, new: &Json, around: Option<&Around<'_>>) {
        let (Some(a), Some(b)) = (old.as_text(), new.as_text()) else {
            return self.differ(Some(old), Some(new), around);
        };
        let is_matched_whole = self.matching && a.len().max(b.len()) > MATCHED_BYTES_MAX;
        if kind == Kind::Json
            && !is_matched_whole
            && let (Some((kind, a)), Some((other, b))) = (document(&a), document(&b))
            && kind == other
        {
            // The texts inside of an XML document are not read as documents again. Those of a table
            // would be, but a field that holds a table is shorter each time.
            return self.values(kind, &a, &b, None);
        }
        self.judge(&a, &b, old, new, around);
    }

    /// Judges two texts or numbers that differ.
    fn judge(&mut self, a: &str, b: &str, old: &Json, new: &Json, around: Option<&Around<'_>>) {
        let rule = self.rule().or_else(|| {
            if !self.rules.is_strict() {
                if self.path.own() == "/id" && is_uuid(a) && is_uuid(b) {
                    return Some("/id".to_owned());
                }
                if matches!(old, Json::Text(_)) && without_scratch(a) == without_scratch(b) {
                    return Some(SCRATCH_RULE.to_owned());
                }
            }
            let parts: Vec<Part<'_>> = self.path.parts().collect();
            let (pattern, tolerance) = self.rules.tolerates(&parts, a, b)?;
            Some(format!("{pattern} within {tolerance}"))
        });
        self.tell(Some(old), Some(new), rule, around);
    }

    fn differ(&mut self, old: Option<&Json>, new: Option<&Json>, around: Option<&Around<'_>>) {
        let rule = self.rule();
        self.tell(old, new, rule, around);
    }

    /// Returns the pattern that ignores the current place.
    fn rule(&self) -> Option<String> {
        let parts: Vec<Part<'_>> = self.path.parts().collect();
        self.rules.ignores(&parts).map(ToString::to_string)
    }

    fn tell(
        &mut self,
        old: Option<&Json>,
        new: Option<&Json>,
        rule: Option<String>,
        around: Option<&Around<'_>>,
    ) {
        if self.matching {
            self.differs |= rule.is_none();
            return;
        }
        (self.found)(&Finding {
            path: &self.path,
            old,
            new,
            rule,
            around,
        });
    }
}

/// How the items of a list are named in a path.
#[derive(Debug, Clone, Copy)]
enum Shape<'n> {
    /// By a part of its own: `/steps/3`.
    Json,
    /// In the part of their name: `/Steps/Step[3]`.
    Xml(&'n str),
}

/// An item of one or both of two lists. Its position is that in the new list, or that in the old
/// one for an item that is gone.
type Aligned<'a, T> = (usize, Option<&'a T>, Option<&'a T>);

/// Pairs the items between the equal beginning and the equal end of two lists, in order.
fn align<'a, T>(
    old: &'a [T],
    new: &'a [T],
    mut same: impl FnMut(usize, usize, &T, &T) -> bool,
) -> Vec<Aligned<'a, T>> {
    let shorter = old.len().min(new.len());
    let mut head = 0;
    while head < shorter && same(head, head, &old[head], &new[head]) {
        head += 1;
    }
    let mut tail = 0;
    while tail < shorter - head {
        let (in_old, in_new) = (old.len() - tail - 1, new.len() - tail - 1);
        if !same(in_old, in_new, &old[in_old], &new[in_new]) {
            break;
        }
        tail += 1;
    }
    let longer = old.len().max(new.len());
    // Equal items are told as well: what is ignored in them is to be seen.
    let before = (0..head).map(|place| (place, old.get(place), new.get(place)));
    let between = (head..longer - tail).map(|place| {
        let of = |list: &'a [T]| list[..list.len() - tail].get(place);
        (place, of(old), of(new))
    });
    let after = (0..tail).rev().map(|place| {
        let (in_old, in_new) = (old.len() - place - 1, new.len() - place - 1);
        (in_new, old.get(in_old), new.get(in_new))
    });
    before.chain(between).chain(after).collect()
}

/// Pairs the items of two lists that have the same key. Items without one are paired in order.
fn by_key<'a>(member: &str, old: &'a [Json], new: &'a [Json]) -> Vec<Aligned<'a, Json>> {
    let mut waiting: HashMap<Option<String>, Vec<usize>> = HashMap::new();
    for (place, item) in old.iter().enumerate().rev() {
        waiting.entry(key_of(item, member)).or_default().push(place);
    }
    let mut found: Vec<Aligned<'a, Json>> = Vec::with_capacity(new.len());
    for (place, item) in new.iter().enumerate() {
        let partner = waiting.get_mut(&key_of(item, member)).and_then(Vec::pop);
        found.push((place, partner.map(|partner| &old[partner]), Some(item)));
    }
    let mut gone: Vec<usize> = waiting.into_values().flatten().collect();
    gone.sort_unstable();
    found.extend(gone.into_iter().map(|place| (place, old.get(place), None)));
    found
}

/// Returns the value of a member as a key. In XML it is an attribute (`@name`), or the text of an
/// element.
fn key_of(item: &Json, member: &str) -> Option<String> {
    let found = item.member(member)?;
    match found {
        Json::List(elements) => match elements.first()?.member("")? {
            Json::Text(text) => Some(text.words().into_owned()),
            _ => None,
        },
        Json::Text(text) => Some(text.words().into_owned()),
        Json::Number(_) | Json::Bool(_) => Some(found.to_string()),
        Json::Null | Json::Object(_) => None,
    }
}
