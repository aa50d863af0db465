//! One process owns a store. Other processes are its clients: the owner runs their verbs and sends
//! back what they print.
//!
//! - `protocol`: the messages, byte by byte; `socket`: where it is, and who may use it;
//! - `server` and `client`: the two sides; `terminal`: what of an answer may reach a terminal;
//! - `ownership`: verbs that need a store without an owner.
//!
//! With or without an owner, the same code runs a verb, with the folder, variables, terminal and
//! zone of the caller. So the answer does not depend on where it runs.

#[cfg(unix)]
mod client;
mod ownership;
#[cfg(unix)]
mod protocol;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod terminal;
#[cfg(not(unix))]
mod unsupported;

#[cfg(unix)]
pub(crate) use client::{ask, find};
pub(crate) use ownership::refuse_if_owned;
#[cfg(unix)]
pub(crate) use server::Endpoint;
#[cfg(not(unix))]
pub(crate) use unsupported::{Endpoint, ask, find};
