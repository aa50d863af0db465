//! What the server's library refuses before a handler sees it: a path or a query that cannot be
//! read, a form of the wrong type, a body that is too long. It says so in plain text; here it
//! becomes a problem like all others.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ErrorKind;
use crate::web::problem::Problem;

/// Longer than any text that the library says.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Turns a refusal in plain text into a problem.
pub(in crate::web) async fn as_problem(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_text = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) || !is_text {
        return answer;
    }
    let text = to_bytes(answer.into_body(), TEXT_BYTES_MAX).await;
    let text = text.unwrap_or_default();
    let told = in_plain_words(&String::from_utf8_lossy(&text));
    Problem::new(status, ErrorKind::Invalid, &told)
        .hint("/openapi.json describes the API")
        .into_response()
}

/// Returns what the library says without the names of its own parts. Whatever else it says stays.
fn in_plain_words(text: &str) -> String {
    text.replace(
        "Failed to deserialize query string: ",
        "the address cannot be read: ",
    )
    .replace("Invalid URL: ", "the address cannot be read: ")
    .replace("Cannot parse ", "")
    .replace(" to a `u64`", " is no whole number")
    .replace("unknown variant", "there is no")
    .replace("unknown field", "there is no")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_address_is_told_without_names_of_types() {
        for (said, told) in [
            (
                "Invalid URL: Cannot parse `abc` to a `u64`",
                "the address cannot be read: `abc` is no whole number",
            ),
            (
                "Failed to deserialize query string: by: unknown variant `moon`, expected `day`",
                "the address cannot be read: by: there is no `moon`, expected `day`",
            ),
            ("something new", "something new"),
        ] {
            assert_eq!(in_plain_words(said), told);
        }
    }
}
