//! Asks a time-stamp server for a stamp over a checkpoint (RFC 3161), in one HTTP request.

use std::time::Duration;

use super::http;
use crate::evidence::timestamp::{TOKEN_BYTES_MAX, TimestampRequest, TimestampToken};
use crate::host::config::endpoint::bare;
use crate::{Error, ErrorKind, Result};

/// How long a server may take. It only signs some bytes.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Asks the server at `url` for a time stamp over a text. Only the digest of the text is sent.
///
/// The stamp is checked to be over this text and the answer to this request. Whether the server is
/// one to be trusted is not checked.
///
/// # Errors
///
/// `Invalid` for an address that is none, and `Io` when the server cannot be reached or answers
/// something else than a stamp.
pub fn ask_timestamp(url: &str, text: &[u8]) -> Result<TimestampToken> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    if !is_http {
        let told = format!(
            "'{}' is no address of a time-stamp server",
            without_login(url)
        );
        return Err(Error::new(ErrorKind::Invalid, told)
            .hint("name one that begins with http:// or https://"));
    }
    let nonce = getrandom::u64().map_err(|error| failed(url, &error.to_string()))?;
    let request = TimestampRequest::new(text, nonce);
    let query = http::Query {
        url,
        content_type: "application/timestamp-query",
        body: &request.to_der(),
        answer_bytes_max: TOKEN_BYTES_MAX as u64 * 2,
        within: ANSWER_WITHIN,
    };
    let (status, answer) = query.send().map_err(|why| failed(url, &why))?;
    if status != 200 {
        return Err(failed(
            url,
            &format!("it answers with HTTP status {status}"),
        ));
    }
    TimestampToken::from_response(&answer, &request)
        .map_err(|why| failed(url, &why.to_string()).caused_by(why))
}

/// Returns an address without user name, password and query, for a record.
pub fn without_login(url: &str) -> String {
    bare(url)
}

fn failed(url: &str, why: &str) -> Error {
    let told = format!("no time stamp from {}: {why}", without_login(url));
    Error::new(ErrorKind::Io, told)
        .hint("the checkpoint is on record; ask again later, or another server")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recorded_without_passwords() {
        for (given, kept) in [
            ("https://u:p@tsa.example/a?key=1", "https://tsa.example/a"),
            ("http://tsa.example", "http://tsa.example"),
            (
                "https://tsa.example:8080/x/@y#z",
                "https://tsa.example:8080/x/@y",
            ),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_login(given), kept);
        }
    }

    #[test]
    fn what_is_no_address_is_asked_nothing() {
        for url in ["", "tsa.example", "file:///etc/passwd", "ftp://tsa.example"] {
            let error = ask_timestamp(url, b"text").expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        }
    }
}
