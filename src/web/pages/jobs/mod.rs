//! The pages about reprocess jobs: all of them, a new one, one with its result.

mod differences;
mod list;
mod new;
mod preview;
mod show;
mod stopping;
mod words;

pub(in crate::web) use list::list;
pub(super) use new::{go_to, refused, told};
pub(in crate::web) use new::{new, start};
pub(in crate::web) use preview::{cancel as cancel_preview, preview, run as run_preview};
pub(in crate::web) use show::show;
pub(in crate::web) use stopping::act;
pub(super) use words::{address, how, per_mille};
