//! The OpenAPI document, and answers that it promises of every route.

use std::path::Path;

use super::Site;
use crate::web::api;

/// Where the document is kept.
const KEPT: &str = "docs/openapi.json";
/// Set, the document that is kept is written anew.
const UPDATE: &str = "ANNALS_UPDATE";

/// A client was made from a document that had been written by hand once, and half of it was gone.
#[tokio::test]
async fn the_openapi_document_that_is_kept_is_the_one_that_is_served() {
    let site = Site::empty();
    let served = site.get("/openapi.json").await;
    let document: serde_json::Value = serde_json::from_str(&served.text).expect("JSON");
    let text = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&kept, &text).expect("written");
    }
    let found = std::fs::read_to_string(&kept).unwrap_or_default();
    let place = found.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        found == text,
        "{KEPT} differs, first in line {:?}; after a change of the API, write it anew:\n    \
         {UPDATE}=1 cargo test --all-features --lib the_openapi_document",
        place.map(|at| at + 1)
    );
}

/// A program asked for a page of -1 entries, and could not read the answer that told so.
#[tokio::test]
async fn what_an_extractor_refuses_is_told_as_a_problem() {
    let site = Site::sample();
    for path in [
        "/api/v1/entries/-1",
        "/api/v1/entries/1/diff?attempt=x",
        "/api/v1/entries/x/reports/1",
        "/api/v1/jobs?limit=1&unknown=42",
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{path}"
        );
        let problem: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
        assert_eq!(problem["kind"], "invalid", "{path}");
        assert!(problem["hint"].is_string(), "{path}");
    }
}

/// A proxy learned from `Allow` that entries can be deleted.
#[tokio::test]
async fn allow_names_the_methods_of_this_address_alone() {
    let site = Site::sample();
    for (path, allowed) in [
        ("/api/v1/entries", "GET,HEAD,POST"),
        ("/api/v1/entries/1", "GET,HEAD"),
    ] {
        let answer = site
            .send(site.request("OPTIONS", path), axum::body::Body::empty())
            .await;
        assert_eq!(answer.status, 405, "{path}");
        let mut methods: Vec<&str> = answer.headers["allow"]
            .to_str()
            .expect("text")
            .split(',')
            .map(str::trim)
            .collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
}

/// Every operation says how it refuses, and that it wants a token.
#[test]
fn every_operation_tells_what_goes_wrong_as_a_problem() {
    let (_, routes) = api::routes().split_for_parts();
    let document = api::document(&routes);
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 30, "{} paths", paths.len());
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in responses {
                let refuses = status == "default" || status.starts_with('4');
                let content = &response["content"];
                let told = content.is_null() || content.get("application/problem+json").is_some();
                assert!(!refuses || told, "{method} {path} {status}");
            }
            assert!(responses.contains_key("default"), "{method} {path}");
        }
    }
}
