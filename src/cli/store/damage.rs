//! Reports known damage of the store that a run reads from: an error at the end of the run, and an
//! exit code. So no script mistakes the output for that of an undamaged store.

use std::cell::{Cell, RefCell};

use crate::archive::KnownDamage;
use crate::cli::render::escape;
use crate::{Error, ErrorKind};

/// Most places that are listed. `verify` lists all.
const PLACES_MAX: usize = 5;

const NEXT_STEP: &str = "bring the damaged files back from a copy, or see `annals verify` and `annals \
                         repair --dry-run`";

/// The known damage of all stores that a run has opened.
#[derive(Default)]
pub(crate) struct DamageNotes {
    lines: RefCell<Vec<String>>,
    told: Cell<bool>,
    warns: Cell<bool>,
}

impl DamageNotes {
    /// Adds the known damage of one store.
    pub(crate) fn note(&self, damage: KnownDamage) {
        let mut lines = self.lines.borrow_mut();
        for line in damage.lines() {
            if !lines.iter().any(|known| known == line) {
                lines.push(line.to_owned());
            }
        }
    }

    /// Makes damage a warning, for a run that only records: what it recorded is safe.
    pub(crate) fn warn_only(&self) {
        self.warns.set(true);
    }

    /// Returns true when damage is only a warning for this run.
    pub(crate) fn is_warning(&self) -> bool {
        self.warns.get()
    }

    /// Returns true when a store that this run opened is damaged.
    pub(crate) fn is_known(&self) -> bool {
        !self.lines.borrow().is_empty()
    }

    /// Returns the lines to print, or `None` when there are none or they were printed before.
    pub(crate) fn to_tell(&self) -> Option<Vec<String>> {
        let is_due = self.is_known() && !self.told.replace(true);
        is_due.then(|| self.lines.borrow().clone())
    }

    /// Returns the error to print instead of `error`, when damage changes its meaning.
    ///
    /// In a damaged store, an item that is not found may be lost. It must not be reported as
    /// plainly missing. Damage that the error names is not printed a second time.
    pub(crate) fn qualify(&self, error: &Error) -> Option<Error> {
        let lines = self.lines.borrow();
        let first = lines.first()?;
        if error.kind() == ErrorKind::Damaged && error.message().contains(first.as_str()) {
            self.told.set(true);
        }
        if error.kind() != ErrorKind::NotFound {
            return None;
        }
        self.told.set(true);
        let said = format!(
            "{}, in what is left of a damaged store: {first}{}",
            error.message(),
            more(lines.len() - 1)
        );
        Some(Error::new(ErrorKind::Damaged, said).hint(NEXT_STEP))
    }
}

/// Returns the error about damage that ends a run.
pub(crate) fn error(lines: &[String]) -> Error {
    let first = lines.first().map_or("", String::as_str);
    Error::new(
        ErrorKind::Damaged,
        format!(
            "the store is damaged, and its answers may lack what was lost: {first}{}",
            more(lines.len().saturating_sub(1))
        ),
    )
    .hint(NEXT_STEP)
}

/// Returns that error as `--json` prints it, with all places.
pub(crate) fn object(error: &Error, lines: &[String]) -> String {
    let object = serde_json::json!({
        "error": {
            "kind": error.kind().name(),
            "message": error.message(),
            "hint": error.next_step(),
            "damage": lines,
        }
    });
    object.to_string()
}

/// Inserts the further places, after the first, before the hint of an error's text.
pub(crate) fn with_places(text: String, lines: &[String]) -> String {
    let places: Vec<String> = lines
        .iter()
        .skip(1)
        .take(PLACES_MAX)
        .map(|line| format!("       {}\n", escape(line)))
        .collect();
    match text.split_once('\n') {
        Some((said, hint)) => format!("{said}\n{}{hint}", places.concat()),
        None => text,
    }
}

fn more(places: usize) -> String {
    match places {
        0 => String::new(),
        1 => ", and 1 more place".to_owned(),
        more => format!(", and {more} more places"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(lines: &[&str]) -> DamageNotes {
        let notes = DamageNotes::default();
        notes.note(KnownDamage {
            log: lines.iter().map(|line| (*line).to_owned()).collect(),
            content: Vec::new(),
        });
        notes
    }

    /// In a damaged store, "nothing matches" could mean that the entry was in a lost journal.
    #[test]
    fn what_a_damaged_store_does_not_find_is_no_plain_not_found() {
        let error = Error::new(ErrorKind::NotFound, "nothing matches 'SN1'");
        assert!(notes(&[]).qualify(&error).is_none());
        let damaged = notes(&["journal is cut", "events is gone"]);
        let said = damaged.qualify(&error).expect("qualified");
        assert_eq!(said.kind(), ErrorKind::Damaged);
        assert_eq!(
            said.message(),
            "nothing matches 'SN1', in what is left of a damaged store: journal is cut, and 1 more place"
        );
        assert!(said.next_step().is_some());
        assert!(damaged.to_tell().is_none(), "it is told once");
    }

    #[test]
    fn damage_is_told_once_unless_an_error_has_told_it() {
        let known = notes(&["journal is cut"]);
        let lines = known.to_tell().expect("to be told");
        assert!(error(&lines).message().ends_with("journal is cut"));
        assert!(known.to_tell().is_none());
        let known = notes(&["journal is cut"]);
        let refused = Error::new(ErrorKind::Damaged, "reading only: journal is cut");
        assert!(known.qualify(&refused).is_none());
        assert!(known.to_tell().is_none());
        let known = notes(&["journal is cut"]);
        let other = Error::new(ErrorKind::Refused, "add --yes");
        assert!(known.qualify(&other).is_none());
        assert!(known.to_tell().is_some());
    }
}
