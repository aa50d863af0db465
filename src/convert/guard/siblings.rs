//! The newest other results of a converter, which a result is compared with.

use std::cell::OnceCell;

use crate::Result;
use crate::archive::Archive;
use crate::entry::{Extent, Outcome, Status};
use crate::id::EntryId;
use crate::query::{Direction, Filter, Query, Sort, SortField, Suspicious};

/// How many results are compared with.
const SIBLINGS: usize = 50;
/// Fewer results say nothing.
const SIBLINGS_MIN: usize = 10;

/// Results of a converter: those of the newest other entries whose last attempt was a success and
/// not suspicious.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Siblings {
    pub(super) extents: Vec<Extent>,
    /// True when all are results of one part number.
    pub(super) of_part: bool,
}

impl Siblings {
    /// Returns the number of siblings.
    pub(super) fn count(&self) -> usize {
        self.extents.len()
    }

    /// Returns true when they are enough to compare with.
    pub(super) fn say_something(&self) -> bool {
        self.extents.len() >= SIBLINGS_MIN
    }

    /// Returns how many of them have something, if nearly all have it: 19 of 20.
    pub(super) fn nearly_all(&self, has: impl Fn(&Extent) -> bool) -> Option<usize> {
        let number = self.extents.iter().filter(|extent| has(extent)).count();
        let nearly = number * 20 >= self.extents.len() * 19;
        (self.say_something() && nearly).then_some(number)
    }

    /// Returns the number in the middle; the lower one of two.
    pub(super) fn median(&self, number: impl Fn(&Extent) -> u64) -> u64 {
        let mut numbers: Vec<u64> = self.extents.iter().map(number).collect();
        numbers.sort_unstable();
        let middle = numbers.len().saturating_sub(1) / 2;
        numbers.get(middle).copied().unwrap_or_default()
    }

    /// Returns true when hardly any of them is like this: one of 20.
    pub(super) fn hardly_any(&self, is: impl Fn(&Extent) -> bool) -> bool {
        let number = self.extents.iter().filter(|extent| is(extent)).count();
        number * 20 <= self.extents.len()
    }

    /// Returns true when most of them are like this: three of four.
    pub(super) fn most(&self, are: impl Fn(&Extent) -> bool) -> bool {
        let number = self.extents.iter().filter(|extent| are(extent)).count();
        number * 4 >= self.extents.len() * 3
    }

    /// Returns those whose steps were counted in the same place.
    pub(super) fn with_steps_like(&self, extent: &Extent) -> Self {
        let alike = self.extents.iter();
        let alike =
            alike.filter(|other| other.steps.is_some() && other.counted_at == extent.counted_at);
        Self {
            extents: alike.cloned().collect(),
            of_part: self.of_part,
        }
    }
}

/// Looks for siblings when they are first needed.
pub(super) struct SiblingSearch<'a> {
    /// The store; `None` where there are no other results.
    archive: Option<&'a Archive>,
    converter: &'a str,
    part: Option<&'a str>,
    /// The entry that is compared.
    entry: EntryId,
    all: OnceCell<Siblings>,
    alike: OnceCell<Siblings>,
}

impl<'a> SiblingSearch<'a> {
    /// Returns a search for the siblings of an entry.
    pub(super) fn beside(
        archive: &'a Archive,
        converter: &'a str,
        entry: EntryId,
        part: Option<&'a str>,
    ) -> Self {
        Self {
            archive: Some(archive),
            converter,
            part,
            entry,
            ..Self::nowhere()
        }
    }

    /// Returns a search that finds no siblings.
    pub(super) fn nowhere() -> Self {
        Self {
            archive: None,
            converter: "",
            part: None,
            entry: EntryId(0),
            all: OnceCell::new(),
            alike: OnceCell::new(),
        }
    }

    /// Returns the siblings of any part number.
    pub(super) fn all(&self) -> Result<&Siblings> {
        self.found(&self.all, None)
    }

    /// Returns the siblings of the same part number, if one is known: other parts have other
    /// steps.
    pub(super) fn alike(&self) -> Result<&Siblings> {
        match self.part {
            Some(part) => self.found(&self.alike, Some(part)),
            None => self.all(),
        }
    }

    fn found<'b>(
        &'b self,
        place: &'b OnceCell<Siblings>,
        part: Option<&str>,
    ) -> Result<&'b Siblings> {
        if let Some(known) = place.get() {
            return Ok(known);
        }
        let found = match self.archive {
            Some(archive) => self.search(archive, part)?,
            None => Siblings::default(),
        };
        Ok(place.get_or_init(|| found))
    }

    fn search(&self, archive: &Archive, part: Option<&str>) -> Result<Siblings> {
        let filter = Filter {
            part: part.map(str::to_owned),
            suspicious: Suspicious::Exclude,
            ..Filter::default()
                .converter(self.converter)
                .status(Status::Success)
        };
        let newest_first = Sort {
            field: SortField::Id,
            direction: Direction::Desc,
        };
        let query = Query::default()
            .filter(filter)
            .sort(newest_first)
            .limit(SIBLINGS + 1);
        let page = archive.snapshot()?.query(&query)?;
        let others = page.entries.into_iter();
        let others = others.filter(|other| other.id != self.entry);
        let extents = others.filter_map(|mut other| {
            let last = other.attempts.pop()?;
            let counts = last.status == Outcome::Success && last.converter == self.converter;
            last.extent.filter(|_| counts)
        });
        Ok(Siblings {
            extents: extents.take(SIBLINGS).collect(),
            of_part: part.is_some(),
        })
    }
}
