//! Errors as answers: `application/problem+json` for programs, a page for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::host::ConfigErrors;
use crate::{Error, ErrorKind};

/// What went wrong, and what to do about it. The members of RFC 9457, and those of `--json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct Problem {
    /// The HTTP status.
    status: u16,
    /// The title of the status.
    title: String,
    /// The kind of error, as `--json` names it: what the caller can do about it.
    kind: String,
    /// The fact and its place.
    detail: String,
    /// The next step.
    hint: Option<String>,
    /// Each error of a configuration.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<KeyProblem>)]
    errors: Box<[KeyProblem]>,
}

/// One error of a configuration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct KeyProblem {
    /// The value, as `config set` names it; `None` for what is about no single value.
    pub(in crate::web) key: Option<String>,
    /// The line of the file, or of the file as it would be.
    pub(in crate::web) line: usize,
    /// What is wrong, and what would be right.
    pub(in crate::web) message: String,
}

impl KeyProblem {
    fn of(problem: &crate::host::Problem) -> Self {
        Self {
            key: problem.target(),
            line: problem.line,
            message: problem.message.clone(),
        }
    }
}

impl Problem {
    pub(in crate::web) fn new(status: StatusCode, kind: ErrorKind, detail: &str) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            kind: kind.name().to_owned(),
            detail: detail.to_owned(),
            hint: None,
            errors: Box::default(),
        }
    }

    /// Sets the status.
    pub(in crate::web) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        status
            .canonical_reason()
            .unwrap_or("Error")
            .clone_into(&mut self.title);
        self
    }

    /// Returns each error of a configuration.
    pub(in crate::web) fn errors(&self) -> &[KeyProblem] {
        &self.errors
    }

    /// Sets the next step.
    pub(in crate::web) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the problem of work that panicked. The panic's own words stay in the log.
    pub(in crate::web) fn panicked() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Io,
            "this failed in a way that nobody had thought of",
        )
        .hint("the log of the program says more; what was acknowledged before is safe")
    }

    /// Returns the fact and its place.
    pub(in crate::web) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the next step.
    pub(in crate::web) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(in crate::web) fn is(&self, kind: ErrorKind) -> bool {
        self.kind == kind.name()
    }

    pub(in crate::web) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Returns the status of an error. What a caller can correct is 4xx.
fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound | ErrorKind::NoStore => StatusCode::NOT_FOUND,
        ErrorKind::Refused | ErrorKind::Changed => StatusCode::CONFLICT,
        ErrorKind::Locked | ErrorKind::ReadOnly | ErrorKind::Poisoned => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Damaged | ErrorKind::Io | ErrorKind::Converter => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::new(status_of(error.kind()), error.kind(), error.message());
        let source = std::error::Error::source(&error);
        if let Some(errors) = source.and_then(|source| source.downcast_ref::<ConfigErrors>()) {
            problem.errors = errors.problems.iter().map(KeyProblem::of).collect();
        }
        match error.next_step() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("application/problem+json");
        let status = self.status();
        // Whoever answers a browser makes a page of it.
        let kept = Extension(self.clone());
        (status, [(header::CONTENT_TYPE, kind)], kept, Json(self)).into_response()
    }
}
