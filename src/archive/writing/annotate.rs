//! Records what people add to an entry later: texts, labels and corrections.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::entry::{Meta, Unit};
use crate::event::{Annotated, Body};
use crate::id::{EntryId, EventSeq};
use crate::index::is_same_name;
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

/// The most bytes that all texts of a note have together: so many always fit one event, however
/// they are escaped.
const NOTE_BYTES_MAX: usize = 10 << 10;
/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 100;

/// What is to be added to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Annotation {
    /// What there is to say about the entry.
    pub text: Option<String>,
    /// Labels that it is to have. Letter case does not make a label another one.
    pub labels: Vec<String>,
    /// Labels that it is no longer to have.
    pub unlabels: Vec<String>,
    /// What is right of the unit. Absent fields stay as they are.
    pub unit: Unit,
    /// Metadata that is right. Other metadata stays as it is.
    pub meta: Meta,
    /// Why.
    pub reason: String,
}

impl Annotation {
    /// Returns an annotation that adds nothing yet.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            ..Self::default()
        }
    }
}

setters! { Annotation {
    /// Sets what there is to say about the entry.
    text: some [String];
    /// Sets the labels to add.
    labels: [Vec<String>];
    /// Sets the labels to remove.
    unlabels: [Vec<String>];
    /// Sets what is right of the unit.
    unit: [Unit];
    /// Sets the metadata that is right.
    meta: [Meta];
} }

impl Archive {
    /// Adds a text, labels and corrections to an entry, purged or not. Durable on `Ok`. Returns the
    /// event that records it.
    ///
    /// Nothing that is recorded is changed. The newer values answer queries;
    /// [`Entry::notes`](crate::entry::Entry::notes) has the older ones, with who corrected them,
    /// when and why. Converters do not overwrite what was corrected.
    ///
    /// ```
    /// use annals::archive::{Annotation, Archive, NewEntry};
    /// use annals::entry::Unit;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT").serial("SN1O42"), &b"content"[..])?.id;
    /// let note = Annotation::new("label misread by the scanner")
    ///     .unit(Unit::default().serial("SN1042"))
    ///     .labels(vec!["checked by hand".into()]);
    /// archive.annotate(id, note)?;
    /// let entry = archive.snapshot()?.entry(id)?.expect("there");
    /// assert_eq!(entry.unit.serial.as_deref(), Some("SN1042"));
    /// assert_eq!(entry.notes[0].changes[0].old.as_deref(), Some("SN1O42"));
    /// assert_eq!(archive.snapshot()?.find("SN1O42", 10)?.len(), 1);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry, or it lacks a label that is to go. `Invalid` when
    /// the annotation adds nothing, has no reason, or has an empty value.
    pub fn annotate(&self, entry: EntryId, annotation: Annotation) -> Result<EventSeq> {
        annotation.check()?;
        let Annotation {
            text,
            labels,
            unlabels,
            unit,
            meta,
            reason,
        } = annotation;
        self.append_fact(Draft::fact(Body::Annotated(Annotated {
            entry,
            text,
            labels,
            unlabels,
            unit,
            meta,
            reason,
        })))
    }
}

impl Annotation {
    /// Refuses an annotation that says nothing, or not why. [`Archive::annotate`] does it, too.
    ///
    /// # Errors
    ///
    /// `Invalid`, with what is wrong.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: String| Err(Error::new(ErrorKind::Invalid, what));
        if self.reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a note needs a reason")
                .hint("say why with --reason TEXT; it is recorded for good"));
        }
        let Unit {
            serial,
            part,
            station,
            process,
        } = &self.unit;
        let fields = [
            ("text", &self.text),
            ("serial number", serial),
            ("part number", part),
            ("station", station),
            ("process", process),
        ];
        for (what, value) in fields {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return invalid(format!("the {what} of the note is empty"));
            }
        }
        let is_blank = |(_, value): &(&String, &String)| value.trim().is_empty();
        if let Some((name, _)) = self.meta.iter().find(is_blank) {
            return invalid(format!("the value of the metadata '{name}' is empty"));
        }
        let (labels, unlabels) = (&self.labels, &self.unlabels);
        for label in labels.iter().chain(unlabels) {
            let is_one_line = !label.chars().any(char::is_control);
            if label.trim().is_empty() || label.trim() != label || !is_one_line {
                return invalid(format!(
                    "'{}' is not a label: it is empty, or has blanks at its ends or line ends",
                    label.escape_debug()
                ));
            }
            if label.len() > LABEL_BYTES_MAX {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!(
                        "a label has {} bytes; at most {LABEL_BYTES_MAX} are recorded",
                        label.len()
                    ),
                )
                .hint("say more with --text TEXT"));
            }
        }
        let is_both = |label: &&String| unlabels.iter().any(|gone| is_same_name(label, gone));
        if let Some(label) = labels.iter().find(is_both) {
            return invalid(format!("the label '{label}' is both added and removed"));
        }
        let bytes = self.bytes();
        if bytes > NOTE_BYTES_MAX {
            return invalid(format!(
                "the note has {bytes} bytes; at most {NOTE_BYTES_MAX} are recorded"
            ));
        }
        let adds = self.text.is_some()
            || !labels.is_empty()
            || !unlabels.is_empty()
            || !self.unit.is_empty()
            || !self.meta.is_empty();
        if !adds {
            return Err(Error::new(ErrorKind::Invalid, "the note says nothing").hint(
                "add a text, a label, or what is right: --text, --label, --unlabel, --serial, --part, \
                 --station, --process, --meta",
            ));
        }
        Ok(())
    }

    /// Returns how many bytes all texts have together.
    fn bytes(&self) -> usize {
        let unit = &self.unit;
        let fields = [
            &self.text,
            &unit.serial,
            &unit.part,
            &unit.station,
            &unit.process,
        ];
        let fields = fields.into_iter().flatten();
        let labels = self.labels.iter().chain(&self.unlabels);
        let meta = self.meta.iter().flat_map(|(name, value)| [name, value]);
        let texts = fields.chain(labels).chain(meta).chain([&self.reason]);
        texts.map(String::len).sum()
    }
}
