//! Errors for selections without entries and for unknown converter names.
//!
//! A verb that acts on entries fails with exit code 4 when there are none: a typo in a filter must
//! not pass a gate. A listing prints an empty list instead.

use std::collections::BTreeSet;

use super::found::END_LETTERS_MIN;
use super::known_names::{did_you_mean, unknown_name};
use super::stated::Stated;
use crate::archive::{Archive, Snapshot};
use crate::convert::{IdentityDigits, suggest};
use crate::host::Config;
use crate::id::EntryId;
use crate::index::is_same_name;
use crate::query::{Filter, Purged};
use crate::service::desk::Desk;
use crate::service::words::{counted, in_shell};
use crate::{Error, ErrorKind, Result};

/// Selected entries: named by id, or described by a filter.
///
/// `F` is [`Stated`] until the store has completed the filter.
#[derive(Debug)]
pub enum Selected<F = Filter> {
    /// Exactly these.
    Ids(Vec<EntryId>),
    /// All that match.
    Filter(Box<F>),
}

impl Selected<Stated> {
    /// Returns the selection. Refuses an empty one, which would mean every entry, and ids mixed
    /// with filters.
    pub fn of(ids: Vec<EntryId>, filter: Stated) -> Result<Self> {
        match (ids.is_empty(), filter.is_empty()) {
            (false, true) => Ok(Self::Ids(ids)),
            (true, false) => Ok(Self::Filter(Box::new(filter))),
            (true, true) => Err(Error::new(ErrorKind::Invalid, "no entries are named")
                .hint("give ids, or a filter such as --serial SN1042")),
            (false, false) => Err(
                Error::new(ErrorKind::Invalid, "ids and filters are both given")
                    .hint("give ids, or filters, not both"),
            ),
        }
    }

    /// Returns the selection with what only the store knows of its filter.
    pub fn in_store(self, desk: &Desk) -> Result<Selected> {
        match self {
            Self::Filter(stated) => Ok(Selected::Filter(Box::new(stated.in_store(desk)?))),
            Self::Ids(ids) => Ok(Selected::Ids(ids)),
        }
    }
}

/// Returns the error of a verb that found no entry to act on.
pub fn nothing_selected() -> Error {
    Error::new(ErrorKind::NotFound, "no entry matches").hint(
        "`annals list` with the same filters shows what they select; purged entries are left out",
    )
}

/// Returns why a filter probably selects nothing, and the command that would help.
///
/// # Errors
/// When the store cannot be read.
pub fn why_nothing(
    filter: &Filter,
    snapshot: &Snapshot,
    config: Option<&Config>,
) -> Result<String> {
    if let Err(error) = refuse_unknown_converters(filter, snapshot, config) {
        if error.kind() != ErrorKind::NotFound {
            return Err(error);
        }
        let hint = error.next_step().unwrap_or_default();
        return Ok(format!("{}; {hint}", error.message()));
    }
    let all = Filter::default().purged(Purged::Include);
    if snapshot.count(&all)? == 0 {
        let begin = "`annals archive PATH -c CONVERTER` archives the first";
        return Ok(format!("nothing is archived yet; {begin}"));
    }
    let purged = filter.clone().purged(Purged::Include);
    let gone = snapshot.count(&purged)?;
    if gone > 0 && filter.purged == Purged::Exclude {
        let were = counted(gone, "matching entry was", "matching entries were");
        return Ok(format!("{were} purged; --purged lists them, too"));
    }
    if filter.made_by.as_ref().is_some_and(Vec::is_empty) {
        let identities = "`annals promotion show CONVERTER` lists the identities of a converter";
        return Ok(format!(
            "no entry was last converted by such an identity; {identities}"
        ));
    }
    if let Some(unknown) = unknown_name(filter, snapshot)? {
        return Ok(unknown);
    }
    let unit = filter.serial.as_ref().or(filter.part.as_ref());
    if let Some(text) = unit {
        let find = format!("annals find {}", in_shell(text));
        return Ok(format!(
            "no entry matches; `{find}` looks for beginnings and ends, too"
        ));
    }
    if let Some(file) = filter
        .file
        .as_ref()
        .filter(|file| !file.contains(['*', '?', '[']))
    {
        let pattern = in_shell(&format!("*{file}*")).into_owned();
        return Ok(format!(
            "no file has exactly this name; --file {pattern} looks inside names"
        ));
    }
    if let Some((name, _)) = filter.meta.first() {
        let text = "--text looks inside values";
        return Ok(format!(
            "no entry matches; --meta {name}=... wants the whole value, {text}"
        ));
    }
    Ok("no entry matches all of the filters; `annals list` without some of them shows more".into())
}

