//! Retention and holds through the API and the pages.

use serde_json::{Value, json};

use super::{Answer, Site};
use crate::archive::{Annotation, NewEntry};
use crate::entry::Retention;
use crate::id::EntryId;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[[converter]]
name = "ICT CSV"
command = ["cat", "{input}"]
archive_enabled = true
retention_days = 900
max_archive_count = 4
[[retention]]
name = "samples"
label = "sample"
keep = { sources = "7y", reports = "2y" }
until = "end_of_year"
zone = "Europe/Berlin"
"#;

/// A site with ten entries of a configured converter, which may have four.
fn plant() -> (Site, Vec<EntryId>) {
    let site = Site::configured(CONFIGURATION);
    let put = |nth: u32| {
        let new = NewEntry::new("ICT CSV")
            .serial(format!("SN{nth}"))
            .retention(Retention::days(900));
        let content = format!("serial,SN{nth}\n");
        site.archive.put(new, content.as_bytes()).expect("put").id
    };
    let ids = (0..10).map(put).collect();
    (site, ids)
}

async fn call(site: &Site, path: &str, body: &Value) -> (u16, Value) {
    let answer = site.post(path, "application/json", &body.to_string()).await;
    (answer.status.as_u16(), json_of(&answer))
}

async fn read(site: &Site, path: &str) -> Value {
    let answer = site.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    json_of(&answer)
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).unwrap_or(Value::Null)
}

fn plan_id(plan: &Value) -> &str {
    plan["plan_id"].as_str().expect("an id")
}

/// The number on a button was that of a list that had changed meanwhile.
#[tokio::test]
async fn what_a_plan_counts_is_exactly_what_is_purged() {
    let (site, ids) = plant();
    let before = site.archive.newest();
    let (status, plan) = call(
        &site,
        "/api/v1/retention/plans",
        &json!({"configured": true}),
    )
    .await;
    assert_eq!(status, 201, "{plan}");
    // A preview leaves no trace.
    assert_eq!(site.archive.newest(), before);
    assert_eq!(plan["count"], 6);
    // A label that nobody has set would be a mistake, so it is told.
    assert_eq!(plan["classes_without_entries"], json!(["samples"]));
    assert_eq!(plan["impact"]["by_converter"][0]["name"], "ICT CSV");
    assert!(plan["items"].is_null());
    // What comes in later is not part of it, and makes no difference to it.
    let new = NewEntry::new("ICT CSV").retention(Retention::days(900));
    site.archive.put(new, &b"later"[..]).expect("put");
    let path = format!("/api/v1/retention/plans/{}", plan_id(&plan));
    let page = site
        .get(&format!("/retention/plans/{}", plan_id(&plan)))
        .await;
    assert!(page.text.contains("Purge 6 entries"), "{}", page.text);
    let items = read(&site, &format!("{path}/items?limit=4")).await;
    assert_eq!((&items["count"], &items["next"]), (&json!(6), &json!("4")));
    let rest = read(&site, &format!("{path}/items?after=4")).await;
    assert_eq!(rest["items"][1]["serial"], "SN5");
    assert_eq!(rest["next"], Value::Null);
    let csv = site.get(&format!("{path}/items.csv")).await;
    assert_eq!(csv.text.lines().count(), 7, "{}", csv.text);

    let no_reason = call(&site, &format!("{path}/apply"), &json!({"reason": " "})).await;
    assert_eq!(no_reason.0, 400, "{}", no_reason.1);
    let why = json!({"reason": "trial", "grace": "7d"});
    let (status, done) = call(&site, &format!("{path}/apply"), &why).await;
    assert_eq!(
        (status, &done["archives_purged"]),
        (200, &json!(6)),
        "{done}"
    );
    let again = call(&site, &format!("{path}/apply"), &why).await;
    assert_eq!(again, (200, done));
    let purged = |id: &EntryId| {
        let entry = site.archive.snapshot().expect("open").entry(*id);
        entry.expect("read").expect("there").purged_at.is_some()
    };
    assert_eq!(ids.iter().filter(|id| purged(id)).count(), 6);
}

