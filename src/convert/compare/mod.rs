//! Compares the reports of two runs, and judges what the difference says about an entry.
//!
//! Reports are compared by structure, in which the order of members and white space do not count:
//!
//! - JSON: numbers are compared by their exact decimal value, repeated members one by one.
//! - XML: elements and attributes, whatever their prefixes and however their text is written.
//! - Tables of separated columns whose first row names them.
//! - A text inside of a report that is XML or a table is compared like that, too.
//!
//! Lists are aligned by their equal beginnings and ends, or by a member that [`CompareRules`] name.
//! What is none of these is compared line by line if it is text, and otherwise as bytes.

mod change;
mod context;
mod counted;
mod evidence;
mod generated;
mod judge;
mod names;
mod path;
mod pattern;
mod proposal;
mod reports;
mod rules;
mod summary;
mod table;
mod tolerance;
mod walk;
mod xml;

pub use change::{Change, Difference};
pub use context::{ChangeInContext, Focus, Level, Sibling, compare_in_context};
pub use counted::Counted;
pub use generated::Generated;
pub use judge::{Judgement, Run, Verdict, judge};
pub use path::{ParsePatternError, PathPattern};
pub use pattern::{ChangeKind, ChangePattern};
pub use proposal::{Proposal, ProposedRule};
pub use reports::{compare, compare_reports, compare_with};
pub use rules::{CompareRules, RuleBook, RuleError};
pub use summary::{ChangeSummary, ChangedPlace, IgnoredByRule};
pub use tolerance::{ParseToleranceError, Tolerance};
#[cfg(feature = "serve")]
pub(crate) use xml::parse as parse_xml;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
