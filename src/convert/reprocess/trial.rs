//! Converts one archived entry and compares the result, without recording anything.

use std::path::Path;

use super::blocked::Blocked;
use super::choice::Unfit;
use super::options::{OnError, Reprocess, Which};
use super::runners::Runners;
use super::work::{Converted, Tried, Work, parted};
use crate::archive::Archive;
use crate::convert::compare::{Difference, RuleBook, Verdict};
use crate::convert::converter::Converter;
use crate::convert::guard::examine;
use crate::convert::process::Cancel;
use crate::convert::protocol::Conversion;
use crate::id::{AttemptNo, ConverterId, EntryId};
use crate::{Error, ErrorKind, Result};

/// What a converter makes of an entry, compared with what is on record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// The identity of the converter that ran.
    pub converter_id: ConverterId,
    /// The result of the run.
    pub conversion: Conversion,
    /// The attempt on record that it is compared with, the last one; `None` when there is none.
    pub compared_with: Option<AttemptNo>,
    /// The comparison with it.
    pub verdict: Option<Verdict>,
    /// The differences from its reports.
    pub difference: Difference,
}

/// Runs a converter over an archived entry and compares the result with the last attempt. Nothing
/// is recorded, so an archive that is open for reading only will do.
///
/// The converter need not be configured anywhere, nor be the one of the entry. Returns `None` when
/// cancelled.
///
/// # Errors
/// `NotFound` for an unknown entry, `Refused` for a purged one, `Converter` when the program cannot
/// be started; and any error of reading the archive.
pub fn try_entry(
    archive: &Archive,
    converter: &Converter,
    id: EntryId,
    scratch: &Path,
    cancel: &Cancel,
) -> Result<Option<Trial>> {
    if archive.snapshot()?.entry(id)?.is_none() {
        return Err(
            Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
                .hint("`list` shows the entries there are"),
        );
    }
    let options = Reprocess {
        which: Which::Named(converter.name.clone()),
        on_error: OnError::Stop,
        compare_only: true,
        rules: RuleBook::of([(converter.name.as_str(), &converter.compare)]),
        scratch: scratch.to_owned(),
        ..Reprocess::default()
    };
    let work = Work {
        archive,
        converters: std::slice::from_ref(converter),
        options: &options,
        run: None,
        cancel,
        runners: Runners::default(),
        blocked: Blocked::default(),
    };
    match work.try_convert(id) {
        Ok(None) => Ok(None),
        Ok(Some(Tried::Converted(converted))) => work.weigh(*converted).map(Some),
        Ok(Some(Tried::Stepped(_))) => {
            let told = format!("the converter could not be run over entry {id}");
            Err(Error::new(ErrorKind::Converter, told))
        }
        Err(Unfit::Skip(reason)) => Err(Error::new(ErrorKind::Refused, reason)),
        Err(Unfit::CannotRun(_, error) | Unfit::Error(error)) => Err(error),
    }
}

impl Work<'_> {
    /// Measures a conversion and compares it with the attempt before. Records nothing.
    fn weigh(&self, converted: Converted) -> Result<Trial> {
        let Converted {
            entry,
            chosen,
            session,
            mut conversion,
        } = converted;
        let Converter { name, expect, .. } = chosen.runner.converter();
        examine(self.archive, &entry, name, expect, &mut conversion)?;
        let before = self.options.against.attempt(&entry.attempts);
        let (verdict, difference) = parted(self.judge(name, &entry, before, &conversion));
        Ok(Trial {
            converter_id: session.identity.id,
            conversion,
            compared_with: before.map(|before| before.attempt),
            verdict,
            difference,
        })
    }
}
