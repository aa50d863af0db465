//! The web page and the HTTP API of one store.
//!
//! Everything is answered by the process that has the store open: `annals serve`, or a running
//! host. Nothing here knows the engine beyond what the command line knows: both use `service`.
//!
//! - `server`: listening, connections and their limits, TLS;
//! - `guard`: which requests are answered: names of this machine, tokens, sessions, origins;
//! - `state`: what all requests share; `desk` gives each request the store on a thread that may
//!   block;
//! - `selections`: the entries that a visitor chose, frozen until a batch works on them;
//! - `problem`: errors as `application/problem+json`, and as a page;
//! - `api`: the routes below `/api/v1`, and the OpenAPI document made from them;
//! - `pages`: the pages, one file each, with their templates in `templates`;
//! - `texts`: what pages say, in English and German;
//! - `preview`: a part of a source or report, for people to look at;
//! - `assets`: style sheets, scripts and icons, which are part of the program.

mod api;
mod assets;
mod pages;
mod preview;
mod problem;
mod routes;
mod selections;
mod state;
mod texts;
mod visitor;
