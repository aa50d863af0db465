//! Tells a client that asks again whether an answer is still the same.

use std::fmt::Debug;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::id::EventSeq;

/// Digits of the part of a tag that stands for the question.
const DIGITS: usize = 16;

/// The tag of an answer: the position in the log, and what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Tag(String);

impl Tag {
    /// Returns the tag of the answer to a question, as of an event. The question states everything
    /// that the answer depends on but the log.
    pub(in crate::web) fn of(at: EventSeq, question: &impl Debug) -> Self {
        let hash = blake3::hash(format!("{question:?}").as_bytes());
        Self(format!("W/\"{at}-{}\"", &hash.to_hex()[..DIGITS]))
    }

    /// Returns true when the client has this answer.
    pub(in crate::web) fn is_known(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::IF_NONE_MATCH).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let mut tags = texts.flat_map(|text| text.split(',')).map(str::trim);
        tags.any(|tag| tag == self.0)
    }

    /// Returns the answer that the client has it already.
    pub(in crate::web) fn unchanged(&self) -> Response {
        self.on(StatusCode::NOT_MODIFIED.into_response())
    }

    /// Adds the tag to an answer. It is asked for each time whether it is still the same.
    pub(in crate::web) fn on(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.0) {
            headers.insert(header::ETAG, tag);
        }
        let ask = HeaderValue::from_static("private, no-cache");
        headers.insert(header::CACHE_CONTROL, ask);
        response
    }
}
