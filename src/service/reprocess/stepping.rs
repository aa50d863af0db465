//! One entry at a time: runs a converter that somebody works on, and shows what it changes. Nothing
//! is recorded, except for the access where accesses are.

use crate::archive::RECORD_ACCESS;
use crate::convert::{
    Cancel, ChangePattern, ChangeSummary, Converter, Json, Trial, identity_of, try_entry,
};
use crate::entry::Entry;
use crate::id::{ConverterId, EntryId};
use crate::service::desk::Desk;
use crate::service::entries::no_entry;
use crate::{Error, ErrorKind, Result};

/// Most bytes of a report that are shown.
const SHOWN_BYTES_MAX: u64 = 256 << 10;
/// Hex digits of a mark.
const MARK_DIGITS: usize = 6;

/// What a converter makes of an entry, beside what is on record.
#[derive(Debug)]
pub struct Stepped {
    /// The entry.
    pub entry: Entry,
    /// The name of the converter that ran.
    pub converter: String,
    /// The result, and how it compares.
    pub trial: Trial,
    /// The first report on record of the attempt it is compared with.
    pub old: Option<ShownReport>,
    /// The first new report.
    pub new: Option<ShownReport>,
    /// The differences by place and way.
    pub groups: Vec<ChangeGroup>,
}

/// A report as lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReport {
    /// Its text; JSON is written one member a line.
    pub text: String,
    /// True if there is more of it.
    pub is_cut: bool,
}

/// One way in which the values of a place differ.
#[derive(Debug, Clone)]
pub struct ChangeGroup {
    /// The general path.
    pub path: String,
    /// The way, with an example.
    pub pattern: ChangePattern,
    /// Names place and way, so that the same change is known again at another entry.
    pub mark: String,
}

/// Returns the configured converter of a name, as the file says it at this moment.
///
/// # Errors
/// `Invalid` without a configuration, `NotFound` for an unknown name.
pub fn configured<'a>(desk: &'a Desk, name: &str) -> Result<&'a Converter> {
    let config = desk.config().ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            "no configuration is known that can be read",
        )
        .hint("start annals with --config FILE; `annals config check` says what is wrong in it")
    })?;
    let found = config.converter(name).ok_or_else(|| {
        let told = format!(
            "no converter '{name}' is configured in {}",
            config.path.display()
        );
        let names = config
            .converters
            .iter()
            .map(|one| one.converter.name.as_str());
        let names: Vec<&str> = names.collect();
        Error::new(ErrorKind::NotFound, told).hint(format!("there are: {}", names.join(", ")))
    })?;
    Ok(&found.converter)
}

/// Runs a configured converter over an entry. Without a name it is the one that the entry was
/// archived for. Returns `None` when cancelled.
///
/// # Errors
/// As [`try_entry`], and for an unknown converter.
pub fn step(
    desk: &Desk,
    id: EntryId,
    converter: Option<&str>,
    cancel: &Cancel,
) -> Result<Option<Stepped>> {
    let entry = desk.archive.snapshot()?.entry(id)?;
    let entry = entry.ok_or_else(|| no_entry(id))?;
    let converter = configured(desk, converter.unwrap_or(&entry.converter))?;
    note_access(desk, id)?;
    let scratch = std::env::temp_dir();
    let Some(trial) = try_entry(&desk.archive, converter, id, &scratch, cancel)? else {
        return Ok(None);
    };
    let before = trial.compared_with;
    let before = entry
        .attempts
        .iter()
        .find(|tried| Some(tried.attempt) == before);
    let old = before.and_then(|before| before.reports.first());
    let old = match old {
        // A report that a purge took is not there to be shown.
        Some(report) => desk.archive.read_all(&report.blake3, SHOWN_READ_MAX).ok(),
        None => None,
    };
    Ok(Some(Stepped {
        converter: converter.name.clone(),
        old: old.as_deref().map(shown),
        new: trial.conversion.reports.first().map(|report| shown(report)),
        groups: groups(&entry, &converter.name, &trial),
        trial,
        entry,
    }))
}

/// Returns the identity that a configured converter has at this moment, from its files.
///
/// # Errors
/// When it is not configured, or its files cannot be read.
pub fn identity_now(desk: &Desk, converter: &str) -> Result<ConverterId> {
    identity_of(configured(desk, converter)?)
}

/// Most bytes of a report that are read to be shown.
const SHOWN_READ_MAX: u64 = 16 << 20;

fn shown(report: &[u8]) -> ShownReport {
    let pretty = Json::parse(report).map(|json| pretty(&json));
    let text = pretty.unwrap_or_else(|| String::from_utf8_lossy(report).into_owned());
    let most = usize::try_from(SHOWN_BYTES_MAX).unwrap_or(usize::MAX);
    let cut = text.floor_char_boundary(most.min(text.len()));
    ShownReport {
        is_cut: cut < text.len(),
        text: text[..cut].to_owned(),
    }
}

/// Writes JSON with one member a line, numbers as they are. The depth is bounded by the parser.
fn pretty(json: &Json) -> String {
    fn write(json: &Json, indent: usize, out: &mut String) {
        let pad = |out: &mut String, indent: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", indent));
        };
        match json {
            Json::Object(members) if !members.is_empty() => {
                out.push('{');
                for (nth, (name, value)) in members.iter().enumerate() {
                    out.push_str(if nth == 0 { "" } else { "," });
                    pad(out, indent + 1);
                    // Writing into a `String` cannot fail.
                    let _ = std::fmt::Write::write_fmt(out, format_args!("{:?}: ", name.words()));
                    write(value, indent + 1, out);
                }
                pad(out, indent);
                out.push('}');
            }
            Json::List(items) if !items.is_empty() => {
                out.push('[');
                for (nth, value) in items.iter().enumerate() {
                    out.push_str(if nth == 0 { "" } else { "," });
                    pad(out, indent + 1);
                    write(value, indent + 1, out);
                }
                pad(out, indent);
                out.push(']');
            }
            plain => out.push_str(&plain.to_string()),
        }
    }
    let mut out = String::new();
    write(json, 0, &mut out);
    out
}

fn groups(entry: &Entry, converter: &str, trial: &Trial) -> Vec<ChangeGroup> {
    let mut summary = ChangeSummary::default();
    summary.add(entry.id, converter, trial.verdict, &trial.difference);
    let mut groups = Vec::new();
    for place in summary.places() {
        for pattern in place.patterns {
            groups.push(ChangeGroup {
                mark: mark(&place.path, &pattern),
                path: place.path.clone(),
                pattern,
            });
        }
    }
    groups
}

/// Returns a short name for a place and a way in which its values differ.
fn mark(path: &str, pattern: &ChangePattern) -> String {
    let mut digest = blake3::Hasher::new_derive_key("annals change mark v1");
    digest.update(path.as_bytes());
    digest.update(format!("{:?}", pattern.kind).as_bytes());
    digest.finalize().to_hex()[..MARK_DIGITS].to_owned()
}

/// Records that the content of an entry is handed out, where accesses are recorded.
fn note_access(desk: &Desk, id: EntryId) -> Result<()> {
    let configured = desk
        .config()
        .is_some_and(|config| config.evidence.record_access);
    let recorded = desk.archive.recorded_config(RECORD_ACCESS)?;
    if !configured && recorded.as_deref() != Some("true") {
        return Ok(());
    }
    match desk.archive.record_access(&[id], "convert", None) {
        // What is damaged must stay readable.
        Err(error) if matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::Damaged) => Ok(()),
        noted => noted,
    }
}
