//! `/retention`: what goes, what stays, and why. Plans are made on demand, never while a page
//! loads.

mod plan;
mod purges;
mod rules;
mod what_if;
mod words;

pub(in crate::web) use plan::{apply, make, plan};
pub(in crate::web) use purges::{certificate, finalize, pending, purges, undo};
pub(in crate::web) use rules::rules;
pub(in crate::web) use what_if::what_if;
