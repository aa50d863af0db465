//! The tab with what differs between two attempts of an entry.

use askama::Template;

use super::address::{Asked, Tab};
use super::attempt::content;
use super::content::{Shown, download_report};
use crate::convert::{
    Change, ChangeInContext, ChangeKind, ChangePattern, ChangeSummary, Json, PathPattern,
};
use crate::entry::{Attempt, Entry, Status};
use crate::service::desk::Desk;
use crate::service::entry::{Compare, Comparison, configured_rules};
use crate::web::pages::frame::Frame;
use crate::web::preview::{Stored, cut, preview, visible};
use crate::{Error, Result};

/// The most bytes of a report that is compared here.
const REPORT_BYTES_MAX: u64 = 8 << 20;
/// The most places, and the most differences of one place, that are listed.
const LISTED_MAX: usize = 200;
/// The most characters of a value.
const VALUE_CHARS: usize = 200;
/// Members beside a difference.
const SIBLINGS: usize = 4;

/// What is read from the store for this tab.
pub(super) struct Read {
    pair: Option<(u32, u32)>,
    compared: Result<Comparison>,
    /// The two reports beside one another, if that is asked for.
    sides: Option<[Result<Shown>; 2]>,
}

/// Compares the attempts that are asked for: by default the last two.
pub(super) fn read(desk: &Desk, entry: &Entry, asked: &Asked) -> Read {
    let place = asked.get("place");
    let mut compare = Compare {
        attempt: asked.read("to"),
        against: asked.read("from"),
        path: None,
        context: place.map(|_| SIBLINGS),
        limit: LISTED_MAX,
        report_bytes_max: REPORT_BYTES_MAX,
    };
    let pair = compare.pair(entry).ok();
    let pair = pair.map(|(old, new)| (old.attempt.0, new.attempt.0));
    let mut compared = || {
        if let Some(place) = place {
            compare.path = Some(pattern(place)?);
        }
        let rules = if asked.get("strict").is_some() {
            crate::convert::RuleBook::strict()
        } else {
            configured_rules(desk.config())
        };
        compare.of(&desk.archive, entry, &rules, &desk.zone)
    };
    let compared = compared();
    let sides = (asked.get("show") == Some("full"))
        .then_some(pair)
        .flatten();
    Read {
        pair,
        compared,
        sides: sides.map(|(old, new)| [old, new].map(|number| side(desk, entry, asked, number))),
    }
}

fn pattern(place: &str) -> Result<PathPattern> {
    place.parse().map_err(|error| {
        let said = format!("'{place}' is no place in a report: {error}");
        Error::new(crate::ErrorKind::Invalid, said)
    })
}

fn side(desk: &Desk, entry: &Entry, asked: &Asked, number: u32) -> Result<Shown> {
    let missing = || {
        let said = format!("attempt {number} of entry {} has no report", entry.id);
        Error::new(crate::ErrorKind::NotFound, said)
    };
    let attempt = entry.attempts.iter().find(|one| one.attempt.0 == number);
    let attempt = attempt.ok_or_else(missing)?;
    let report = attempt.reports.last().ok_or_else(missing)?;
    let name = format!("{}.{number}", entry.id);
    let stored = Stored::open(&desk.archive, report.blake3)?;
    Ok(Shown {
        name,
        download: download_report(entry.id, attempt.attempt, attempt.reports.len() - 1),
        preview: preview(&stored, &entry.source_name, &asked.preview())?,
    })
}

/// The tab.
#[derive(Template)]
#[template(path = "entry/differences.html", config = "src/web/askama.toml")]
pub(super) struct DifferencesTab<'a> {
    frame: &'a Frame,
    old: Vec<Choice>,
    new: Vec<Choice>,
    hidden: Vec<(String, String)>,
    /// Why there is no comparison; else empty.
    refused: String,
    hint: String,
    verdict: String,
    verdict_name: &'static str,
    places: Vec<Place>,
    more_places: String,
    ignored: Vec<Ignored>,
    ignored_words: String,
    strict: Option<String>,
    /// The place whose differences are shown one by one.
    place: Option<String>,
    place_back: String,
    changes: Vec<ChangePart>,
    more_changes: String,
    sides: Option<[String; 2]>,
    side_link: String,
}

