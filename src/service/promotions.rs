//! Which identities of a converter were made current, what was waived, and what is recorded.

use crate::archive::{Archive, Promotion, Waiver};
use crate::convert::identity_of;
use crate::event::{ConverterPromoted, ConverterRegistered, ConverterWaived, Grounds};
use crate::id::{ConverterId, EventSeq};
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::service::objects::ConverterObject;
use crate::service::time::Zone;
use crate::{Error, ErrorKind, Result};

/// Everything that is recorded of a converter: what was promoted, waived and registered.
#[derive(Debug, Clone)]
pub struct ConverterRecord {
    /// The name of the converter.
    pub name: String,
    /// The identity that is current, if one was promoted.
    pub current: Option<ConverterId>,
    /// The promotions, the oldest first.
    pub promotions: Vec<Promotion>,
    /// The waivers.
    pub waivers: Vec<Waiver>,
    /// The recorded identities.
    pub recorded: Vec<ConverterRegistered>,
}

impl ConverterRecord {
    /// Returns what is recorded of a converter.
    ///
    /// # Errors
    /// `NotFound` if nothing is.
    pub fn of(archive: &Archive, name: &str) -> Result<Self> {
        let (promotions, waivers) = (archive.promotions(name)?, archive.waivers(name)?);
        let mut recorded = archive.converters()?;
        recorded.retain(|converter| converter.name == name);
        if promotions.is_empty() && waivers.is_empty() && recorded.is_empty() {
            return Err(nothing_known(name));
        }
        Ok(Self {
            name: name.to_owned(),
            current: archive.promoted(name)?,
            promotions,
            waivers,
            recorded,
        })
    }

    /// Returns the object of it.
    pub fn object(&self, zone: &Zone) -> ConverterObject<'_> {
        ConverterObject::new(
            &self.name,
            self.current,
            &self.promotions,
            &self.waivers,
            &self.recorded,
            zone,
        )
    }
}

/// Returns the last promotion of each converter that has one.
///
/// # Errors
/// When the store cannot be read.
pub fn last_promotions(archive: &Archive) -> Result<Vec<Promotion>> {
    let names = archive.promoted_converters()?.into_iter();
    let last = names.map(|name| Ok(archive.promotions(&name)?.pop()));
    last.filter_map(Result::transpose).collect()
}

/// Returns the error for a converter of which nothing is recorded.
pub fn nothing_known(name: &str) -> Error {
    let told = format!("nothing is recorded of a converter '{name}'");
    Error::new(ErrorKind::NotFound, told).hint("`annals stats --by converter` lists the converters")
}

/// Makes a recorded identity of a converter current, for a reason that a person gives.
///
/// # Errors
/// `NotFound` for an identity that is not recorded for the converter, and `Invalid` without a
/// reason.
pub fn promote(archive: &Archive, converter: &str, id: ConverterId, reason: &str) -> Result<()> {
    let recorded = archive.converter(&id)?;
    if recorded.is_none_or(|recorded| recorded.name != converter) {
        let told = format!("no identity {id:.12} of '{converter}' is recorded");
        return Err(Error::new(ErrorKind::NotFound, told));
    }
    archive.promote(ConverterPromoted {
        converter: converter.to_owned(),
        converter_id: id,
        before: archive.promoted(converter)?,
        grounds: Grounds::Person,
        reason: reason.to_owned(),
        evidence: None,
    })
}

/// Lets entries that a filter selects break with the configured identity of a converter, for a
/// reason.
///
/// # Errors
/// `NotFound` for a converter that is not configured, and `Invalid` without a reason.
pub fn waive_cause(
    desk: &Desk,
    converter: &str,
    filter: &Filter,
    reason: &str,
) -> Result<EventSeq> {
    let config = desk.config().and_then(|config| config.converter(converter));
    let config = config.ok_or_else(|| {
        let told = format!("no converter '{converter}' is configured");
        Error::new(ErrorKind::NotFound, told)
    })?;
    let filter = serde_json::to_string(filter).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the filter cannot be written down").caused_by(error)
    })?;
    let mut waived = ConverterWaived::new(converter, reason);
    waived.candidate = Some(identity_of(&config.converter)?);
    waived.filter = Some(filter);
    desk.archive.waive(waived)
}
