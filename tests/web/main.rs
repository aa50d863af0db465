//! Tests of the web page and the HTTP API, against a really started program.
//!
//! One program, because linking one for each file takes longer than running most of them.

mod security;
mod tls;
