//! `/converters` and `/settings`: which program made what, and how the host is set up.

mod answer;
mod form;
mod list;
mod review;
mod settings;
mod show;

pub(in crate::web) use list::list;
pub(in crate::web) use settings::{change_settings, first_settings, settings};
pub(in crate::web) use show::{change, promote, show};
