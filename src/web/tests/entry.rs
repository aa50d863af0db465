//! The page of an entry, what is done on it, and its routes of the API.

use std::path::Path;

use axum::body::Body;

use super::{Answer, Site};
use crate::archive::{HoldOn, NewAttempt, NewHold, Pending};
use crate::entry::Outcome;
use crate::event::{Body as Fact, Clearing};
use crate::id::EntryId;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Returns a site whose first entry was converted three times: a report, one with other limits,
/// and a failure.
fn converted() -> Site {
    let site = Site::sample();
    let report = |high: &str, id: &str| {
        let step = |number: u32| format!(r#"{{"name":"step {number}","high":{high}}}"#);
        let steps: Vec<String> = (0..5).map(step).collect();
        let steps = steps.join(",");
        format!(r#"{{"serial":"SN1042","uuid":"{id}","steps":[{steps}]}}"#)
    };
    let success = |version: &str, report: String| {
        NewAttempt::new(Outcome::Success, "ICT CSV")
            .converter_version(version)
            .reports(vec![report.into_bytes()])
    };
    let failure = NewAttempt::new(Outcome::Failed, "ICT CSV")
        .error("Traceback\n  <b>line 12</b>: no \u{202e}serial");
    let id = "11111111-4f89-41d3-9a0c-000000000001";
    let attempts = [
        success("1.0", report("9.0", id)),
        success("1.1", report("9.5", "11111111-4f89-41d3-9a0c-000000000001")),
        failure,
    ];
    for attempt in attempts {
        site.archive
            .record_attempt(first(&site), attempt)
            .expect("recorded");
    }
    site
}

fn first(site: &Site) -> EntryId {
    let snapshot = site.archive.snapshot().expect("a snapshot");
    let entries = snapshot.entries(&crate::query::Filter::default());
    let ids = entries.map(|entry| entry.expect("an entry").id);
    ids.min().expect("an entry")
}

fn address(site: &Site, query: &str) -> String {
    format!("/entries/{}{query}", first(site))
}

fn api(site: &Site, rest: &str) -> String {
    format!("/api/v1/entries/{}{rest}", first(site))
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let value = answer.headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// Returns the tag that the forms of a page send along.
async fn tag(site: &Site) -> String {
    let page = site.get(&address(site, "")).await;
    header(&page, "etag").trim_matches('"').to_owned()
}

#[tokio::test]
async fn the_page_of_an_entry_shows_its_newest_good_report() {
    let site = converted();
    let page = site.get(&address(&site, "")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in ["SN1042", "step 0", "9.5", "1.1", "Why kept", "blake3"] {
        let text = page.text.to_lowercase();
        assert!(text.contains(&shown.to_lowercase()), "{shown} is missing");
    }
}

#[tokio::test]
async fn every_part_of_the_page_has_an_address_in_both_languages() {
    let site = converted();
    for tab in [
        "report",
        "source",
        "timeline",
        "differences",
        "proof",
        "kept",
    ] {
        for language in ["en", "de"] {
            let request = site
                .request("GET", &address(&site, &format!("?tab={tab}")))
                .header("accept-language", language);
            let page = site.send(request, Body::empty()).await;
            assert_eq!(page.status, 200, "{tab}: {}", page.text);
            let is_here = page.text.matches("aria-current=\"page\"").count();
            assert_eq!(is_here, 2, "{tab}: the page and the tab");
            assert!(!page.text.contains(">entry."), "{tab}: a text is missing");
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_not_there_says_how_to_find_one() {
    let site = converted();
    let page = site.get("/entries/999999").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("annals find"), "{}", page.text);
}

/// A converter's error is text from outside: markup in it must not act, nor marks of direction.
#[tokio::test]
async fn what_a_converter_said_is_shown_and_never_acts() {
    let site = converted();
    for tab in ["?attempt=3", "?tab=timeline"] {
        let page = site.get(&address(&site, tab)).await;
        assert!(!page.text.contains("<b>line 12"), "{tab}");
        assert!(!page.text.contains('\u{202e}'), "{tab}");
        assert!(page.text.contains("⟨U+202E⟩"), "{tab}");
    }
}

#[tokio::test]
async fn the_timeline_shows_failures_only_when_asked() {
    let site = converted();
    let all = site.get(&address(&site, "?tab=timeline")).await;
    let failed = site.get(&address(&site, "?tab=timeline&only=failed")).await;
    let count = |page: &Answer| page.text.matches("<li class=").count();
    assert_eq!((count(&all), count(&failed)), (4, 1));
    assert!(failed.text.contains("Attempt 3"), "{}", failed.text);
}

/// Hundreds of events on one page made another tool's page useless.
#[tokio::test]
async fn hundreds_of_attempts_are_shown_page_by_page() {
    let site = Site::sample();
    let id = first(&site);
    for _ in 0..250 {
        let attempt = NewAttempt::new(Outcome::Failed, "ICT CSV").error("no serial");
        site.archive.record_attempt(id, attempt).expect("recorded");
    }
    let mut seen = 0;
    for page in 1..=3 {
        let query = format!("?tab=timeline&page={page}");
        let answer = site.get(&address(&site, &query)).await;
        let count = answer.text.matches("<li class=").count();
        assert!(count <= 100, "{count} events on one page");
        assert!(answer.text.len() < 200_000, "{} bytes", answer.text.len());
        seen += count;
    }
    assert_eq!(seen, 251);
}

/// The page said what the configuration would do with a file, also after it had been done.
#[tokio::test]
async fn where_a_file_went_is_told_among_the_facts_and_in_the_timeline() {
    let site = converted();
    for (how, path, english, german) in [
        (Clearing::Removed, None, "Removed", "Entfernt"),
        (
            Clearing::Moved,
            None,
            "Moved to another",
            "In einen anderen",
        ),
        (
            Clearing::Moved,
            Some("/done/a<b>.csv"),
            "Moved to /",
            "Nach /",
        ),
        (
            Clearing::Zipped,
            Some("/done/a<b>.zip"),
            "Put into /",
            "In /",
        ),
    ] {
        let cleared = site
            .archive
            .begin_source_cleared(first(&site), how, path.map(Path::new));
        cleared.and_then(Pending::wait).expect("recorded");
        for (language, words) in [("en", english), ("de", german)] {
            let asked = site
                .request("GET", &address(&site, "?tab=timeline"))
                .header("accept-language", language);
            let page = site.send(asked, Body::empty()).await;
            let told = page.text.matches(words).count();
            assert!(told > 1, "{words}: {}", page.text);
            assert!(!page.text.contains("a<b>"), "{}", page.text);
        }
    }
}

#[tokio::test]
async fn differences_are_summed_up_by_place_and_each_is_one_link_away() {
    let site = converted();
    let page = site
        .get(&address(&site, "?tab=differences&from=1&to=2"))
        .await;
    assert!(page.text.contains("/steps/*/high"), "{}", page.text);
    assert!(page.text.contains(">5</td>"), "five times");
    let one = address(&site, "?tab=differences&from=1&to=2&place=/steps/*/high");
    let page = site.get(&one).await;
    assert_eq!(page.text.matches("class=\"diff one\"").count(), 5);
    let full = address(&site, "?tab=differences&from=1&to=2&show=full");
    let page = site.get(&full).await;
    assert_eq!(
        page.text
            .matches("<div role=\"group\" class=\"content\"")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_hold_is_placed_and_lifted_from_the_page() {
    let site = converted();
    let tag = tag(&site).await;
    let body = format!("name=claim+7&reason=customer&review=&tag={tag}&query=tab%3Dtimeline");
    let page = site.post(&address(&site, "/hold"), FORM, &body).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("claim 7") && page.text.contains("Failed only"));
    assert_eq!(site.archive.holds().expect("holds")[0].entries, 1);
    let tag = self::tag(&site).await;
    let body = format!("name=claim+7&reason=settled&tag={tag}&query=");
    let page = site.post(&address(&site, "/release"), FORM, &body).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(site.archive.holds().expect("holds").is_empty());
}

/// Two people look at one entry. What the second decides must not rest on what the first changed.
#[tokio::test]
async fn nothing_is_done_with_an_entry_that_changed_after_it_was_opened() {
    let site = converted();
    let seen = tag(&site).await;
    let hold = NewHold::new("other", "meanwhile", HoldOn::Entries(vec![first(&site)]));
    site.archive.hold(hold).expect("held");
    let body = format!("name=mine&reason=x&tag={seen}&query=");
    let page = site.post(&address(&site, "/hold"), FORM, &body).await;
    assert!(
        page.text.contains("changed after you opened it"),
        "{}",
        page.text
    );
    assert_eq!(site.archive.holds().expect("holds").len(), 1);
}

#[tokio::test]
async fn a_refused_hold_keeps_the_dialog_and_says_why() {
    let site = converted();
    let hold = NewHold::new("recall", "first", HoldOn::Entries(vec![first(&site)]));
    site.archive.hold(hold).expect("held");
    let tag = tag(&site).await;
    let body = format!("name=recall&reason=again&tag={tag}&query=");
    let answer = site.post(&address(&site, "/hold"), FORM, &body).await;
    assert_eq!(answer.status, 409);
    assert_eq!(header(&answer, "hx-retarget"), "#hold-error");
    assert!(answer.text.contains("recall"), "{}", answer.text);
}

#[tokio::test]
async fn a_note_corrects_what_differs_and_nothing_else() {
    let site = converted();
    let tag = tag(&site).await;
    let body = format!(
        "text=retested&labels=claim%2C+line+3&serial=SN1042X&part=&station=&process=\
         &reason=scanner&tag={tag}&query="
    );
    let page = site.post(&address(&site, "/note"), FORM, &body).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let entry = site
        .archive
        .snapshot()
        .expect("snapshot")
        .entry(first(&site));
    let entry = entry.expect("readable").expect("there");
    assert_eq!(entry.unit.serial.as_deref(), Some("SN1042X"));
    assert_eq!(entry.labels, ["claim", "line 3"]);
    assert_eq!(entry.notes[0].changes.len(), 1);
    assert!(page.text.contains("was SN1042"), "the older value stays");
}

#[tokio::test]
async fn a_download_is_a_file_and_nothing_that_a_browser_would_run() {
    let site = converted();
    let answer = site.get(&api(&site, "/source")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, "serial,SN1042\nvolts,4.98\n");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert!(header(&answer, "content-disposition").starts_with("attachment"));
    assert!(header(&answer, "content-security-policy").contains("sandbox"));
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
}

#[tokio::test]
async fn a_download_that_the_client_has_is_not_sent_again() {
    let site = converted();
    let path = api(&site, "/reports/1");
    let whole = site.get(&path).await;
    let tag = header(&whole, "etag").to_owned();
    let again = site.request("GET", &path).header("if-none-match", &tag);
    let again = site.send(again, Body::empty()).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    let part = site.request("GET", &path).header("range", "bytes=1-8");
    let part = site.send(part, Body::empty()).await;
    assert_eq!(part.status, 206);
    assert_eq!(part.text, "\"serial\"");
    let head = site.send(site.request("HEAD", &path), Body::empty()).await;
    assert_eq!(
        header(&head, "content-length"),
        whole.text.len().to_string()
    );
    assert_eq!(head.text, "");
}

/// Who got archived content is on record where the store asks for that, also at this door.
#[tokio::test]
async fn a_download_is_recorded_before_its_first_byte() {
    let site = converted();
    let asks = crate::event::ConfigChanged::of("evidence.record_access").new("true");
    site.archive.record_config_change(asks).expect("recorded");
    let before = site.archive.newest();
    let answer = site.get(&api(&site, "/source")).await;
    assert_eq!(answer.status, 200);
    let from = crate::id::EventSeq(before.0 + 1);
    let events = site.archive.events(from, None).expect("events");
    let facts: Vec<Fact> = events
        .map(|leaf| leaf.expect("a line").event().expect("an event").body)
        .collect();
    let is_noted = facts.iter().any(|fact| match fact {
        Fact::Accessed(fact) => fact.how == "web" && fact.entries.contains(first(&site)),
        _ => false,
    });
    assert!(is_noted, "{facts:?}");
}

#[tokio::test]
async fn the_api_tells_what_the_command_line_tells() {
    let site = converted();
    let json = |answer: &Answer| -> serde_json::Value {
        assert_eq!(answer.status, 200, "{}", answer.text);
        serde_json::from_str(&answer.text).expect("JSON")
    };
    let entry = json(&site.get(&api(&site, "")).await);
    assert_eq!(entry["serial"], "SN1042");
    assert_eq!(entry["attempts"].as_array().expect("attempts").len(), 3);
    assert_eq!(entry["timeline"].as_array().expect("events").len(), 4);
    let diff = json(&site.get(&api(&site, "/diff?from=1&to=2")).await);
    assert_eq!(diff["verdict"], "changed");
    assert_eq!(diff["changes"].as_array().expect("changes").len(), 5);
    let why = json(&site.get(&api(&site, "/why")).await);
    assert_eq!(why["id"], entry["id"]);
    let events = json(&site.get(&api(&site, "/events")).await);
    assert_eq!(events["count"], 4);
    let unsigned = site.get(&api(&site, "/proof")).await;
    assert_eq!(unsigned.status, 409, "{}", unsigned.text);
    for wrong in [
        "/reports/9",
        "/reports/none",
        "/reports/1/7",
        "/diff?from=9",
    ] {
        let answer = site.get(&api(&site, wrong)).await;
        assert!(answer.status.is_client_error(), "{wrong}");
        assert!(answer.text.contains("\"kind\""), "{wrong}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_same_hold_twice_is_one_hold() {
    let site = converted();
    let id = first(&site);
    let body = format!(r#"{{"name":"audit","reason":"IATF","ids":[{id}]}}"#);
    let placed = site.post("/api/v1/holds", JSON, &body).await;
    assert_eq!(placed.status, 201, "{}", placed.text);
    let again = site.post("/api/v1/holds", JSON, &body).await;
    assert_eq!((again.status.as_u16(), again.text), (200, placed.text));
    let other = body.replace("IATF", "another reason");
    let refused = site.post("/api/v1/holds", JSON, &other).await;
    assert_eq!(refused.status, 409);
    let listed = site.get("/api/v1/holds").await;
    assert!(listed.text.contains("\"audit\"") && listed.text.contains("\"count\":1"));
    let reason = r#"{"reason":"closed"}"#;
    let released = site.post("/api/v1/holds/audit/release", JSON, reason).await;
    assert_eq!(released.status, 200, "{}", released.text);
    let gone = site.post("/api/v1/holds/audit/release", JSON, reason).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn the_preview_beside_a_list_needs_no_page_around_it() {
    let site = converted();
    let part = site.get(&address(&site, "/summary")).await;
    assert_eq!(part.status, 200, "{}", part.text);
    assert!(!part.text.contains("<html"));
    assert!(part.text.contains("SN1042") && part.text.contains("no ⟨U+202E⟩serial"));
}
