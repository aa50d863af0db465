//! What can be proven: checkpoints, reviews, accesses, bundles; through the API and the pages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use serde_json::{Value, json};

use super::{ACCOUNT, Site};
use crate::archive::{HandingOut, NewEntry};
use crate::event::{Actor, ActorKind, Body as Fact, Door, Handed};
use crate::evidence::key::SecretKey;
use crate::evidence::note::{KeyName, VerifierKey};
use crate::export::{Trust, Verdict, verify};
use crate::id::EntryId;

fn key(site: &Site) -> Arc<SecretKey> {
    let name = KeyName::of_store(&site.archive.store_id());
    Arc::new(SecretKey::generate(name).expect("a key"))
}

fn signed() -> (Site, Arc<SecretKey>) {
    let site = Site::sample();
    let key = key(&site);
    let signer: Arc<SecretKey> = Arc::clone(&key);
    site.archive.begin_signing(signer).expect("signs");
    (site, key)
}

async fn read(site: &Site, path: &str) -> Value {
    let answer = site.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    serde_json::from_str(&answer.text).expect("JSON")
}

async fn call(site: &Site, path: &str, body: &Value) -> (u16, Value) {
    let answer = site.post(path, "application/json", &body.to_string()).await;
    let json = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    (answer.status.as_u16(), json)
}

fn events(list: &Value) -> Vec<u64> {
    let items = list["items"].as_array().expect("items").iter();
    items
        .map(|item| item["event"].as_u64().expect("a number"))
        .collect()
}

/// A quality manager looked at a store without a key, and the page showed an empty box.
#[tokio::test]
async fn a_store_without_a_key_says_so_and_signs_nothing() {
    let site = Site::sample();
    let page = site.get("/evidence").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("This store is not signed"),
        "{}",
        page.text
    );
    assert!(page.text.contains("annals key init"));
    assert_eq!(site.get("/api/v1/checkpoint").await.status, 404);
    let newest = site.archive.newest();
    let (status, problem) = call(&site, "/api/v1/checkpoints", &json!({})).await;
    assert_eq!((status, &problem["kind"]), (409, &json!("refused")));
    let (status, _) = call(&site, "/api/v1/exports/plans", &json!({})).await;
    assert_eq!(status, 409);
    assert_eq!(site.archive.newest(), newest, "nothing is recorded");
}

/// Looking at the page signed the log each time, so that the list was full of nothing.
#[tokio::test]
async fn looking_never_signs_and_signing_names_the_account() {
    let (site, _) = signed();
    let (status, first) = call(&site, "/api/v1/checkpoints", &json!({})).await;
    assert_eq!(status, 201);
    let newest = site.archive.newest();
    assert_eq!(read(&site, "/api/v1/checkpoint").await, first);
    assert_eq!(site.get("/evidence").await.status, 200);
    assert_eq!(site.archive.newest(), newest);
    // Nothing came since: the same again.
    let (status, again) = call(&site, "/api/v1/checkpoints", &json!({})).await;
    assert_eq!((status, &again), (200, &first));
    site.archive
        .put(NewEntry::new("ICT CSV"), &b"x"[..])
        .expect("archived");
    let (status, second) = call(&site, "/api/v1/checkpoints", &json!({})).await;
    assert_eq!(status, 201);
    let list = read(&site, "/api/v1/checkpoints").await;
    let both = [&second["event"], &first["event"]].map(|event| event.as_u64().expect("a number"));
    assert_eq!(events(&list), both);
    assert_eq!(list["items"][0]["by"], ACCOUNT);
    assert_eq!(list["items"][0]["vkey"], first["vkey"]);
    let page = site.get("/evidence").await;
    assert!(page.text.contains("everything is signed"), "{}", page.text);
}

/// After the key was rotated, all earlier checkpoints were shown as forged.
#[tokio::test]
async fn checkpoints_of_an_earlier_key_still_verify() {
    let (site, first) = signed();
    call(&site, "/api/v1/checkpoints", &json!({})).await;
    let second = key(&site);
    let new: Arc<SecretKey> = Arc::clone(&second);
    site.archive.rotate_key(new).expect("rotated");
    site.archive
        .put(NewEntry::new("ICT CSV"), &b"x"[..])
        .expect("archived");
    call(&site, "/api/v1/checkpoints", &json!({})).await;
    let list = read(&site, "/api/v1/checkpoints").await;
    let keys = list["items"].as_array().expect("items").iter();
    let keys: Vec<&str> = keys
        .map(|item| item["vkey"].as_str().expect("verified"))
        .collect();
    assert_eq!(keys.first(), Some(&second.verifier().to_string().as_str()));
    assert_eq!(keys.last(), Some(&first.verifier().to_string().as_str()));
    let page = site.get("/evidence").await;
    assert!(page.text.contains("The log names 2 keys"), "{}", page.text);
    assert!(!page.text.contains("no key of this log"));
}

