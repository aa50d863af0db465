//! Lists of entries, at the page and at the API: filters, order, pages, selections.

use std::collections::BTreeSet;

use super::{Answer, Site};
use crate::archive::{Annotation, NewAttempt, NewEntry};
use crate::entry::Outcome;
use crate::id::{ConverterId, EntryId};
use crate::query::{Filter, Sort, SortField};
use crate::service::desk::Desk;
use crate::service::entries::Filters;
use crate::service::time::Zone;
use crate::time::{Clock as _, SystemClock};

/// A filter that selects some entries of the store below, and not all, for each key that can be
/// stated without a configuration.
const FILTERS: &[(&str, &str)] = &[
    ("converter", "ICT CSV"),
    ("converter", "fct"),
    ("status", "failed"),
    ("status", "success"),
    ("status", "pending"),
    ("from", "2020-01-01"),
    ("to", "2021-01-01"),
    ("serial", "sn7"),
    ("part", "P-1"),
    ("station", "St 2"),
    ("process", "EOL"),
    ("file", "*.csv"),
    ("file", "a?.*"),
    ("path", "*.csv"),
    ("meta", "line=1"),
    ("meta", "shift=late"),
    ("label", "checked"),
    ("label", "recall & co"),
    ("hold", "case 1"),
    ("hold", "*"),
    ("file_time_from", "2026-03-02"),
    ("file_time_to", "2026-03-03"),
    ("text", "LIMIT"),
    ("suspicious", "true"),
    ("made_by", "070707"),
    ("purged", "true"),
];

/// Makes a store in which filters overlap in many ways.
fn varied() -> Site {
    let site = Site::empty();
    for nth in 0..48_u64 {
        let pick = |modulus: u64| nth % modulus == 0;
        let converter = if pick(3) { "FCT" } else { "ICT CSV" };
        let name = if pick(4) {
            format!("a{}.log", nth % 10)
        } else {
            format!("b{nth}.csv")
        };
        let mut new = NewEntry::new(converter)
            .name(name)
            .meta("line", (nth % 2).to_string())
            .meta("shift", if pick(5) { "late" } else { "early" });
        new.unit.serial = (!pick(7)).then(|| format!("SN{}", nth % 12));
        new.unit.part = (!pick(9)).then(|| format!("P-{}", nth % 3));
        new.unit.station = Some(format!("ST {}", nth % 4));
        new.unit.process = Some(if pick(2) { "EOL" } else { "ICT" }.to_owned());
        let day = nth % 3 + 1;
        let modified = format!("2026-03-0{day}T08:00:00+00:00");
        new.source.modified = (!pick(11)).then(|| modified.parse().expect("a time"));
        let content = format!("content {nth}");
        let id = site
            .archive
            .put(new, content.as_bytes())
            .expect("archived")
            .id;
        match nth % 6 {
            0 => {}
            1 | 2 => {
                let failed = NewAttempt::new(Outcome::Failed, converter);
                let failed = failed.error(format!("limit {nth} is missing"));
                site.archive.record_attempt(id, failed).expect("recorded");
            }
            _ => {
                let identity = ConverterId::from_bytes([if pick(4) { 7 } else { 9 }; 32]);
                let good = NewAttempt::new(Outcome::Success, converter).converter_id(identity);
                site.archive.record_attempt(id, good).expect("recorded");
            }
        }
        if pick(4) {
            label(&site, id, "checked");
        }
        if pick(10) {
            label(&site, id, "Recall & Co");
        }
    }
    let all = site.archive.snapshot().expect("there");
    let all = all.ids(&Filter::default(), Sort::default()).expect("read");
    for (name, step) in [("case 1", 8), ("case 2", 5)] {
        let some = all.iter().step_by(step).copied().collect();
        site.archive.place_hold(name, "a test", some).expect("held");
    }
    site
}

fn label(site: &Site, id: EntryId, label: &str) {
    let note = Annotation::new("a test").labels(vec![label.to_owned()]);
    site.archive.annotate(id, note).expect("noted");
}