struct Choice {
    number: u32,
    words: String,
    is_here: bool,
}

/// A place in reports at which they differ.
struct Place {
    path: String,
    href: String,
    ways: Vec<Way>,
}

/// One way in which values of a place differ.
struct Way {
    words: String,
    count: String,
    old: String,
    new: String,
    is_number: bool,
}

struct Ignored {
    rule: String,
    count: String,
}

/// One difference with what is around it.
struct ChangePart {
    path: String,
    within: String,
    old: Option<String>,
    new: Option<String>,
    siblings: Vec<(String, String)>,
}

impl<'a> DifferencesTab<'a> {
    pub(super) fn new(frame: &'a Frame, asked: &'a Asked, entry: &Entry, read: &Read) -> Self {
        let (from, to) = read.pair.unzip();
        let choices = |here: Option<u32>| {
            let attempts = entry.attempts.iter();
            attempts
                .map(|one| Choice {
                    number: one.attempt.0,
                    words: words(one, frame),
                    is_here: here == Some(one.attempt.0),
                })
                .collect()
        };
        let mut tab = Self {
            frame,
            old: choices(from),
            new: choices(to),
            hidden: vec![("tab".to_owned(), Tab::Differences.word().to_owned())],
            refused: String::new(),
            hint: String::new(),
            verdict: String::new(),
            verdict_name: "",
            places: Vec::new(),
            more_places: String::new(),
            ignored: Vec::new(),
            ignored_words: String::new(),
            strict: None,
            place: asked.get("place").map(|place| visible(place).into_owned()),
            place_back: asked.with(&[("place", "")]),
            changes: Vec::new(),
            more_changes: String::new(),
            sides: read.sides.as_ref().map(|sides| {
                let side = |shown| content(frame, asked, Some(shown), "");
                [side(&sides[0]), side(&sides[1])]
            }),
            side_link: if asked.get("show") == Some("full") {
                asked.with(&[("show", ""), ("path", ""), ("first", ""), ("find", "")])
            } else {
                asked.with(&[("show", "full")])
            },
        };
        match &read.compared {
            Ok(compared) => tab.compared(compared, asked),
            Err(error) => {
                error.message().clone_into(&mut tab.refused);
                error
                    .next_step()
                    .unwrap_or_default()
                    .clone_into(&mut tab.hint);
            }
        }
        tab
    }

    /// Fills in what the comparison says.
    fn compared(&mut self, compared: &Comparison, asked: &Asked) {
        let frame = self.frame;
        self.verdict_name = compared.verdict.name();
        self.verdict = verdict_words(compared, frame);
        let mut summary = ChangeSummary::default();
        let converter = &compared.new.converter;
        summary.add(
            compared.id,
            converter,
            Some(compared.verdict),
            &compared.difference,
        );
        let places = summary.places();
        let shown = places.iter().take(LISTED_MAX);
        self.places = shown
            .map(|place| Place {
                path: visible(&place.path).into_owned(),
                href: asked.with(&[("place", &place.path), ("show", "")]),
                ways: place
                    .patterns
                    .iter()
                    .map(|way| Way::new(way, frame))
                    .collect(),
            })
            .collect();
        let beyond = summary.beyond() + compared.difference.more_changes;
        let hidden = places.iter().skip(LISTED_MAX);
        let beyond = beyond + hidden.map(|place| place.counted.changes).sum::<u64>();
        if beyond > 0 {
            let count = frame.count(beyond);
            self.more_places = frame.fill("entry.more_differences", &[("n", &count)]);
        }
        self.ignored = summary
            .ignored()
            .into_iter()
            .map(|one| Ignored {
                rule: visible(&one.rule).into_owned(),
                count: frame.count(one.counted.changes),
            })
            .collect();
        if let ignored @ 1.. = compared.ignored() {
            let count = frame.count(ignored);
            self.ignored_words = frame.fill("entry.ignored", &[("n", &count)]);
        }
        let is_strict = asked.get("strict").is_some();
        self.strict = (is_strict || compared.ignored() > 0)
            .then(|| asked.with(&[("strict", if is_strict { "" } else { "1" })]));
        if self.place.is_some() {
            self.changes = compared.around.iter().map(ChangePart::new).collect();
            if compared.more_around > 0 {
                let count = frame.count(compared.more_around);
                self.more_changes = frame.fill("entry.more_differences", &[("n", &count)]);
            }
        }
    }

