//! JSON that a client sends, refused as a problem when it cannot be read.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::ErrorKind;
use crate::web::problem::Problem;

/// The body of a request, read as JSON.
pub(in crate::web) struct Sent<T>(pub(in crate::web) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let refuse = |status, told: &str| {
            Problem::new(status, ErrorKind::Invalid, told)
                .hint("/openapi.json describes what is sent, as application/json")
        };
        match Json::<Box<RawValue>>::from_request(request, state).await {
            // An array would be taken for the members in their order.
            Ok(Json(sent)) if !sent.get().starts_with('{') => Err(refuse(
                StatusCode::BAD_REQUEST,
                "the body is no JSON object",
            )),
            Ok(Json(sent)) => serde_json::from_str(sent.get()).map(Self).map_err(|error| {
                let told = format!("the body cannot be read: {error}");
                refuse(StatusCode::BAD_REQUEST, &told)
            }),
            // What is no JSON is told with its place.
            Err(refused) => Err(refuse(refused.status(), &refused.body_text())),
        }
    }
}
