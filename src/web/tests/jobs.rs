//! Jobs, steps and failures through the API and the pages.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Site;
use crate::convert::Cancel;
use crate::convert::{Converter, Runner, convert_entry};
use crate::host::Config;
use crate::id::EntryId;

const CONFIGURATION: &str = r#"
[store]
path = "store"
[[converter]]
name = "ICT CSV"
version = "1.4.1"
command = ["sh", "run.sh", "{input}"]
bundle = ["run.sh"]
environment = "sh"
watch_folder = "in"
archive_enabled = true
post_process = "keep"
"#;

/// Reports a limit, and refuses what has no number.
const PROGRAM: &str = r#"grep -q 'volts,[0-9]' "$1" || { echo "line 2: no volts in $1" >&2; exit 1; }
printf '{"limits":{"high":LIMIT},"steps":[{"name":"a","high":LIMIT},{"name":"b","high":LIMIT}]}'"#;

/// A site with a configured converter, and two entries that it converted once.
struct Plant {
    site: Site,
    entries: Vec<EntryId>,
}

impl Plant {
    fn new() -> Self {
        let site = Site::configured(CONFIGURATION);
        site.write("run.sh", &PROGRAM.replace("LIMIT", "9.0"));
        let mut plant = Self {
            site,
            entries: Vec::new(),
        };
        for (serial, volts) in [("SN1", "4.98"), ("SN2", "none"), ("SN3", "5.01")] {
            let new = crate::archive::NewEntry::new("ICT CSV").serial(serial);
            let content = format!("serial,{serial}\nvolts,{volts}\n");
            let archived = plant.site.archive.put(new, content.as_bytes());
            plant.entries.push(archived.expect("archived").id);
        }
        let runner = Runner::new(plant.converter(), 1, &std::env::temp_dir()).expect("a runner");
        for id in &plant.entries {
            let archive = &plant.site.archive;
            convert_entry(archive, &runner, *id, None, &Cancel::default()).expect("recorded");
        }
        plant
    }

    fn converter(&self) -> Converter {
        let config = Config::load(self.site.folder().join("host.toml")).expect("valid");
        config.converters[0].converter.clone()
    }

    /// Changes the limit that the converter reports.
    fn limit(&self, limit: &str) {
        self.site.write("run.sh", &PROGRAM.replace("LIMIT", limit));
    }

    async fn call(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let answer = self
            .site
            .post(path, "application/json", &body.to_string())
            .await;
        let json = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
        (answer.status, json)
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.site.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        serde_json::from_str(&answer.text).expect("JSON")
    }