/// A purge was undone after its bytes were gone, or twice.
#[tokio::test]
async fn a_purge_is_undone_within_its_grace_and_told_in_the_history() {
    let (site, ids) = plant();
    let (_, plan) = call(&site, "/api/v1/retention/plans", &json!({"max_count": 7})).await;
    let id = plan_id(&plan);
    let why = json!({"reason": "too many", "grace": "7d"});
    call(&site, &format!("/api/v1/retention/plans/{id}/apply"), &why).await;
    let pending = read(&site, "/api/v1/retention/pending").await;
    assert_eq!(pending["items"][0]["entries"], 3);
    let history = read(&site, "/api/v1/retention/purges").await;
    assert_eq!(
        history["items"][0]["ended"]["state"], "pending",
        "{history}"
    );
    assert_eq!(history["items"][0]["by"], super::ACCOUNT);
    let part = site.get("/retention/pending").await;
    assert!(part.text.contains("Bring back 3 entries"), "{}", part.text);

    let undo = format!("/api/v1/retention/purges/{id}/undo");
    assert_eq!(call(&site, &undo, &json!({"reason": ""})).await.0, 400);
    let (status, undone) = call(&site, &undo, &json!({"reason": "needed"})).await;
    assert_eq!((status, &undone["entries"]), (200, &json!(3)));
    assert_eq!(call(&site, &undo, &json!({"reason": "again"})).await.0, 409);
    let snapshot = site.archive.snapshot().expect("open");
    let back = snapshot.entry(ids[0]).expect("read").expect("there");
    assert!(back.purged_at.is_none());
    let history = read(&site, "/api/v1/retention/purges").await;
    assert_eq!(history["items"][0]["ended"]["state"], "undone");
    assert_eq!(history["items"][0]["ended"]["reason"], "needed");
    let page = site.get("/retention/purges").await;
    assert!(page.text.contains("too many"), "{}", page.text);

    // The same plan is stale after it was undone, and a new one goes for good.
    let (_, plan) = call(&site, "/api/v1/retention/plans", &json!({"max_count": 7})).await;
    let id = plan_id(&plan);
    let apply = format!("/api/v1/retention/plans/{id}/apply");
    let (status, done) = call(&site, &apply, &json!({"reason": "for good"})).await;
    assert_eq!((status, &done["final_at"]), (200, &Value::Null), "{done}");
    let (status, _) = call(
        &site,
        &format!("/api/v1/retention/purges/{id}/undo"),
        &json!({"reason": "too late"}),
    )
    .await;
    assert_eq!(status, 409);
    let history = read(&site, "/api/v1/retention/purges?limit=1").await;
    assert_eq!(history["items"][0]["ended"]["state"], "final");
    let before = history["next"].as_str().expect("older ones");
    let older = read(&site, &format!("/api/v1/retention/purges?before={before}")).await;
    assert_eq!(older["items"][0]["ended"]["state"], "undone", "{older}");
}

/// A hold that was placed while a preview lay open did not keep its entries.
#[tokio::test]
async fn a_hold_that_is_placed_while_a_plan_is_open_refuses_it() {
    let (site, ids) = plant();
    let (_, plan) = call(
        &site,
        "/api/v1/retention/plans",
        &json!({"configured": true}),
    )
    .await;
    let hold = json!({"name": "claim", "reason": "a customer", "filters": {"serial": "SN2"}});
    let (status, held) = call(&site, "/api/v1/holds", &hold).await;
    assert_eq!((status, &held["entries"]), (201, &json!(1)), "{held}");
    let path = format!("/retention/plans/{}/apply", plan_id(&plan));
    let answer = site
        .post(
            &path,
            "application/x-www-form-urlencoded",
            "reason=old&grace=7d",
        )
        .await;
    assert_eq!(answer.status, 409);
    assert!(answer.text.contains("stale"), "{}", answer.text);
    let snapshot = site.archive.snapshot().expect("open");
    assert!(ids.iter().all(|id| {
        let entry = snapshot.entry(*id).expect("read").expect("there");
        entry.purged_at.is_none()
    }));
    // The new plan leaves it out, and says so.
    let (_, plan) = call(
        &site,
        "/api/v1/retention/plans",
        &json!({"configured": true}),
    )
    .await;
    assert_eq!(plan["held_skipped"], 1, "{plan}");
    let page = site
        .get(&format!("/retention/plans/{}", plan_id(&plan)))
        .await;
    assert!(page.text.contains("kept by holds"), "{}", page.text);
}

