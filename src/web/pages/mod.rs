//! The pages: one file each. A page asks the store through `Web::work`, and fills a template.

mod find;
mod frame;

pub(in crate::web) use find::find;