/// Returns why the quick search for a text finds nothing, and the command that would help.
///
/// # Errors
/// When the store cannot be read.
pub fn why_nothing_found(text: &str, snapshot: &Snapshot) -> Result<String> {
    let all = || Filter::default().purged(Purged::Include);
    let shown = in_shell(text);
    if text.contains(['*', '?', '[']) {
        let serial = all().serial(text);
        let option = if text.contains('/') {
            "path"
        } else if !text.contains(['?', '[']) && snapshot.count_up_to(&serial, 1)?.n > 0 {
            "serial"
        } else if snapshot.count_up_to(&all().file(text), 1)?.n > 0 || text.contains(['?', '[']) {
            "file"
        } else {
            "serial"
        };
        return Ok(format!(
            "a search takes no patterns; `annals list --{option} {shown}` does"
        ));
    }
    let ends = format!("*{text}");
    if text.chars().count() < END_LETTERS_MIN
        && snapshot.count_up_to(&all().serial(ends.as_str()), 1)?.n > 0
    {
        return Ok(format!(
            "ends of serials are found from {END_LETTERS_MIN} letters on; `annals list --serial \
             {}` lists those that end so",
            in_shell(&ends)
        ));
    }
    Ok(format!(
        "`annals list --text {shown}` looks inside names, errors and metadata too"
    ))
}

/// Returns the error for an entry that does not exist.
pub fn no_entry(id: EntryId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
        .hint("`annals find TEXT` looks for one by serial, part, file name, report id or hash")
}

/// Refuses a filter by a converter that no entry was archived for and that is not configured.
///
/// # Errors
/// `NotFound`, with the most similar known name.
pub fn refuse_unknown_converters(
    filter: &Filter,
    snapshot: &Snapshot,
    config: Option<&Config>,
) -> Result<()> {
    if filter.converter.is_empty() {
        return Ok(());
    }
    let mut known = snapshot.converters()?;
    let configured = config.iter().flat_map(|config| &config.converters);
    known.extend(configured.map(|config| config.converter.name.clone()));
    let is_known = |name: &str| known.iter().any(|known| is_same_name(known, name));
    match filter.converter.iter().find(|name| !is_known(name)) {
        Some(name) => Err(unknown_converter(name, &known)),
        None => Ok(()),
    }
}

fn unknown_converter(name: &str, known: &BTreeSet<String>) -> Error {
    let error = Error::new(
        ErrorKind::NotFound,
        format!("no entry was archived for a converter '{name}', and none is configured"),
    );
    match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(question) => error.hint(question),
        None => error.hint("`annals stats --by converter` lists the converters"),
    }
}

/// Refuses a converter to run that is neither configured nor recorded.
///
/// `wanted` may be a name, a version or an identity.
///
/// # Errors
/// `NotFound`, with the most similar known name.
pub fn refuse_unknown_version(
    wanted: &str,
    archive: &Archive,
    config: Option<&Config>,
) -> Result<()> {
    let configured = config.iter().flat_map(|config| &config.converters);
    let mut known: BTreeSet<String> = configured
        .map(|config| config.converter.name.clone())
        .collect();
    let digits = wanted.parse::<IdentityDigits>();
    for recorded in archive.converters()? {
        if (digits.as_ref()).is_ok_and(|digits| digits.begin(&recorded.converter_id)) {
            return Ok(());
        }
        known.extend(recorded.version);
    }
    if known.contains(wanted) {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::NotFound,
        format!(
            "no converter '{wanted}' is configured, and no recorded one has this version or \
             identity"
        ),
    );
    let words = known
        .iter()
        .map(String::as_str)
        .chain(["recorded", "current"]);
    Err(match suggest(wanted, words) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint("give current, recorded, a configured name, or a recorded version"),
    })
}