    fn is_strict(&self) -> bool {
        self.ignored_words.is_empty()
    }
}

/// Returns a value in a line.
fn short(value: &Json) -> String {
    let text = match value {
        Json::Object(members) => format!("{{ {} }}", members.len()),
        Json::List(items) => format!("[ {} ]", items.len()),
        plain => plain.to_string(),
    };
    let (shown, left_out) = cut(&text, VALUE_CHARS);
    let more = if left_out > 0 { "…" } else { "" };
    format!("{shown}{more}")
}

fn verdict_words(compared: &Comparison, frame: &Frame) -> String {
    use crate::convert::Verdict;
    match compared.verdict {
        Verdict::Unchanged => frame.say("entry.verdict_unchanged").to_owned(),
        Verdict::Fixed => frame.say("entry.verdict_fixed").to_owned(),
        Verdict::Broken => frame.say("entry.verdict_broken").to_owned(),
        Verdict::Changed => {
            let changes = compared.difference.changes.len() as u64;
            let changes = frame.count(changes + compared.difference.more_changes);
            frame.fill("entry.verdict_changed", &[("n", &changes)])
        }
    }
}

fn words(attempt: &Attempt, frame: &Frame) -> String {
    let version = attempt.converter_version.as_deref().unwrap_or_default();
    let mark = frame.mark(Status::from(attempt.status));
    let at = frame.moment(attempt.at).short;
    let number = attempt.attempt;
    if version.is_empty() {
        return format!("{number} · {} · {at}", mark.word);
    }
    format!("{number} · {} · {} · {at}", mark.word, visible(version))
}

impl Way {
    fn new(way: &ChangePattern, frame: &Frame) -> Self {
        let by = |number: f64| [("by", number.to_string())];
        type Filled<'a> = dyn Fn(&[(&str, &str)]) -> String + 'a;
        let filled = |key: &Filled<'_>, number: f64| {
            let pairs = by(number);
            let pairs = pairs
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            key(&pairs)
        };
        let words = match way.kind {
            ChangeKind::Added => frame.say("entry.way_added").to_owned(),
            ChangeKind::Removed => frame.say("entry.way_removed").to_owned(),
            ChangeKind::Type => frame.say("entry.way_type").to_owned(),
            ChangeKind::Factor(by) => filled(&|pairs| frame.fill("entry.way_factor", pairs), by),
            ChangeKind::Offset(by) => filled(&|pairs| frame.fill("entry.way_offset", pairs), by),
            ChangeKind::Rounding => frame.say("entry.way_rounding").to_owned(),
            ChangeKind::Varied => frame.say("entry.way_varied").to_owned(),
            _ => frame.say("entry.way_value").to_owned(),
        };
        let shown = |value: &Option<Json>| {
            let text = value.as_ref().map(short).unwrap_or_default();
            visible(&text).into_owned()
        };
        let is_number = |value: &Option<Json>| matches!(value, None | Some(Json::Number(_)));
        Self {
            words,
            count: frame.count(way.counted.changes),
            old: shown(&way.old),
            new: shown(&way.new),
            is_number: is_number(&way.old) && is_number(&way.new),
        }
    }
}

impl ChangePart {
    fn new(found: &ChangeInContext) -> Self {
        let change: &Change = &found.change;
        let shown = |value: &Json| visible(&short(value)).into_owned();
        let names = found.around.iter().map(|level| visible(&level.name));
        let names: Vec<_> = names.collect();
        Self {
            path: visible(&change.path).into_owned(),
            within: names.join(" › "),
            old: change.old.as_ref().map(shown),
            new: change.new.as_ref().map(shown),
            siblings: found
                .siblings
                .iter()
                .map(|one| (visible(&one.name).into_owned(), shown(&one.value)))
                .collect(),
        }
    }
}
