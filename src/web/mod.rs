//! The web page and the HTTP API of one store.
//!
//! Everything is answered by the process that has the store open: `annals serve`, or a running
//! host. Nothing here knows the engine beyond what the command line knows: both use `service`.
//!
//! - `server`: listening, connections and their limits, TLS;
//! - `guard`: which requests are answered: names of this machine, tokens, sessions, origins;
//! - `stream`, `hub`: events as they happen; `pieces`, `download`: long answers, archived content;
//! - `state`: what all requests share; `desk` gives each request the store on a thread that may
//!   block;
//! - `address`, `columns`, `listing`: what a list shows, as it stands in an address;
//! - `chosen`: which entries a job is for;
//! - `selections`, `batch`, `sources`: the entries that a visitor chose, frozen, and what is done
//!   with all of them;
//! - `exports`: evidence bundles that are made for visitors; `fresh`: names that nobody can guess;
//! - `figures`, `chart`: figures that open pages share, and drawings of them;
//! - `problem`, `rejected`: errors as `application/problem+json`, also those of the library below;
//! - `api`: the routes below `/api/v1`, and the OpenAPI document made from them;
//! - `pages`: the pages, one file each, with their templates in `templates`;
//! - `texts`: what pages say, in English and German;
//! - `preview`: a part of a source or report, for people to look at;
//! - `assets`: style sheets, scripts and icons, which are part of the program.

mod address;
mod api;
mod assets;
mod batch;
mod body;
mod chart;
mod chosen;
mod columns;
mod desk;
mod download;
mod exports;
mod figures;
mod fresh;
mod guard;
mod hub;
mod listing;
mod pages;
mod pieces;
mod preview;
mod problem;
mod rejected;
mod routes;
mod selections;
mod sent;
mod server;
mod sources;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod texts;
mod unchanged;
mod visitor;

pub(crate) use guard::Secret;
pub(crate) use server::{Entrance, Server, Settings, Stop, TlsFiles};
pub(crate) use state::Subject;
