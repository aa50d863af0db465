//! Converters and settings through the API and the pages.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Site};

/// What people keep in a file besides values: comments, order, a secret, an odd name.
const CONFIGURATION: &str = r#"# plant 3, line 7
[store]
path = "store"

[defaults]
settle_s = 5 # the share is slow

[[converter]]
name = "ICT CSV"
command = ["sh", "run.sh", "{input}"]
watch_folder = "in"     # as agreed with Müller
archive_enabled = true
# customer contract
retention_days = 365
timeout_s = 60            # slow disks
arguments = { operation = "10", token = "s3cret" }
secret_arguments = ["token"]

[[converter]]
name = "Prüfplatz \"7\" / süd.1"
command = ["sh", "run.sh", "{input}"]
[converter.submit]
url = "http://reports.example/new"
headers = { Authorization = "Bearer h3ader" }
"#;

const ODD: &str = "/converters/Pr%C3%BCfplatz%20%227%22%20%2F%20s%C3%BCd.1";

fn site() -> Site {
    Site::configured(CONFIGURATION)
}

fn file(site: &Site) -> String {
    std::fs::read_to_string(site.folder().join("host.toml")).expect("there")
}

async fn etag(site: &Site) -> String {
    let shown = site.get("/api/v1/config").await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    shown.headers["etag"].to_str().expect("text").to_owned()
}

async fn put(site: &Site, tag: Option<&str>, body: &Value) -> (Answer, Value) {
    let mut request = site
        .request("PUT", "/api/v1/config")
        .header("annals-request", "1")
        .header("content-type", "application/json");
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    let answer = site.send(request, Body::from(body.to_string())).await;
    let json = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    (answer, json)
}

/// Posts the form of a page with what was typed.
async fn post(site: &Site, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let kind = "application/x-www-form-urlencoded";
    site.post(path, kind, &form.finish()).await
}

