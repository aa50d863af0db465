//! The OpenAPI document: what the routes say of themselves, and what holds for all of them.
//!
//! It is kept in `docs/openapi.json`, so that a change of the API shows in every review.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// The type of an answer that says what went wrong.
const PROBLEM: &str = "application/problem+json";
/// Members of a path that are operations.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// Returns the document of the routes, its members in the order of the alphabet.
pub(in crate::web) fn document(routes: &OpenApi) -> Value {
    let mut document = serde_json::to_value(routes).unwrap_or_default();
    state_ranges(&mut document);
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(Map::values_mut) {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                state_problems(operation);
                state_empty_values(operation);
            }
        }
    }
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that `annals serve` prints",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "annals-session-7878",
            "description": "The cookie of a login link; the number is the port of the server. \
                Changing requests need the header `Annals-Request: 1` as well",
        },
    });
    document["security"] = json!([{ "token": [] }, { "session": [] }]);
    document
}

/// States the range of each number that has no sign: the formats of OpenAPI have one.
fn state_ranges(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(state_ranges),
        Value::Object(members) => {
            members.values_mut().for_each(state_ranges);
            let is_unsigned = members.get("minimum").and_then(Value::as_u64).is_some();
            let (format, maximum) = match members.get("format").and_then(Value::as_str) {
                Some("int64") if is_unsigned => ("uint64", u64::MAX),
                Some("int32") if is_unsigned => ("uint32", u64::from(u32::MAX)),
                _ => return,
            };
            members.insert("format".to_owned(), format.into());
            members
                .entry("maximum")
                .or_insert_with(|| Value::from(maximum));
        }
        _ => {}
    }
}

/// States that an empty value in an address is none: forms send fields that were left alone.
fn state_empty_values(operation: &mut Value) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if parameter["in"] == "query" && parameter["required"] != true {
            parameter["allowEmptyValue"] = true.into();
        }
    }
}

/// States that what goes wrong is told as a problem, also where the operation names no status for
/// it.
fn state_problems(operation: &mut Value) {
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for response in responses.values_mut() {
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        let Some(content) = content else {
            continue;
        };
        let is_problem = content.get("application/json").is_some_and(|body| {
            body["schema"]["$ref"].as_str() == Some("#/components/schemas/Problem")
        });
        if is_problem && let Some(body) = content.remove("application/json") {
            content.insert(PROBLEM.to_owned(), body);
        }
    }
    let told = json!({
        "description": "What went wrong, and what to do about it",
        "content": { PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    responses.entry("default").or_insert(told);
}