    /// Waits until a job has ended.
    async fn ended(&self, job: &Value) -> Value {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let shown = self.read(&format!("/api/v1/jobs/{job}")).await;
            if shown["state"] != "running" {
                return shown;
            }
            assert!(Instant::now() < until, "{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn plan(&self) -> Value {
        let asked = json!({"filters": {"converter": ["ICT CSV"]}});
        let (status, plan) = self.call("/api/v1/jobs/plans", &asked).await;
        assert_eq!(status, 201, "{plan}");
        plan
    }
}

/// Somebody pressed the button twice, and every report was made and sent twice.
#[tokio::test]
async fn a_plan_that_is_started_twice_becomes_one_job() {
    let plant = Plant::new();
    plant.limit("9.5");
    let plan = plant.plan().await;
    assert_eq!(
        (&plan["count"], &plan["dry_run"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(plan["runs"][0]["now"]["version"], "1.4.1");
    let start = format!(
        "/api/v1/jobs/plans/{}/start",
        plan["plan_id"].as_str().expect("an id")
    );
    let why = json!({"reason": "new limits"});
    let (first, again) = tokio::join!(plant.call(&start, &why), plant.call(&start, &why));
    assert_eq!((first.0, &first.1), (again.0, &again.1));
    assert_eq!(first.0, 200, "{}", first.1);
    let job = plant.ended(&first.1["job"]).await;
    assert_eq!(job["state"], "finished");
    assert_eq!((&job["changed"], &job["failed"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&job["reason"], &job["started_by"]),
        (&json!("new limits"), &json!("mia"))
    );
    let jobs = plant.read("/api/v1/jobs").await;
    assert_eq!(jobs["count"], 1);
    let number = first.1["job"].to_string();
    let changes = plant.read(&format!("/api/v1/jobs/{number}/changes")).await;
    assert_eq!(changes["changed"], 2);
    let differences = changes["differences"].as_array().expect("a list");
    let places: Vec<&Value> = differences.iter().map(|one| &one["path"]).collect();
    assert_eq!(places, ["/limits/high", "/steps/*/high"]);
    let failing = plant
        .read(&format!("/api/v1/jobs/{number}/entries?verdict=failing"))
        .await;
    assert_eq!(failing["items"][0]["id"], json!(plant.entries[1]));
    let page = plant
        .site
        .get(&format!("/jobs/{number}?verdict=changed"))
        .await;
    assert_eq!(page.status, 200);
    for told in [
        "/steps/*/high",
        "new limits",
        "mia",
        "9.0",
        "9.5",
        "no volts",
    ] {
        assert!(page.text.contains(told), "{told} is not on the page");
    }
    let csv = plant.site.get("/api/v1/jobs.csv").await;
    assert!(csv.text.starts_with("job,state,"), "{}", csv.text);
    assert_eq!(csv.text.lines().count(), 2);
}

/// A plan of the morning was started in the evening, with a converter that nobody had looked at.
#[tokio::test]
async fn a_plan_is_refused_when_the_converter_changed_since() {
    let plant = Plant::new();
    let plan = plant.plan().await;
    plant.limit("7.0");
    let id = plan["plan_id"].as_str().expect("an id");
    let start = format!("/api/v1/jobs/plans/{id}/start");
    let (status, refused) = plant.call(&start, &json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|why| why.contains("stale")),
        "{refused}"
    );
    let (status, _) = plant
        .call("/api/v1/jobs/plans/0123456789abcdef/start", &json!({}))
        .await;
    assert_eq!(status, 404);
    assert_eq!(plant.read("/api/v1/jobs").await["count"], 0);
}

/// A filter was lost on the way, and a batch ran over everything.
#[tokio::test]
async fn a_plan_without_a_clear_choice_of_entries_is_refused_with_the_reason() {
    let plant = Plant::new();
    for (asked, word) in [
        (json!({}), "no entries are named"),
        (
            json!({"ids": [1], "filters": {"serial": "SN1"}}),
            "several ways",
        ),
        (json!({"filters": {"serail": "SN1"}}), "serail"),
        (json!({"ids": [1], "options": {"submit": "some"}}), "some"),
        (json!({"ids": [999_999]}), "999999"),
        (json!({"selection": "gone"}), "no longer kept"),
    ] {
        let (status, refused) = plant.call("/api/v1/jobs/plans", &asked).await;
        assert!(status.is_client_error(), "{asked}: {status}");
        let detail = refused["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(word), "{asked}: {refused}");
    }
}

/// A preview must leave the store as it is.
#[tokio::test]
async fn a_preview_tells_what_would_change_and_records_nothing() {
    let plant = Plant::new();
    plant.limit("9.5");
    let plan = plant.plan().await;
    let newest = plant.site.archive.newest();
    let id = plan["plan_id"].as_str().expect("an id");
    let (status, preview) = plant
        .call(
            &format!("/api/v1/jobs/plans/{id}/preview"),
            &json!({"sample": 50}),
        )
        .await;
    assert_eq!(status, 202, "{preview}");
    let path = format!("/api/v1/jobs/previews/{}", preview["preview"]);
    let until = Instant::now() + Duration::from_secs(30);
    let over = loop {
        let preview = plant.read(&path).await;
        if preview["state"] != "running" {
            break preview;
        }
        assert!(Instant::now() < until, "{preview}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(over["outcome"]["changed"], 2, "{over}");
    assert_eq!(plant.site.archive.newest(), newest);
}

#[tokio::test]
async fn the_dialog_repeats_the_count_on_its_button_and_asks_why() {
    let plant = Plant::new();
    let page = plant.site.get("/jobs/new?converter=ICT+CSV").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text.contains("Reprocess 3 entries with ICT CSV 1.4.1"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("annals --config"),
        "the command line is missing"
    );
    let plan = plant.plan().await;
    let form = format!(
        "plan_id={}&reason=",
        plan["plan_id"].as_str().expect("an id")
    );
    let kind = "application/x-www-form-urlencoded";
    let refused = plant.site.post("/jobs/new/start", kind, &form).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("say why"), "{}", refused.text);
    let started = plant
        .site
        .post("/jobs/new/start", kind, &format!("{form}limits"))
        .await;
    let place = started
        .headers
        .get("hx-redirect")
        .expect("a place to go to");
    assert!(
        place
            .to_str()
            .is_ok_and(|place| place.starts_with("/jobs/")),
        "{place:?}"
    );
}

/// An edited converter was tried on live entries, because there was no other way to look.
#[tokio::test]
async fn a_step_shows_what_an_edited_converter_changes_and_records_nothing() {
    let plant = Plant::new();
    let newest = plant.site.archive.newest();
    let at = plant.entries[0];
    let page = plant
        .site
        .get(&format!("/step?converter=ICT+CSV&at={at}"))
        .await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("1 of 3"), "{}", page.text);
    let kind = "application/x-www-form-urlencoded";
    let ask = format!("at={at}&with=ICT+CSV");
    let same = plant.site.post("/step/run", kind, &ask).await;
    assert!(same.text.contains("unchanged"), "{}", same.text);
    let identity = same
        .text
        .split("data-step-was=\"")
        .nth(1)
        .and_then(|rest| rest.get(..12));
    let identity = identity.expect("the identity is shown").to_owned();
    plant.limit("9.5");
    let changed = plant
        .site
        .post("/step/run", kind, &format!("{ask}&was={identity}"))
        .await;
    for told in [
        "changed since the step before",
        "/steps/*/high",
        "<del>",
        "<ins>",
    ] {
        assert!(
            changed.text.contains(told),
            "{told} is missing: {}",
            changed.text
        );
    }
    let seen = changed
        .text
        .split("data-step-seen=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let seen = seen.expect("marks").to_owned();
    let again = plant
        .site
        .post("/step/run", kind, &format!("{ask}&seen={seen}"))
        .await;
    assert!(again.text.contains("changes as before"), "{}", again.text);
    let watched = format!("/step/identity?with=ICT+CSV&was={identity}");
    assert!(
        plant
            .site
            .get(&watched)
            .await
            .text
            .contains("changed on disk")
    );
    assert_eq!(plant.site.archive.newest(), newest);
}

#[tokio::test]
async fn failures_lead_to_their_entries_and_to_a_new_job() {
    let plant = Plant::new();
    let page = plant.site.get("/failures").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let failures = plant.read("/api/v1/failures").await;
    let cause = failures["items"][0]["cause"]
        .as_str()
        .expect("a cause")
        .to_owned();
    assert_eq!(failures["count"], 1);
    for told in [
        format!("/jobs/new?failure={cause}"),
        format!("/entries?failure={cause}"),
        "Reprocess this one".to_owned(),
    ] {
        assert!(page.text.contains(&told), "{told} is missing");
    }
    let none = plant.site.get("/failures?converter=Other").await;
    assert!(
        none.text.contains("Other"),
        "the filter that emptied the list is named"
    );
    let wrong = plant.site.get("/failures?from=someday").await;
    assert!(wrong.text.contains("someday"), "{}", wrong.text);
    let csv = plant.site.get("/api/v1/failures.csv").await;
    assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
}

/// A job that was paused, and then one that nobody knows.
#[tokio::test]
async fn a_job_that_cannot_be_stopped_is_refused_with_the_reason() {
    let plant = Plant::new();
    let (status, missing) = plant.call("/api/v1/jobs/77/pause", &json!({})).await;
    assert_eq!(status, 404, "{missing}");
    let plan = plant.plan().await;
    let id = plan["plan_id"].as_str().expect("an id");
    let (_, started) = plant
        .call(&format!("/api/v1/jobs/plans/{id}/start"), &json!({}))
        .await;
    let job = started["job"].clone();
    plant.ended(&job).await;
    for act in ["pause", "cancel", "resume"] {
        let (status, refused) = plant
            .call(&format!("/api/v1/jobs/{job}/{act}"), &json!({}))
            .await;
        assert_eq!(status, 409, "{act}: {refused}");
    }
    let (status, retried) = plant
        .call(
            &format!("/api/v1/jobs/{job}/retry-failed"),
            &json!({"reason": "again"}),
        )
        .await;
    assert_eq!(status, 201, "{retried}");
    assert_eq!((&retried["retry_of"], &retried["total"]), (&job, &json!(1)));
    plant.ended(&retried["job"]).await;
}
