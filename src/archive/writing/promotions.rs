//! Records which identity of a converter is current, what may break with a new one, and what a
//! converter runs on.

use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::entry::Meta;
use crate::event::{
    Actor, Body, ConverterEnvironment, ConverterPromoted, ConverterWaived, PersonalField,
    WaiverRevoked,
};
use crate::id::{ConverterId, EventSeq};
use crate::query::Filter;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// An identity that was made the current one of its converter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promotion {
    /// The event that records it.
    pub event: EventSeq,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who promoted it.
    pub by: Actor,
    /// Which identity, on what grounds, with what evidence.
    pub fact: ConverterPromoted,
}

/// A decision that entries may break with a new identity of a converter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiver {
    /// The event that records it; its name.
    pub event: EventSeq,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who decided it.
    pub by: Actor,
    /// What is waived, and why.
    pub fact: ConverterWaived,
    /// The event that revoked it, if one did.
    pub revoked: Option<EventSeq>,
}

impl Waiver {
    /// Returns true when it applies to a new identity at a time.
    pub fn is_in_force(&self, candidate: ConverterId, now: Timestamp) -> bool {
        self.revoked.is_none()
            && self.fact.candidate.is_none_or(|wanted| wanted == candidate)
            && self.fact.until.is_none_or(|until| now < until)
    }
}

impl Archive {
    /// Returns the identity of a converter that is current: the one promoted last. `None` when none
    /// was promoted.
    pub fn promoted(&self, converter: &str) -> Result<Option<ConverterId>> {
        Ok(self
            .store()
            .index
            .view()
            .promotions_of(converter)?
            .current())
    }

    /// Returns the names of the converters that have promotions or waivers.
    pub fn promoted_converters(&self) -> Result<Vec<String>> {
        Ok(self
            .store()
            .index
            .view()
            .promotions()?
            .into_keys()
            .collect())
    }

    /// Returns every promotion of a converter, the oldest first.
    pub fn promotions(&self, converter: &str) -> Result<Vec<Promotion>> {
        let row = self.store().index.view().promotions_of(converter)?;
        let mut promotions = Vec::with_capacity(row.promoted.len());
        for (seq, _) in row.promoted {
            for leaf in self.events(seq, Some(seq))? {
                let event = leaf?.event()?;
                if let Body::ConverterPromoted(fact) = event.body {
                    promotions.push(Promotion {
                        event: seq,
                        at: event.time,
                        by: event.actor,
                        fact,
                    });
                }
            }
        }
        Ok(promotions)
    }

    /// Returns every waiver of a converter, the oldest first, also those that were revoked.
    pub fn waivers(&self, converter: &str) -> Result<Vec<Waiver>> {
        let row = self.store().index.view().promotions_of(converter)?;
        let mut waivers = Vec::with_capacity(row.waivers.len());
        for (seq, revoked) in row.waivers {
            for leaf in self.events(seq, Some(seq))? {
                let event = leaf?.event()?;
                if let Body::ConverterWaived(fact) = event.body {
                    waivers.push(Waiver {
                        event: seq,
                        at: event.time,
                        by: event.actor,
                        fact,
                        revoked,
                    });
                }
            }
        }
        Ok(waivers)
    }

    /// Records that an identity of a converter is current from here on.
    ///
    /// # Errors
    /// `NotFound` if the identity is not recorded. `Refused` if it is current already, or if the
    /// current one is not `promoted.before`: then another promotion came first.
    pub fn promote(&self, promoted: ConverterPromoted) -> Result<()> {
        if promoted.reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a promotion needs a reason"));
        }
        self.append_fact(Draft::fact(Body::ConverterPromoted(promoted)))?;
        Ok(())
    }

    /// Records that entries may break with a new identity of a converter. Returns the event, which
    /// names the waiver.
    ///
    /// # Errors
    /// `Invalid` for a waiver without a reason, for one that says nothing of what it is for, and
    /// for one that is neither for one new identity nor ends.
    pub fn waive(&self, waived: ConverterWaived) -> Result<EventSeq> {
        let invalid = |told: &'static str, hint: &'static str| {
            Err(Error::new(ErrorKind::Invalid, told).hint(hint))
        };
        if waived.reason.trim().is_empty() {
            return invalid("a waiver needs a reason", "say why these entries may break");
        }
        if waived.candidate.is_none() && waived.until.is_none() {
            return invalid(
                "a waiver is for one new identity, or ends at some time",
                "name the identity, or a date",
            );
        }
        self.refuse_personal(&waived)?;
        let is_for_all = waived.entries.is_empty() && waived.filter.is_none();
        let cause = waived.cause.as_deref().map(str::trim);
        if cause == Some("") || is_for_all && cause.is_none() {
            return invalid(
                "a waiver says which entries may break, or with which error",
                "name entries, a filter, or a cause",
            );
        }
        self.append_fact(Draft::fact(Body::ConverterWaived(waived)))
    }

    /// Refuses a waiver whose filter or cause may be a personal value: the log would keep it for
    /// good.
    fn refuse_personal(&self, waived: &ConverterWaived) -> Result<()> {
        let declared = self.personal_fields().into_iter();
        let fields: Vec<PersonalField> = declared
            .filter_map(|known| known.field.parse().ok())
            .collect();
        let filter = waived.filter.as_deref();
        let filter = filter.and_then(|text| serde_json::from_str::<Filter>(text).ok());
        let states_one = filter.is_some_and(|filter| filter.masked(&fields) != filter);
        let has_error = waived.cause.is_some() && fields.contains(&PersonalField::Error);
        if states_one || has_error {
            let told = "the filter or the cause of the waiver may be a personal value";
            return Err(Error::new(ErrorKind::Invalid, told).hint("name the entries by their ids"));
        }
        Ok(())
    }

    /// Records that a waiver is no longer in force.
    ///
    /// # Errors
    /// `NotFound` if the converter has no such waiver, `Refused` if it was revoked before.
    pub fn revoke_waiver(&self, converter: &str, waiver: EventSeq, reason: &str) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "to revoke a waiver needs a reason",
            ));
        }
        self.append_fact(Draft::fact(Body::WaiverRevoked(WaiverRevoked {
            converter: converter.to_owned(),
            waiver,
            reason: reason.to_owned(),
        })))?;
        Ok(())
    }

    /// Records what a converter runs on, unless that is what was recorded last.
    pub fn record_environment(&self, converter_id: ConverterId, runs_on: Meta) -> Result<()> {
        let environment = ConverterEnvironment {
            converter_id,
            runs_on,
        };
        let draft = Draft::fact(Body::ConverterEnvironment(environment));
        match self.append(vec![draft])? {
            Receipt::Durable { .. } | Receipt::Known(_) | Receipt::ContentNeeded => Ok(()),
        }
    }

    /// Returns what a converter ran on at a time, by name: `interpreter`, `packages`, `system`,
    /// `machine`. `None` when that is not recorded.
    pub fn ran_on(&self, converter: &ConverterId, at: Timestamp) -> Result<Option<Meta>> {
        let known = self.store().index.view().environments(converter)?;
        let until = known.into_iter().rev().find(|(since, _)| *since <= at);
        Ok(until.map(|(_, runs_on)| runs_on))
    }
}