/// Two engineers had the settings open, and the one who saved last undid what the other had saved.
#[tokio::test]
async fn two_editors_cannot_overwrite_each_other() {
    let site = site();
    let tag = etag(&site).await;
    let thirty = json!({"values": {"ICT CSV.retention_days": 30}, "reason": "new contract"});
    let (missing, problem) = put(&site, None, &thirty).await;
    assert_eq!(
        missing.status,
        StatusCode::PRECONDITION_REQUIRED,
        "{problem}"
    );
    let (first, done) = put(&site, Some(&tag), &thirty).await;
    assert_eq!(first.status, 200, "{done}");
    assert_eq!(
        (&done["changed"], &done["host"]),
        (&json!(true), &json!("no_host"))
    );
    assert_eq!(
        file(&site),
        CONFIGURATION.replace("retention_days = 365", "retention_days = 30")
    );
    let other = json!({"values": {"ICT CSV.timeout_s": 90}, "reason": "slow"});
    let (second, problem) = put(&site, Some(&tag), &other).await;
    assert_eq!(second.status, StatusCode::PRECONDITION_FAILED, "{problem}");
    assert!(file(&site).contains("timeout_s = 60 "));
    // The first one again: it is in force, so nothing was lost and nothing is to be done.
    let (again, done) = put(&site, Some(&tag), &thirty).await;
    assert_eq!(
        (again.status, &done["changed"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(again.headers["etag"], first.headers["etag"]);
}

/// A form told the first mistake, and after it was mended the next one.
#[tokio::test]
async fn every_error_is_told_at_once_with_its_key_and_line_and_nothing_is_written() {
    let site = site();
    let tag = etag(&site).await;
    let wrong = json!({"values": {
        "ICT CSV.retention_days": 0,
        "ICT CSV.compression_level": 12,
        "ICT CSV.timeout_s": "soon",
        "ICT CSV.post_process": "move",
        "defaults.settle_s": -1,
    }, "reason": "x"});
    let (answer, problem) = put(&site, Some(&tag), &wrong).await;
    assert_eq!(answer.status, 400, "{problem}");
    let errors = problem["errors"].as_array().expect("a list");
    for (key, line, said) in [
        ("ICT CSV.retention_days", 14, "from 1 to 3650"),
        ("ICT CSV.compression_level", 0, "from 1 to 9"),
        ("ICT CSV.timeout_s", 15, "from 0.1 to 86400"),
        ("ICT CSV.post_process", 0, "needs a done_folder"),
        ("defaults.settle_s", 0, "from 0 to 3600"),
    ] {
        let error = errors.iter().find(|error| error["key"] == key);
        let error = error.unwrap_or_else(|| panic!("{key}: {problem}"));
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains(said)),
            "{error}"
        );
        assert!(line == 0 || error["line"] == line, "{error}");
    }
    assert_eq!(file(&site), CONFIGURATION);
    let (checked, _) = put(
        &site,
        Some(&tag),
        &json!({"values": {"ICT CSV.priority": 99}}),
    )
    .await;
    assert_eq!(checked.status, 400);
    let check = site
        .request("PUT", "/api/v1/config?check=true")
        .header("annals-request", "1")
        .header("content-type", "application/json");
    let body = json!({"values": {"ICT CSV.priority": 2}}).to_string();
    let checked = site.send(check, Body::from(body)).await;
    assert_eq!(checked.status, 200, "{}", checked.text);
    assert!(checked.text.contains("\"host\":\"checked\""));
    assert_eq!(file(&site), CONFIGURATION);
}

/// Saving a form with a masked password wrote the asterisks into the file.
#[tokio::test]
async fn secrets_are_neither_shown_nor_lost() {
    let site = site();
    for path in ["/api/v1/config", "/converters/ICT%20CSV", ODD] {
        let shown = site.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        assert!(
            !shown.text.contains("s3cret") && !shown.text.contains("h3ader"),
            "{path}"
        );
    }
    let tag = etag(&site).await;
    let back = json!({"values": {
        "ICT CSV.arguments": {"operation": "20", "token": "***"},
    }, "reason": "next operation"});
    let (answer, done) = put(&site, Some(&tag), &back).await;
    assert_eq!(answer.status, 200, "{done}");
    assert!(!answer.text.contains("s3cret"));
    let now = file(&site);
    assert!(now.contains("\"20\"") && now.contains("s3cret"), "{now}");
    let tag = etag(&site).await;
    let new = json!({"values": {"ICT CSV.arguments.key": "***"}, "reason": "x"});
    let (answer, problem) = put(&site, Some(&tag), &new).await;
    assert_eq!(answer.status, 400, "{problem}");
}

/// Whoever had a session of the page could have had any program run, or any file sent away.
#[tokio::test]
async fn what_runs_and_where_reports_go_is_changed_in_the_file_only() {
    let site = site();
    let tag = etag(&site).await;
    for (key, value) in [
        ("ICT CSV.command", json!(["sh", "-c", "id", "{input}"])),
        ("ICT CSV.run_as", json!("root")),
        ("ICT CSV.secret_arguments", json!([])),
        ("ICT CSV.submit.url", json!("http://elsewhere/")),
        (
            "defaults.submit.headers",
            json!({"X": "${file:/etc/shadow}"}),
        ),
        ("ICT CSV.arguments.operation", json!("${file:/etc/shadow}")),
        ("ICT CSV.arguments", json!({"operation": "${HOME}"})),
        ("host.token_file", json!("t")),
    ] {
        let wanted = json!({"values": {key: value}, "reason": "x"});
        let (answer, problem) = put(&site, Some(&tag), &wanted).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{key}: {problem}");
        assert_eq!(problem["errors"][0]["key"], key);
    }
    assert_eq!(file(&site), CONFIGURATION);
}

#[tokio::test]
async fn each_change_is_an_event_with_who_and_why() {
    let site = site();
    let tag = etag(&site).await;
    let wanted = json!({"values": {
        "ICT CSV.retention_days": null,
        "host.max_concurrent": 2,
    }, "reason": "audit 2026"});
    let (answer, done) = put(&site, Some(&tag), &wanted).await;
    assert_eq!(answer.status, 200, "{done}");
    let now = file(&site);
    assert!(
        !now.contains("retention_days") && now.contains("# customer contract"),
        "{now}"
    );
    let events = site.archive.events(crate::id::EventSeq(1), None);
    let mut told = Vec::new();
    for leaf in events.expect("events") {
        let leaf = leaf.expect("readable");
        let event: Value = serde_json::from_str(&leaf.line).expect("JSON");
        if event["type"] == "annals.config.changed.v1" {
            assert_eq!(event["authid"], super::ACCOUNT);
            told.push(event["data"].clone());
        }
    }
    let change = |what: &str, old: &str, new: &str| json!({"what": what, "old": old, "new": new, "reason": "audit 2026"});
    assert_eq!(
        told,
        [
            change("ICT CSV.retention_days", "365", "90"),
            change("host.max_concurrent", "4", "2"),
        ]
    );
}

#[tokio::test]
async fn a_form_shows_what_would_change_and_saves_it_with_a_reason() {
    let site = site();
    let tag = etag(&site).await;
    let tag = tag.trim_matches('"');
    let page = site.get("/converters/ICT%20CSV").await;
    for told in [
        "name=\"ICT CSV.retention_days\" value=\"365\"",
        "set here, line 14",
        "from [defaults], line 6",
        "whole days from 1 to 3650",
        "<code>wait_for_writers</code> · built in",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    let path = "/converters/ICT%20CSV";
    let typed = [
        ("etag", tag),
        ("ICT CSV.retention_days", "30"),
        ("ICT CSV.timeout_s", ""),
    ];
    let review = post(&site, path, &typed).await;
    assert_eq!(review.status, 200, "{}", review.text);
    for told in [
        "<del>365</del>",
        "<ins>30</ins>",
        "<ins>120</ins>",
        "Save 2 changes",
        "/retention/what-if",
    ] {
        assert!(review.text.contains(told), "{told}: {}", review.text);
    }
    assert_eq!(file(&site), CONFIGURATION);
    let save = [
        ("etag", tag),
        ("step", "save"),
        ("ICT CSV.retention_days", "30"),
        ("reason", ""),
    ];
    let refused = post(&site, path, &save).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("say why"), "{}", refused.text);
    let save = [save[0], save[1], save[2], ("reason", "contract")];
    let saved = post(&site, path, &save).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert!(
        saved.text.contains("Saved.") && saved.text.contains("Undo"),
        "{}",
        saved.text
    );
    assert!(file(&site).contains("retention_days = 30"));
}

/// What was typed was gone when somebody else had saved meanwhile, or the other's change was.
#[tokio::test]
async fn a_form_that_is_late_keeps_what_was_typed_and_shows_what_the_other_wrote() {
    let site = site();
    let tag = etag(&site).await;
    let tag = tag.trim_matches('"');
    let others = CONFIGURATION
        .replace("retention_days = 365", "retention_days = 400")
        .replace("settle_s = 5", "settle_s = 7");
    site.write("host.toml", &others);
    let shown = json!({"ICT CSV.retention_days": "365", "ICT CSV.settle_s": "5"}).to_string();
    let typed = [
        ("etag", tag),
        ("shown", shown.as_str()),
        ("ICT CSV.retention_days", "30"),
        ("ICT CSV.settle_s", "5"),
    ];
    let late = post(&site, "/converters/ICT%20CSV", &typed).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    for told in [
        "Somebody changed the configuration meanwhile",
        "name=\"ICT CSV.retention_days\" value=\"30\"",
        "Now in the file: <b>400</b>",
        "name=\"ICT CSV.settle_s\" value=\"7\"",
    ] {
        assert!(late.text.contains(told), "{told}: {}", late.text);
    }
    assert_eq!(file(&site), others);
}

/// An emptied number was saved as 0, and a comma as a thousand times the value.
#[tokio::test]
async fn numbers_are_read_as_people_write_them_and_never_guessed() {
    let site = site();
    let path = "/converters/ICT%20CSV";
    for (language, typed, told) in [
        ("de", "1,5", "<ins>1.5</ins>"),
        ("en", "1.5", "<ins>1.5</ins>"),
        ("en", "1,5", "or a number from 0.1 to 1000, not"),
        ("de", "1.000,5", "or a number from 0.1 to 1000, not"),
        ("en", "2e400", "or a number from 0.1 to 1000, not"),
        ("en", "ten", "or a number from 0.1 to 1000, not"),
    ] {
        let tag = etag(&site).await;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("etag", tag.trim_matches('"')),
            ("ICT CSV.max_archive_size_gb", typed),
        ]);
        let request = site
            .request("POST", path)
            .header("annals-request", "1")
            .header("cookie", format!("annals-language={language}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = site.send(request, Body::from(form.finish())).await;
        assert!(answer.text.contains(told), "{typed}: {}", answer.text);
    }
}

#[tokio::test]
async fn converters_are_listed_with_what_the_archive_knows_of_them() {
    let site = site();
    let new = crate::archive::NewEntry::new("Old one").serial("SN1");
    site.archive.put(new, &b"x"[..]).expect("archived");
    let list = site.get("/converters").await;
    assert_eq!(list.status, 200);
    for told in [">ICT CSV</a>", "only archived", ODD, "archives nothing"] {
        assert!(list.text.contains(told), "{told}: {}", list.text);
    }
    assert_eq!(site.get(ODD).await.status, 200);
    assert_eq!(site.get("/converters/Old%20one").await.status, 200);
    assert_eq!(site.get("/converters/nobody").await.status, 404);
    for section in ["defaults", "host", "store", "evidence", "privacy"] {
        let shown = site.get(&format!("/settings/{section}")).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
    }
    assert_eq!(site.get("/settings/other").await.status, 404);
}

/// Settings could not be saved, and nothing said why.
#[tokio::test]
async fn why_there_is_nothing_to_set_is_said() {
    let site = Site::empty();
    let shown = site.get("/settings/host").await;
    assert!(
        shown.text.contains("No configuration is named"),
        "{}",
        shown.text
    );
    assert_eq!(site.get("/api/v1/config").await.status, 404);
    let site = Site::configured("[host]\nmax_concurrent = 0\n[[converter]]\nname = 1\n");
    let shown = site.get("/settings/host").await;
    for told in ["is not valid", "Line 2", "Line 4"] {
        assert!(shown.text.contains(told), "{told}: {}", shown.text);
    }
    let problem = site.get("/api/v1/config").await;
    assert_eq!(problem.status, 400);
    assert!(problem.text.contains("\"line\":2"), "{}", problem.text);
}
