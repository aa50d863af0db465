//! `annals serve`: the web page and the HTTP API of a store.

mod arguments;
mod browser;
mod run;

pub(super) use arguments::Args;
pub(super) use run::run;