/// A review without a word of what was looked at was on record as accepted.
#[tokio::test]
async fn a_review_names_its_range_its_reason_and_who_made_it() {
    let site = Site::sample();
    let newest = site.archive.newest();
    let (status, shown) = call(&site, "/api/v1/reviews", &json!({})).await;
    assert_eq!((status, &shown["recorded"]), (200, &Value::Null));
    for wrong in [
        json!({"verdict": "accepted"}),
        json!({"verdict": "fine", "reason": "weekly"}),
        json!({"verdict": "accepted", "reason": "  "}),
        json!({"reason": "weekly"}),
        json!({"from": "not a date"}),
    ] {
        let (status, _) = call(&site, "/api/v1/reviews", &wrong).await;
        assert_eq!(status, 400, "{wrong}");
    }
    assert_eq!(site.archive.newest(), newest, "nothing is recorded");
    let end = newest.to_string();
    let asked = json!({"verdict": "finding", "reason": "purge without a ticket", "to": end});
    let (status, recorded) = call(&site, "/api/v1/reviews", &asked).await;
    assert_eq!(status, 201, "{recorded}");
    let list = read(&site, "/api/v1/reviews").await;
    let review = &list["items"][0];
    assert_eq!(review["by"], ACCOUNT);
    assert_eq!(review["to"].as_u64(), Some(newest.0));
    assert_eq!(review["verdict"], "finding");
    let page = site.get("/evidence/reviews").await;
    assert!(page.text.contains("purge without a ticket"));
    // The form: what is shown is what is judged.
    let form = format!("from=1&to={newest}&verdict=accepted&reason=weekly");
    let answer = site
        .post(
            "/evidence/review",
            "application/x-www-form-urlencoded",
            &form,
        )
        .await;
    assert_eq!(answer.headers["hx-redirect"], "/evidence/reviews");
    let form = format!("from=1&to={newest}&reason=weekly");
    let answer = site
        .post(
            "/evidence/review",
            "application/x-www-form-urlencoded",
            &form,
        )
        .await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

fn hand_out(site: &Site, account: &str, how: &str, door: Door) {
    let actor = Actor::new(ActorKind::User, account);
    let out = HandingOut::new(Handed::Source, vec![EntryId(3)], how).door(door);
    let archive = site.archive.lend(actor);
    archive.record_handing_out(&out).expect("recorded");
}

/// Every page of an audit log lacked the event that the page before ended with.
#[tokio::test]
async fn every_access_is_on_exactly_one_page() {
    let site = Site::sample();
    for nth in 0..23 {
        let (account, door) = match nth % 3 {
            0 => ("mia", Door::Web),
            1 => ("kari", Door::CommandLine),
            _ => ("kari", Door::Web),
        };
        hand_out(&site, account, "download", door);
        // What lies between is none of the list.
        let content = format!("content {nth}");
        site.archive
            .put(NewEntry::new("ICT CSV"), content.as_bytes())
            .expect("archived");
    }
    site.archive
        .record_refused_sign_in(Door::Web, "10.0.0.9", "token")
        .expect("recorded");
    for (filter, expected) in [
        ("", 24),
        ("&door=web", 15),
        ("&door=command_line", 8),
        ("&door=refused", 1),
        ("&account=kari", 15),
        ("&door=web&account=kari", 7),
        ("&from=2001-01-01&to=2002-01-01", 0),
    ] {
        for limit in [1, 5, 24, 100] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/accesses?limit={limit}{filter}{after}");
                let list = read(&site, &path).await;
                seen.extend(events(&list));
                match list["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(seen.len(), expected, "{filter} {limit}");
            assert!(
                seen.is_sorted_by(|a, b| a > b),
                "{filter} {limit}: {seen:?}"
            );
        }
        let csv = site
            .get(&format!("/api/v1/accesses.csv?limit=1000{filter}"))
            .await;
        assert_eq!(csv.text.lines().count(), expected + 1, "{filter}");
    }
    // The same date in both fields once meant no event at all, without a word.
    for wrong in [
        "from=2026-03-01&to=2026-03-01",
        "limit=0",
        "limit=1001",
        "door=back",
        "after=x",
        "from=soon",
        "unknown=1",
    ] {
        let answer = site.get(&format!("/api/v1/accesses?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    assert_eq!(site.get("/api/v1/exports?door=web").await.status, 400);
}

/// An account was called `=HYPERLINK(...)`, and a table program ran it; another one was called
/// like the administrator, with a mark that turns the reading direction.
#[tokio::test]
async fn the_name_of_an_account_is_text_and_nothing_else() {
    let site = Site::sample();
    hand_out(&site, "=HYPERLINK(\"http://evil\")", "@cmd", Door::Web);
    hand_out(&site, "aim\u{202e}<b>", "download", Door::Web);
    let csv = site.get("/api/v1/accesses.csv").await;
    assert!(csv.text.contains("\"'=HYPERLINK("), "{}", csv.text);
    assert!(csv.text.contains("'@cmd"), "{}", csv.text);
    let page = site.get("/evidence/accesses").await;
    assert!(!page.text.contains('\u{202e}'), "{}", page.text);
    assert!(!page.text.contains("aim<b>") && !page.text.contains("<b></td>"));
}

/// Refused sign-ins were in a file of their own that nobody looked at.
#[tokio::test]
async fn downloads_and_refused_sign_ins_show_without_being_looked_for() {
    let site = Site::configured("[store]\npath = \"store\"\n[evidence]\nrecord_access = true\n");
    let id = site
        .archive
        .put(NewEntry::new("ICT CSV"), &b"x"[..])
        .expect("archived")
        .id;
    let answer = site.get(&format!("/api/v1/entries/{id}/source")).await;
    assert_eq!(answer.status, 200);
    site.archive
        .record_refused_sign_in(Door::Web, "10.0.0.9", "token")
        .expect("recorded");
    let list = read(&site, "/api/v1/accesses").await;
    assert_eq!(list["items"][0]["outcome"], "refused");
    assert_eq!(list["items"][0]["from"], json!(["10.0.0.9"]));
    assert_eq!(list["items"][1]["what"], "source");
    assert_eq!(list["items"][1]["by"], ACCOUNT);
    assert_eq!(list["items"][1]["entries"], id.to_string());
    let page = site.get("/evidence/accesses?door=refused").await;
    assert!(page.text.contains("10.0.0.9") && !page.text.contains(">source"));
}

/// Waits until a bundle is no longer worked on.
async fn ended(site: &Site, id: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let plan = read(site, &format!("/api/v1/exports/plans/{id}")).await;
        if plan["state"] != "counting" && plan["state"] != "writing" {
            return plan;
        }
        assert!(Instant::now() < until, "{plan}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn made(site: &Site, asked: &Value) -> Value {
    let (status, plan) = call(site, "/api/v1/exports/plans", asked).await;
    assert_eq!(status, 202, "{plan}");
    let id = plan["id"].as_str().expect("a name").to_owned();
    let counted = ended(site, &id).await;
    assert_eq!(counted["state"], "counted", "{counted}");
    let (status, _) = call(
        site,
        &format!("/api/v1/exports/plans/{id}/start"),
        &json!({}),
    )
    .await;
    assert_eq!(status, 202);
    ended(site, &id).await
}

/// An export that broke off half way was handed over as evidence.
#[tokio::test]
async fn a_bundle_from_the_page_is_whole_and_verifies_elsewhere() {
    let (site, key) = signed();
    for (asked, events) in [
        (json!({}), None),
        (
            json!({"with_blobs": true, "filters": {"serial": "SN1042"}}),
            Some(2),
        ),
    ] {
        let ready = made(&site, &asked).await;
        assert_eq!(ready["state"], "ready", "{ready}");
        let path = ready["bundle"]["href"].as_str().expect("an address");
        let request = site.request("GET", path);
        let tar = site.bytes(request).await;
        assert_eq!(Some(tar.len() as u64), ready["bundle"]["bytes"].as_u64());
        let folder = tempfile::tempdir().expect("a folder");
        tar::Archive::new(&tar[..])
            .unpack(folder.path())
            .expect("unpacked");
        let event = &ready["bundle"]["event"];
        let bundle = folder.path().join(format!("annals-evidence-{event}"));
        let trust = Trust::in_keys(vec![key.verifier().clone()]);
        let verified = verify(&bundle, &trust, &|_, _| {});
        assert_eq!(verified.verdict, Verdict::Intact, "{:?}", verified.findings);
        if let Some(entries) = events {
            assert_eq!(ready["counts"]["entries"], entries);
            assert_eq!(verified.blobs, 2);
        }
        // It is on record with who.
        let list = read(&site, "/api/v1/exports").await;
        assert_eq!(&list["items"][0]["event"], event);
        assert_eq!(list["items"][0]["by"], ACCOUNT);
        let stated: VerifierKey =
            VerifierKey::parse(ready["bundle"]["vkey"].as_str().expect("a key")).expect("a key");
        assert_eq!(&stated, key.verifier());
    }
    let left = std::fs::read_dir(site.archive.dir().join("tmp"))
        .expect("a folder")
        .count();
    assert_eq!(left, 2, "both are kept for a while");
}

/// Counting told how much it would be, and the export was on record already.
#[tokio::test]
async fn nothing_is_recorded_before_somebody_wants_the_bundle() {
    let (site, _) = signed();
    let newest = site.archive.newest();
    let (_, plan) = call(&site, "/api/v1/exports/plans", &json!({})).await;
    let id = plan["id"].as_str().expect("a name");
    ended(&site, id).await;
    assert_eq!(site.archive.newest(), newest);
    let page = site.get(&format!("/evidence/exports/{id}")).await;
    assert!(page.text.contains("Make the bundle: "), "{}", page.text);
    let tar = site
        .get(&format!("/api/v1/exports/plans/{id}/bundle.tar"))
        .await;
    assert_eq!(tar.status, 409, "not ready");
    let (status, plan) = call(
        &site,
        &format!("/api/v1/exports/plans/{id}/cancel"),
        &json!({}),
    )
    .await;
    assert_eq!((status, &plan["state"]), (200, &json!("cancelled")));
    let (status, _) = call(
        &site,
        &format!("/api/v1/exports/plans/{id}/start"),
        &json!({}),
    )
    .await;
    assert_eq!(status, 409);
    assert_eq!(site.archive.newest(), newest);
    let exported = site
        .archive
        .events(crate::id::EventSeq(1), None)
        .expect("readable");
    let exported = exported
        .filter_map(Result::ok)
        .filter_map(|leaf| leaf.event().ok());
    assert!(
        !exported
            .into_iter()
            .any(|event| matches!(event.body, Fact::Exported(_)))
    );
}

/// A wrong filter of an export chose the whole store instead.
#[tokio::test]
async fn an_export_with_a_filter_that_nobody_knows_is_refused() {
    let (site, _) = signed();
    for wrong in [
        json!({"filters": {"seriel": "SN1042"}}),
        json!({"filter": {"serial": "SN1042"}}),
        json!({"filters": {"from": "soon"}}),
    ] {
        let (status, _) = call(&site, "/api/v1/exports/plans", &wrong).await;
        assert_eq!(status, 400, "{wrong}");
    }
    let form = "application/x-www-form-urlencoded";
    let answer = site.post("/evidence/export", form, "seriel=SN1042").await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    let answer = site.post("/evidence/export", form, "serial=SN1042").await;
    let place = answer.headers["hx-redirect"].to_str().expect("text");
    assert!(place.starts_with("/evidence/exports/"), "{place}");
}

/// Each list is there, in both languages, also when it is empty.
#[tokio::test]
async fn every_list_of_the_page_answers_when_it_is_empty() {
    let site = Site::empty();
    for list in [
        "checkpoints",
        "exports",
        "reviews",
        "accesses",
        "checks",
        "erasures",
    ] {
        for language in ["en", "de"] {
            let request = site
                .request("GET", &format!("/evidence/{list}"))
                .header("accept-language", language);
            let page = site.send(request, Body::empty()).await;
            assert_eq!(page.status, 200, "{list} {language}");
            assert!(
                page.text.contains("class=\"empty\""),
                "{list}: {}",
                page.text
            );
        }
    }
    assert_eq!(site.get("/evidence/nothing").await.status, 404);
    assert_eq!(site.get("/evidence/exports/unknown").await.status, 404);
}
