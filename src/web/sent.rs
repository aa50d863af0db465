//! JSON that a client sends, refused as a problem when it cannot be read.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::ErrorKind;
use crate::web::problem::Problem;

/// The body of a request, read as JSON.
pub(in crate::web) struct Sent<T>(pub(in crate::web) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(refused) => {
                let status = match refused.status() {
                    // What is no JSON and what is not the object asked for is the same mistake.
                    StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                    other => other,
                };
                let told = refused.body_text();
                Err(Problem::new(status, ErrorKind::Invalid, &told)
                    .hint("/openapi.json describes what is sent, as application/json"))
            }
        }
    }
}