/// Returns pairs as the query of an address.
fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    query.finish()
}

/// Returns the numbers that follow a mark in a text.
fn numbers_after(text: &str, mark: &str) -> Vec<u64> {
    let rests = text.split(mark).skip(1);
    let digits = rests.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits
        .map(|digits| digits.unwrap_or_default().parse().expect("a number"))
        .collect()
}

async fn on_page(site: &Site, query: &str) -> Vec<u64> {
    let answer = site.get(&format!("/entries?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    numbers_after(&answer.text, "data-entry=\"")
}

async fn of_api(site: &Site, query: &str) -> Vec<u64> {
    let answer = site.get(&format!("/api/v1/entries?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let page = json(&answer);
    let ids = page["items"].as_array().expect("a list").iter();
    let ids: Vec<u64> = ids.map(|one| one["id"].as_u64().expect("an id")).collect();
    assert_eq!(page["count"], ids.len() as u64, "{query}");
    ids
}

async fn of_csv(site: &Site, query: &str) -> Vec<u64> {
    let answer = site.get(&format!("/api/v1/entries.csv?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let lines = answer.text.lines().skip(1);
    let ids = lines.map(|line| line.split(',').next().unwrap_or_default().parse());
    ids.map(|id| id.expect("an id")).collect()
}

fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text))
}

/// Two filters were given, one was dropped in silence, and the list looked complete. Here the page,
/// the API, its CSV and the words of the command line must agree on every pair, and a pair must
/// select exactly what both of its filters select.
#[tokio::test]
async fn page_api_and_command_line_agree_on_every_pair_of_filters() {
    let site = varied();
    let snapshot = site.archive.snapshot().expect("there");
    let now = SystemClock.now();
    let zone = Zone::Utc;
    let mut alone = Vec::new();
    for pair in FILTERS {
        let ids: BTreeSet<u64> = of_api(&site, &query(&[*pair])).await.into_iter().collect();
        alone.push(ids);
    }
    let mut some = 0;
    for (one, first) in FILTERS.iter().zip(&alone) {
        for (other, second) in FILTERS.iter().zip(&alone) {
            if one == other || (one.0 == other.0 && matches!(one.0, "file" | "hold")) {
                continue;
            }
            let both = query(&[*one, *other]);
            let ids = of_api(&site, &both).await;
            let expected: BTreeSet<u64> = match one.0 {
                key if key == other.0 && matches!(key, "converter" | "status") => {
                    first.union(second).copied().collect()
                }
                _ => first.intersection(second).copied().collect(),
            };
            let found: BTreeSet<u64> = ids.iter().copied().collect();
            assert_eq!(found, expected, "{both}");
            assert_eq!(on_page(&site, &both).await, ids, "{both}");
            assert_eq!(of_csv(&site, &both).await, ids, "{both}");
            let words = [*one, *other]
                .into_iter()
                .filter(|(key, _)| *key != "purged");
            let words = Filters::from_pairs(words).expect("valid");
            let desk = Desk::new(site.archive.clone(), zone.clone(), now);
            let stated = words.to_filter(now, &zone).expect("valid");
            let filter = stated.in_store(&desk).expect("complete");
            let mut by_words = snapshot.ids(&filter, "id:desc".parse().expect("an order"));
            let by_words = by_words.as_mut().expect("read").drain(..).map(|id| id.0);
            assert_eq!(by_words.collect::<Vec<_>>(), ids, "{both}");
            some += usize::from(!ids.is_empty());
        }
    }
    assert!(some > 100, "only {some} pairs select anything");
}

/// Whoever sorts by serial and pages on must see each entry once.
#[tokio::test]
async fn every_order_can_be_paged_through_without_gaps_or_repeats() {
    let site = varied();
    for field in SortField::ALL {
        for direction in ["asc", "desc"] {
            let sort = format!("sort={}%3A{direction}", field.name());
            let whole = of_api(&site, &sort).await;
            assert_eq!(whole.len(), 48, "{sort}");
            let (mut paged, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/entries?{sort}&limit=7{after}");
                let page = json(&site.get(&path).await);
                let items = page["items"].as_array().expect("a list").iter();
                paged.extend(items.filter_map(|one| one["id"].as_u64()));
                assert_eq!(page["count"], 48);
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(paged, whole, "{sort}");
            assert_eq!(on_page(&site, &sort).await, whole, "{sort}");
        }
    }
}

/// A client polls. Nothing has happened, so nothing needs to be read or sent.
#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let site = Site::sample();
    let path = "/api/v1/entries?serial=SN1042";
    let tag = site.get(path).await.headers["etag"].clone();
    let again = async |path: &str| {
        let request = site.request("GET", path).header("if-none-match", &tag);
        site.send(request, axum::body::Body::empty()).await.status
    };
    assert_eq!(again(path).await, 304);
    assert_eq!(again("/api/v1/entries?serial=SN1043").await, 200);
    let first = EntryId(of_api(&site, "").await[0]);
    label(&site, first, "checked");
    assert_eq!(again(path).await, 200);
}

#[tokio::test]
async fn a_misspelt_filter_is_refused_with_what_was_meant() {
    let site = Site::sample();
    for (path, hint) in [
        ("/api/v1/entries?seriall=SN1042", "did you mean 'serial'?"),
        (
            "/api/v1/entries.csv?stauts=failed",
            "did you mean 'status'?",
        ),
        ("/api/v1/find?query=SN1042", "it has 'q' and 'limit'"),
        ("/api/v1/events?type=archivd", "did you mean 'archived'?"),
        ("/api/v1/stream?type=true", "such as archived"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text.contains(hint), "{}", answer.text);
        let kind = &answer.headers["content-type"];
        assert_eq!(kind, "application/problem+json");
    }
    let events = site.get("/api/v1/events?type=&to=").await;
    assert_eq!(events.status, 200, "an empty value is none");
    let page = site.get("/entries?seriall=SN1042").await;
    assert!(
        page.text.contains("did you mean &#39;serial&#39;?"),
        "{}",
        page.text
    );
    assert_eq!(numbers_after(&page.text, "data-entry=\""), [] as [u64; 0]);
}

/// A search came back blank, and nobody could tell which of four filters had emptied it.
#[tokio::test]
async fn an_empty_list_names_its_filters_and_what_is_there_without_each() {
    let site = Site::sample();
    let page = site.get("/entries?serial=SN1042&part=nowhere").await;
    let text = page.text;
    let without_part = "<a href=\"/entries?serial=SN1042\"><span class=\"of\">Part</span> nowhere";
    assert!(text.contains(without_part), "{text}");
    assert!(text.contains(">2 entries<"), "{text}");
    assert!(
        text.contains("<a href=\"/entries?part=nowhere\">"),
        "{text}"
    );
    let page = site.get("/entries?converter=ICT+CVS").await;
    assert!(
        page.text.contains("did you mean &#39;ICT CSV&#39;?"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn columns_stand_in_the_address_and_choose_what_is_sent() {
    let site = Site::sample();
    let page = site.get("/entries?columns=serial,id").await.text;
    let heads = page
        .split("<thead>")
        .nth(1)
        .and_then(|rest| rest.split("</thead>").next());
    let heads = heads.expect("a head");
    let (serial, id) = (heads.find(">Serial<"), heads.find(">ID<"));
    assert!(serial.is_some() && serial < id, "{heads}");
    assert!(!heads.contains(">Status<"), "{heads}");
    let list = json(&site.get("/api/v1/entries?columns=id,serial&limit=1").await);
    let members = list["items"][0].as_object().expect("an object");
    assert_eq!(members.keys().collect::<Vec<_>>(), ["id", "serial"]);
    let csv = site.get("/api/v1/entries.csv?columns=serial,id").await.text;
    assert!(csv.starts_with("serial,id\r\n"), "{csv}");
    assert_eq!(site.get("/api/v1/entries?columns=luck").await.status, 400);
    assert_eq!(
        site.get("/api/v1/entries.csv?columns=luck").await.status,
        400
    );
}

/// Somebody chose all that match and took a break. What came in meanwhile is not part of it.
#[tokio::test]
async fn a_selection_stays_as_it_was_when_it_was_made() {
    let site = Site::sample();
    let path = "/api/v1/selections";
    let filters = r#"{"filters":{"serial":"SN1042"}}"#;
    let made = site.post(path, "application/json", filters).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = json(&made);
    assert_eq!(made["count"], 2);
    assert_eq!(made["left_out"], serde_json::json!([]));
    let later = NewEntry::new("ICT CSV").serial("SN1042");
    site.archive.put(later, &b"later"[..]).expect("archived");
    let name = made["selection"].as_str().expect("a name");
    let again = json(&site.get(&format!("{path}/{name}")).await);
    assert_eq!(again, made);
    let csv = site.get(&format!("{path}/{name}/entries.csv")).await.text;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert_eq!(site.get(&format!("{path}/gone")).await.status, 404);
}

/// A batch must never fall back to everything.
#[tokio::test]
async fn a_selection_of_nothing_is_refused() {
    let site = Site::sample();
    for (body, status) in [
        ("{}", 400),
        (r#"{"ids":[]}"#, 400),
        (r#"{"ids":[1],"filters":{}}"#, 400),
        (r#"{"filters":{"serial":"nobody"}}"#, 404),
        (r#"{"filters":{"seriall":"SN1042"}}"#, 400),
        (r#"{"ids":[999]}"#, 404),
        (r#"{"filter":{}}"#, 400),
    ] {
        let answer = site
            .post("/api/v1/selections", "application/json", body)
            .await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_selection_is_noted_held_and_downloaded_as_a_whole() {
    let site = Site::sample();
    let filters = r#"{"filters":{"serial":"SN1042"}}"#;
    let made = site
        .post("/api/v1/selections", "application/json", filters)
        .await;
    let path = format!(
        "/api/v1/selections/{}",
        json(&made)["selection"].as_str().expect("a name")
    );
    let note = r#"{"labels":["recall"],"reason":"ticket 881"}"#;
    let noted = site
        .post(&format!("{path}/notes"), "application/json", note)
        .await;
    assert_eq!(json(&noted)["noted"], 2, "{}", noted.text);
    assert_eq!(of_api(&site, "label=recall").await.len(), 2);
    let hold = r#"{"name":"case 7","reason":"claim"}"#;
    let held = site
        .post(&format!("{path}/holds"), "application/json", hold)
        .await;
    assert_eq!(json(&held)["held"], 2, "{}", held.text);
    let twice = site
        .post(&format!("{path}/holds"), "application/json", hold)
        .await;
    assert_eq!(twice.status, 409, "{}", twice.text);
    let tar = site.get(&format!("{path}/sources.tar")).await;
    assert_eq!(tar.headers["content-type"], "application/x-tar");
    assert!(tar.text.contains("volts,4.98") && tar.text.contains("volts,5.00"));
    assert!(!tar.text.contains("volts,5.01"), "another unit");
}

/// The bar says what the server froze, and offers to do it to exactly as many.
#[tokio::test]
async fn the_bar_of_the_page_says_how_many_the_server_froze() {
    let site = Site::sample();
    let form = "application/x-www-form-urlencoded";
    let bar = site
        .post("/entries/selection", form, "all=serial%3DSN1042")
        .await;
    assert!(bar.text.contains("2 entries as of "), "{}", bar.text);
    assert!(
        bar.text.contains("annals reprocess --serial SN1042"),
        "{}",
        bar.text
    );
    assert!(bar.text.contains("Place the hold on 2"), "{}", bar.text);
    let mark = "data-selection=\"";
    let name = bar
        .text
        .split(mark)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let name = name.expect("a name");
    let later = NewEntry::new("ICT CSV").serial("SN1042");
    site.archive.put(later, &b"later"[..]).expect("archived");
    let shown = format!("all=serial%3DSN1042&shown={name}");
    let again = site.post("/entries/selection", form, &shown).await;
    assert_eq!(again.text, bar.text, "another page of the list");
    let hold = format!("/entries/selection/{name}/hold");
    let held = site
        .post(&hold, form, "name=case+7&reason=claim&review=")
        .await;
    assert!(held.text.contains("lies on 2 entries"), "{}", held.text);
    let refused = site.post(&hold, form, "name=case+7&reason=claim").await;
    assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
}

/// A line controller repeats a request whose answer it never saw.
#[tokio::test]
async fn a_source_that_is_posted_twice_under_one_key_is_archived_once() {
    let site = Site::empty();
    let post = async |key: &str, path: &str| {
        let request = site.request("POST", path).header("annals-request", "1");
        let request = request.header("idempotency-key", key);
        site.send(request, axum::body::Body::from("serial,SN7\n"))
            .await
    };
    let path = "/api/v1/entries?converter=ICT&serial=SN7&name=a.csv&meta=line%3D3";
    let first = post("k1", path).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = post("k1", path).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(json(&first)["id"], json(&again)["id"]);
    assert_eq!(of_api(&site, "serial=SN7&meta=line%3D3").await.len(), 1);
    for wrong in ["/api/v1/entries", "/api/v1/entries?converter=ICT&seriall=1"] {
        assert_eq!(post("k2", wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_unit_is_found_with_the_reason() {
    let site = Site::sample();
    let found = json(&site.get("/api/v1/find?q=sn1042").await);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["items"][0]["matched"]["fact"], "serial");
    assert_eq!(found["items"][0]["matched"]["how"], "whole");
    let hash = found["items"][0]["sha256"].as_str().expect("a hash");
    let pasted = format!("/api/v1/find?q=sha256:{hash}");
    assert_eq!(
        json(&site.get(&pasted).await)["items"][0]["matched"]["fact"],
        "source"
    );
    let page = site.get("/?q=sn10").await.text;
    assert_eq!(numbers_after(&page, "data-entry=\"").len(), 3);
    assert!(page.contains("serial begins with"), "{page}");
    assert!(page.contains("annals find sn10"), "{page}");
    let page = site.get("/?q=nobody").await.text;
    assert!(page.contains("href=\"/entries?text=nobody\""), "{page}");
}

#[tokio::test]
async fn a_saved_view_is_there_for_everybody_and_shows_what_was_saved() {
    let site = Site::sample();
    let put = async |name: &str, query: &str| {
        let request = site.request("PUT", &format!("/api/v1/views/{name}"));
        let request = request
            .header("annals-request", "1")
            .header("content-type", "application/json");
        let body = serde_json::json!({ "query": query }).to_string();
        site.send(request, axum::body::Body::from(body))
            .await
            .status
    };
    assert_eq!(put("Failed", "status=failed&sort=size:desc").await, 204);
    assert_eq!(put("Wrong", "stauts=failed").await, 400);
    let views = json(&site.get("/api/v1/views").await);
    assert_eq!(views["items"][0]["name"], "Failed");
    assert_eq!(views["items"].as_array().map(Vec::len), Some(1));
    let page = site.get("/entries").await.text;
    let link = "href=\"/entries?status=failed&#38;sort=size%3Adesc\">Failed</a>";
    assert!(page.contains(link), "{page}");
}

/// A field that cannot be said on the page is a filter that only some can use.
#[tokio::test]
async fn every_filter_of_the_command_line_has_a_field_on_the_page() {
    let page = Site::sample().get("/entries").await.text;
    let keys = Filters::KEYS.iter().map(|key| key.name);
    for key in keys.chain(["purged", "sort", "columns"]) {
        assert!(page.contains(&format!(" name=\"{key}\"")), "{key}");
    }
}
