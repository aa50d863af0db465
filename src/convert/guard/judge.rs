//! Decides whether a result is suspicious. Pure but for the search for siblings, which is done only
//! when they are needed.

use super::siblings::{SiblingSearch, Siblings};
use crate::Result;
use crate::convert::converter::{Expect, Expected};
use crate::entry::Extent;

/// Bytes that reports have, unless nearly all have fewer.
const REPORT_BYTES_USUAL: u64 = 200;

/// A result, and what it is compared with.
pub(super) struct Case<'a> {
    pub(super) now: &'a Extent,
    pub(super) expect: &'a Expect,
    /// The newest earlier success of the same entry that was not suspicious.
    pub(super) before: Option<&'a Extent>,
    pub(super) siblings: &'a SiblingSearch<'a>,
}

impl Case<'_> {
    /// Returns why the result is suspicious, in words; nothing when it is not.
    pub(super) fn reasons(&self) -> Result<Vec<String>> {
        let (now, expect) = (self.now, self.expect);
        let found = [
            self.fact("serial", &expect.serial, now.serial, |other| other.serial)?,
            self.fact("part", &expect.part, now.part, |other| other.part)?,
            self.steps()?,
            self.values()?,
            self.empty()?,
            self.bytes()?,
        ];
        Ok(found.into_iter().flatten().collect())
    }

    fn fact(
        &self,
        name: &str,
        expected: &Expected,
        is_there: bool,
        has: impl Fn(&Extent) -> bool,
    ) -> Result<Option<String>> {
        if is_there {
            return Ok(None);
        }
        Ok(match expected {
            Expected::Never => None,
            Expected::Always => Some(format!("no {name}")),
            Expected::At(path) => Some(format!("no {name} at {path}")),
            Expected::Usual => self
                .usual(has, "one")?
                .map(|why| format!("no {name}; {why}")),
        })
    }

    /// Returns who else has something: the attempt before, or nearly all siblings.
    fn usual(&self, has: impl Fn(&Extent) -> bool, what: &str) -> Result<Option<String>> {
        if self.before.is_some_and(&has) {
            return Ok(Some(format!("the attempt before had {what}")));
        }
        let all = self.siblings.all()?;
        let number = all.nearly_all(has);
        Ok(number.map(|number| {
            let last = all.count();
            format!("{number} of the last {last} entries of this converter have {what}")
        }))
    }

    fn bytes(&self) -> Result<Option<String>> {
        let bytes = self.now.bytes;
        let least = self.expect.report_bytes_min.unwrap_or(REPORT_BYTES_USUAL);
        if bytes >= least {
            return Ok(None);
        }
        let short = match bytes {
            0 => "no report".to_owned(),
            bytes => format!("a report of {bytes} bytes"),
        };
        if self.expect.report_bytes_min.is_some() {
            return Ok(Some(format!("{short}; at least {least} are expected")));
        }
        if let Some(before) = self.before.filter(|before| before.bytes >= least) {
            return Ok(Some(format!(
                "{short}; the attempt before had {}",
                before.bytes
            )));
        }
        let usual = self.usual(|other| other.bytes >= least, &format!("at least {least}"))?;
        Ok(usual.map(|why| format!("{short}; {why}")))
    }

    fn steps(&self) -> Result<Option<String>> {
        let steps = self.now.steps.unwrap_or_default();
        if let Some(least) = self.expect.steps_min.filter(|least| steps < *least) {
            let told = in_words(steps);
            return Ok(Some(format!("{told}; at least {least} are expected")));
        }
        let part = self.expect.steps_of_siblings;
        let is_part = |some: u64, all: u64| (some as f64) < all as f64 * part;
        let is_few = |others: u64| is_part(steps, others);
        if part <= 0.0 {
            return Ok(None);
        }
        if let Some(before) = self.comparable_before()
            && let Some(had) = before.steps.filter(|had| is_few(*had))
        {
            let told = in_words(steps);
            return Ok(Some(format!("{told}; the attempt before had {had}")));
        }
        let siblings = self.siblings.alike()?.with_steps_like(self.now);
        let median = siblings.median(|other| other.steps.unwrap_or_default());
        let is_rare = siblings.hardly_any(|other| other.steps.unwrap_or_default() <= steps);
        // Files of many instruments have anything from one step to thousands.
        let they_agree = siblings.most(|other| !is_part(other.steps.unwrap_or_default(), median));
        let is_odd = siblings.say_something() && is_few(median) && is_rare && they_agree;
        Ok(is_odd.then(|| format!("{}; {}", in_words(steps), of_siblings(&siblings, median))))
    }

    fn values(&self) -> Result<Option<String>> {
        if !self.expect.values || self.now.values > 0 {
            return Ok(None);
        }
        let usual = self.usual(|other| other.values > 0, "some")?;
        Ok(usual.map(|why| format!("no measured value; {why}")))
    }

    /// Finds steps that lost their values while other numbers, such as limits, stay: as many more
    /// empty places as there are steps.
    fn empty(&self) -> Result<Option<String>> {
        let now = self.now;
        let steps = now.steps.unwrap_or_default();
        if !self.expect.values || steps == 0 || now.empty < steps {
            return Ok(None);
        }
        let told = format!("{} empty values in {}", now.empty, in_words(steps));
        let is_many = |others: u64| now.empty >= others.saturating_add(steps);
        if let Some(before) = self
            .comparable_before()
            .filter(|other| is_many(other.empty))
        {
            return Ok(Some(format!(
                "{told}; the attempt before had {}",
                before.empty
            )));
        }
        let siblings = self.siblings.alike()?.with_steps_like(now);
        let median = siblings.median(|other| other.empty);
        let is_rare = siblings.hardly_any(|other| other.empty >= now.empty);
        let is_odd = siblings.say_something() && is_many(median) && is_rare;
        Ok(is_odd.then(|| format!("{told}; {}", of_siblings(&siblings, median))))
    }

    /// Returns the attempt before if its steps were counted in the same place.
    fn comparable_before(&self) -> Option<&Extent> {
        self.before
            .filter(|before| before.counted_at == self.now.counted_at)
    }
}

fn in_words(steps: u64) -> String {
    match steps {
        1 => "1 step".to_owned(),
        steps => format!("{steps} steps"),
    }
}

fn of_siblings(siblings: &Siblings, median: u64) -> String {
    let of = if siblings.of_part {
        "this converter and part"
    } else {
        "this converter"
    };
    let last = siblings.count();
    format!("entries of {of} have {median} (median of the last {last})")
}

#[cfg(test)]
mod tests;