/// Holds kept more than a limit allows, and the limit seemed to have no effect.
#[tokio::test]
async fn a_limit_that_holds_keep_from_being_met_is_named() {
    let (site, _) = plant();
    let hold = json!({"name": "all", "reason": "audit", "filters": {"converter": ["ICT CSV"]}});
    assert_eq!(call(&site, "/api/v1/holds", &hold).await.0, 201);
    let (_, plan) = call(
        &site,
        "/api/v1/retention/plans",
        &json!({"configured": true}),
    )
    .await;
    assert_eq!(plan["count"], 0);
    assert_eq!(plan["limits_unmet"][0]["over_count"], true, "{plan}");
    let page = site
        .get(&format!("/retention/plans/{}", plan_id(&plan)))
        .await;
    assert!(
        page.text.contains("limit of 4 entries cannot be met"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Nothing would go"), "{}", page.text);
}

/// A rule with a typing mistake, or without a unit, took everything.
#[tokio::test]
async fn a_rule_that_is_unclear_takes_nothing() {
    let (site, _) = plant();
    for (body, status) in [
        (json!({}), 409),
        (json!({"converter": "ICT CSV"}), 409),
        (json!({"converter": "ICT CVS", "max_count": 0}), 404),
        (json!({"older_then": "90d"}), 400),
        (json!({"older_than": "90"}), 400),
        (json!({"older_than": "3m"}), 400),
        (json!({"max_count": -1}), 400),
        (json!({"max_size": "ten"}), 400),
        (json!({"max_size": "10"}), 400),
        (json!({"configured": true, "max_count": 0}), 400),
        (json!({"classes": true, "now": "tomorow"}), 400),
    ] {
        let (told, problem) = call(&site, "/api/v1/retention/plans", &body).await;
        assert_eq!(told, status, "{body}: {problem}");
        assert!(problem["detail"].is_string(), "{body}: {problem}");
    }
    for form in [
        "max_size=10",
        "max_count=1.000",
        "max_count=1%2C000",
        "converter=ICT+CSV",
    ] {
        let kind = "application/x-www-form-urlencoded";
        let answer = site.post("/retention/plans", kind, form).await;
        assert_eq!(answer.status, 409, "{form}: {}", answer.text);
        assert!(answer.headers.get("hx-redirect").is_none());
    }
}

/// Whoever sends something that cannot be read is told what and where, as for every other error.
#[tokio::test]
async fn every_refusal_of_the_api_is_a_problem() {
    let (site, _) = plant();
    for path in [
        "/api/v1/holds",
        "/api/v1/holds/x/release",
        "/api/v1/holds/x/review",
        "/api/v1/retention/plans",
        "/api/v1/retention/plans/x/apply",
        "/api/v1/retention/what-if",
        "/api/v1/retention/purges/x/undo",
        "/api/v1/retention/purges/x/finalize",
        "/api/v1/selections",
        "/api/v1/entries/1/notes",
        "/api/v1/jobs/plans",
    ] {
        for (kind, body) in [
            ("application/json", "{\"nam"),
            ("application/json", "{\"unknown\": 1}"),
            ("application/json", "[]"),
        ] {
            let answer = site.post(path, kind, body).await;
            assert!(
                answer.status.is_client_error(),
                "{path} {body}: {}",
                answer.text
            );
            let problem = json_of(&answer);
            assert_eq!(problem["kind"], "invalid", "{path} {body}: {}", answer.text);
        }
    }
    for path in [
        "/api/v1/entries/seven",
        "/api/v1/jobs/0x7",
        "/api/v1/jobs?limit=many",
        "/api/v1/retention/purges?limit=0",
        "/api/v1/retention/plans/x/items?before=1",
        "/api/v1/entries/7/source/more",
    ] {
        let answer = site.get(path).await;
        assert!(answer.status.is_client_error(), "{path}");
        assert!(
            json_of(&answer)["detail"].is_string(),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_hold_is_placed_on_ids_a_selection_or_filters_and_on_one_of_these() {
    let (site, ids) = plant();
    let (_, selection) = call(
        &site,
        "/api/v1/selections",
        &json!({"ids": [ids[0], ids[1]]}),
    )
    .await;
    let selected = json!({"name": "a", "reason": "r", "selection": selection["selection"]});
    assert_eq!(
        call(&site, "/api/v1/holds", &selected).await.1["entries"],
        2
    );
    let future = json!({"name": "b", "reason": "r", "filters": {"serial": "SN77"}, "future": true});
    let (status, hold) = call(&site, "/api/v1/holds", &future).await;
    assert_eq!((status, &hold["entries"]), (201, &json!(0)), "{hold}");
    let new = NewEntry::new("ICT CSV").serial("SN77");
    site.archive.put(new, &b"later"[..]).expect("put");
    let holds = read(&site, "/api/v1/holds").await;
    assert_eq!(holds["items"][1]["entries"], 1, "{holds}");
    for (body, status) in [
        (json!({"name": "c", "reason": "r"}), 400),
        (
            json!({"name": "c", "reason": "r", "ids": [1], "filters": {}}),
            400,
        ),
        (json!({"name": "c", "reason": "r", "filters": {}}), 400),
        (
            json!({"name": "c", "reason": "r", "ids": [1], "future": true}),
            400,
        ),
        (
            json!({"name": "c", "reason": "r", "filters": {"serial": "SN0"}, "review": "soon"}),
            400,
        ),
        (
            json!({"name": "c", "reason": "r", "filters": {"serial": "none"}}),
            404,
        ),
        (
            json!({"name": "c", "reason": "", "filters": {"serial": "SN0"}}),
            400,
        ),
        (
            json!({"name": "a", "reason": "other", "ids": [ids[2]]}),
            409,
        ),
    ] {
        let (told, problem) = call(&site, "/api/v1/holds", &body).await;
        assert_eq!(told, status, "{body}: {problem}");
    }
    let review = json!({"until": "2099-05-01", "reason": "still open"});
    assert_eq!(call(&site, "/api/v1/holds/b/review", &review).await.0, 200);
    let past = json!({"until": "2001-05-01", "reason": "still open"});
    assert_eq!(call(&site, "/api/v1/holds/b/review", &past).await.0, 400);
    assert_eq!(
        call(&site, "/api/v1/holds/none/review", &review).await.0,
        404
    );
    let release = json!({"reason": "settled"});
    assert_eq!(
        call(&site, "/api/v1/holds/b/release", &release).await.0,
        200
    );
    assert_eq!(
        call(&site, "/api/v1/holds/b/release", &release).await.0,
        404
    );
    let page = site.get("/holds?counted=true").await;
    assert!(page.text.contains("/entries?hold=a"), "{}", page.text);
    let matches = site.get("/holds/matches?serial=SN3&name=x&reason=").await;
    assert!(
        matches.text.contains("1 entry matches now"),
        "{}",
        matches.text
    );
}

/// A settings form is asked about before it is saved; so is a typed change of one converter.
#[tokio::test]
async fn unsaved_changes_are_compared_with_the_rules_in_force() {
    let (site, _) = plant();
    let asked = json!({"changes": {"ICT CSV.max_archive_count": 2}});
    let (status, compared) = call(&site, "/api/v1/retention/what-if", &asked).await;
    assert_eq!(status, 200, "{compared}");
    assert_eq!(
        (&compared["today"]["count"], &compared["then"]["count"]),
        (&json!(6), &json!(8))
    );
    let form = "ICT+CSV.max_archive_count=9&ICT+CSV.timeout_s=300&tag=x";
    let kind = "application/x-www-form-urlencoded";
    let page = site.post("/retention/what-if", kind, form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text.contains("6 entries") && page.text.contains("1 entry"),
        "{}",
        page.text
    );
    let wrong = json!({"changes": {"ICT CSV.max_archive_cuont": 2}});
    assert_eq!(
        call(&site, "/api/v1/retention/what-if", &wrong).await.0,
        400
    );
    let text = CONFIGURATION.replace("max_archive_count = 4", "max_archive_count = 0");
    let asked = json!({"config": text});
    let (_, compared) = call(&site, "/api/v1/retention/what-if", &asked).await;
    assert_eq!(compared["then"]["count"], 0, "{compared}");
}

#[tokio::test]
async fn the_rules_are_told_in_words_in_both_languages() {
    let (site, ids) = plant();
    let note = Annotation::new("a test").labels(vec!["sample".into()]);
    site.archive.annotate(ids[0], note).expect("noted");
    let page = site.get("/retention").await;
    for words in [
        "sources kept 7 years after archiving, to the end of that year (Europe/Berlin)",
        "kept 900 days after archiving, as recorded with each entry",
        "at most 4 entries: the oldest go",
        "/entries?label=sample",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let german = site
        .request("GET", "/retention")
        .header("accept-language", "de");
    let german = site.send(german, axum::body::Body::empty()).await;
    assert!(
        german.text.contains("Quellen aufbewahrt 7 Jahre"),
        "{}",
        german.text
    );
    let gone = site.get("/retention/plans/0000").await;
    assert_eq!(gone.status, 404);
    assert!(gone.text.contains("Make a new plan"), "{}", gone.text);
    let explained = read(&site, &format!("/api/v1/entries/{}/retention", ids[0])).await;
    assert_eq!(explained["class"], "samples", "{explained}");
    assert_eq!(read(&site, "/api/v1/retention/classes").await["count"], 2);
    assert_eq!(read(&site, "/api/v1/retention/locks").await["count"], 0);
}

#[tokio::test]
async fn without_a_configuration_the_page_says_that_no_rule_is_known() {
    let site = Site::sample();
    let page = site.get("/retention").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("No configuration is named"),
        "{}",
        page.text
    );
    let (status, problem) = call(
        &site,
        "/api/v1/retention/plans",
        &json!({"configured": true}),
    )
    .await;
    assert_eq!(status, 404, "{problem}");
}
