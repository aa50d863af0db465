//! One process owns a store; who else wants something of it asks the owner, who runs the verb and sends back what it says.
//!
//! - `protocol`: what goes over the socket, byte by byte; `socket`: where it is, and who may use it;
//! - `server`: the owner's side; `client`: the other, and `terminal`, what of the answer reaches a terminal.
//!
//! The verb is the same code both ways, on the owner's open store, with the folder, variables, terminal and zone of who asks. So
//! the answer is the same by construction.

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
