//! One process owns a store. Other processes are its clients: the owner runs their verbs and sends
//! back the output.
//!
//! - `protocol`: the messages, byte by byte; `socket`: where the socket is, and who may use it;
//! - `server` and `client`: the two sides; `terminal`: which bytes may reach the client's terminal;
//! - `ownership`: refuses verbs that need a store without an owner.
//!
//! The code that runs a verb does not depend on the owner. It always uses the caller's folder,
//! variables, terminal and zone, so the output does not depend on which process runs the verb.

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
