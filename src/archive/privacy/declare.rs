//! Declares fields personal, and takes such a declaration back.

use serde::Serialize;

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::event::{Body, PersonalField, PrivacyDeclared};
use crate::id::EventSeq;
use crate::{Error, ErrorKind, Result};

/// A field that is personal, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeclaredField {
    /// The field, as it was declared.
    pub field: String,
    /// The event since which it is personal without a break. Leaves from there on have no value of
    /// it.
    pub since: EventSeq,
}

impl Archive {
    /// Returns the fields that are personal in this store.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::event::PersonalField;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let operator = PersonalField::Meta("operator".to_owned());
    /// archive.declare_personal(&[operator.clone()], None)?;
    /// assert_eq!(archive.personal_fields()[0].field, "meta.operator");
    /// let id = archive.put(NewEntry::new("ICT").meta("operator", "kari"), &b"content"[..])?.id;
    /// let plan = archive.plan_erasure(&operator, &[id])?;
    /// let done = archive.erase(&plan, "she asked for it")?;
    /// assert_eq!(done.recorded.values, 1);
    /// assert!(archive.snapshot()?.entry(id)?.expect("there").meta.is_empty());
    /// # archive.close()
    /// # }
    /// ```
    pub fn personal_fields(&self) -> Vec<DeclaredField> {
        let fields = self.store().index.view().personal_fields();
        let declared = fields.iter().map(|(field, since)| DeclaredField {
            field: field.clone(),
            since: *since,
        });
        declared.collect()
    }

    /// Declares fields personal, beside those that are. From this event on, the log has digests of
    /// their values, which can be erased. Values that are in the log already stay there.
    ///
    /// Returns the event that says so; `None` when all of them were personal before.
    ///
    /// # Errors
    ///
    /// `Invalid` where another field that is not personal would state the value: a path ends in the
    /// file name.
    pub fn declare_personal(
        &self,
        fields: &[PersonalField],
        reason: Option<&str>,
    ) -> Result<Option<EventSeq>> {
        let _alone = self.store().declaring.lock().expect("no panic while held");
        let before = self.personal_names();
        let mut names = before.clone();
        names.extend(fields.iter().map(ToString::to_string));
        self.record_declaration(before, names, reason)
    }

    /// Declares that fields are not personal any more. What was recorded meanwhile can still be
    /// erased.
    ///
    /// Returns the event that says so; `None` when none of them was personal.
    pub fn withdraw_personal(
        &self,
        fields: &[PersonalField],
        reason: Option<&str>,
    ) -> Result<Option<EventSeq>> {
        let _alone = self.store().declaring.lock().expect("no panic while held");
        let before = self.personal_names();
        let mut names = before.clone();
        names.retain(|name| !fields.iter().any(|field| field.to_string() == *name));
        self.record_declaration(before, names, reason)
    }

    fn personal_names(&self) -> Vec<String> {
        let fields = self.personal_fields().into_iter();
        fields.map(|declared| declared.field).collect()
    }

    fn record_declaration(
        &self,
        before: Vec<String>,
        names: Vec<String>,
        reason: Option<&str>,
    ) -> Result<Option<EventSeq>> {
        let fact = declaration(names, reason)?;
        if fact.fields == before {
            return Ok(None);
        }
        self.append_fact(Draft::fact(Body::PrivacyDeclared(fact)))
            .map(Some)
    }
}

/// Returns the fact that these fields, and no others, are personal.
pub(in crate::archive) fn declaration(
    mut names: Vec<String>,
    reason: Option<&str>,
) -> Result<PrivacyDeclared> {
    names.sort_unstable();
    names.dedup();
    for name in &names {
        let Ok(field) = name.parse::<PersonalField>() else {
            continue;
        };
        // A key is covered with what it is made of.
        let mut also = field.said_by().iter();
        let open =
            also.find(|also| **also != PersonalField::Key && !names.contains(&also.to_string()));
        if let Some(open) = open {
            let told = format!("{field} would stay readable in {open}, which is not personal");
            return Err(
                Error::new(ErrorKind::Invalid, told).hint(format!("declare {open} as well"))
            );
        }
    }
    Ok(PrivacyDeclared {
        fields: names,
        reason: reason.map(str::to_owned),
    })
}
