//! Whether all is well: the page, its charts, and the figures for programs.

use std::sync::Arc;

use super::{Answer, Site};
use crate::archive::{Archive, Depth, NewAttempt, NewEntry};
use crate::entry::Outcome;
use crate::host::{Archives, Config, Host};
use crate::query::{Filter, Sort};
use crate::retention::{AsOf, Policy};
use crate::service::status::{Owner, Role};

/// Returns a site with entries of two converters in every state that the index counts.
fn plant() -> Site {
    let site = Site::empty();
    fill(&site.archive);
    site
}

fn fill(archive: &Archive) {
    let outcomes = [
        ("ICT CSV", Some(Outcome::Success), ""),
        ("ICT CSV", Some(Outcome::Success), ""),
        ("ICT CSV", Some(Outcome::Failed), "line 3: no serial"),
        ("ICT CSV", Some(Outcome::Failed), "line 9: no serial"),
        (
            "Optics <b>",
            Some(Outcome::Failed),
            "the camera said \"<no>\"",
        ),
        (
            "Optics <b>",
            Some(Outcome::Suspended),
            "the licence server is away",
        ),
        ("Optics <b>", Some(Outcome::Skipped), "nothing measured"),
        ("Optics <b>", None, ""),
    ];
    for (number, (converter, outcome, error)) in outcomes.into_iter().enumerate() {
        let content = format!("file {number}");
        let new = NewEntry::new(converter);
        let id = archive.put(new, content.as_bytes()).expect("archived").id;
        if let Some(outcome) = outcome {
            let attempt = NewAttempt::new(outcome, converter).error(error);
            archive.record_attempt(id, attempt).expect("recorded");
        }
    }
}

/// Returns a site with a host beside it, which has not begun to work.
fn with_host() -> Site {
    let watched = "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"ICT CSV\"\n\
                   command = [\"true\", \"{input}\"]\nwatch_folder = \"in\"\n\
                   max_archive_size_gb = 0.1\n";
    Site::hosted(watched, |archive, file| {
        std::fs::create_dir(file.with_file_name("in")).expect("made");
        let config = Config::load(file).expect("valid");
        let archives = Archives::shared(Some(archive.clone()));
        let host = Arc::new(Host::new(archives, config).expect("a host"));
        let owner = Owner::new(
            Role::Host,
            "2026-11-30T08:00:00Z".parse().expect("a time"),
            "host.toml".to_owned(),
            Vec::new(),
        );
        owner.ask(&host);
        (host, Arc::new(owner))
    })
}

fn json(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).expect("json")
}

/// Returns every link to a list of entries that begins with a number, or is the tile of one, with
/// the number. Sizes lead to lists, too, and are none.
fn counted_links(html: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for rest in html.split("href=\"/entries").skip(1) {
        let (query, rest) = rest.split_once('"').expect("the end of an address");
        let text = rest.split("</a>").next().unwrap_or_default();
        let text = text.split_once('>').map_or("", |(_, text)| text);
        let value = text.split("class=\"value\">").nth(1).unwrap_or(text);
        let value = value.trim_start_matches("<b>");
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        if query.contains("sort=") || !(query.starts_with('?') || query.is_empty()) {
            continue;
        }
        if let Ok(number) = digits.parse() {
            let query = query.replace("&amp;", "&").replace("&#38;", "&");
            found.push((format!("/api/v1/entries{query}"), number));
        }
    }
    found
}

/// Numbers on a dashboard that differ from the list behind them are the most frequent complaint
/// about dashboards.
#[tokio::test]
async fn every_number_is_that_of_the_list_it_leads_to() {
    let site = plant();
    // What was purged, and what is held, is counted as the lists do.
    let rules = Policy::default().max_count(7);
    let plan = site
        .archive
        .plan_purge(&rules, AsOf::Clock)
        .expect("a plan");
    site.archive.purge(&plan, "too many").expect("purged");
    let snapshot = site.archive.snapshot().expect("a snapshot");
    let optics = Filter::default().converter("Optics <b>");
    let held = snapshot.ids(&optics, Sort::default()).expect("ids");
    site.archive
        .place_hold("audit", "an audit", held)
        .expect("held");
    let mut seen = 0;
    for page in ["/host", "/host?span=today", "/host?span=30d", "/"] {
        let answer = site.get(page).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        for (list, number) in counted_links(&answer.text) {
            let found = json(&site.get(&list).await);
            assert_eq!(found["count"], number, "{page} {list}");
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} numbers lead to a list");
}

/// Days without entries were left out elsewhere, so that a standstill looked like a good week.
#[tokio::test]
async fn days_and_hours_without_entries_have_their_place() {
    let site = plant();
    for (span, rows) in [("14d", 14..=14), ("30d", 30..=30), ("today", 23..=25)] {
        let page = site.get(&format!("/host?span={span}")).await;
        let table = page
            .text
            .split("id=\"periods-table\"")
            .nth(1)
            .expect("a table");
        let table = table.split("</table>").next().expect("its end");
        let found = table.matches("<tr><th scope=\"row\">").count();
        assert!(rows.contains(&found), "{span}: {found}");
    }
}

#[tokio::test]
async fn the_first_line_answers_in_words_and_never_calls_failures_well() {
    let empty = Site::empty();
    let page = empty.get("/host").await;
    assert!(
        page.text.contains("<h2>The store is well</h2>"),
        "{}",
        page.text
    );
    assert!(page.text.contains("No host runs here"));
    assert!(
        page.text.contains("nothing to save yet"),
        "no division by nothing"
    );
    let page = plant().get("/host").await;
    assert!(page.text.contains("somebody should look at this"));
    assert!(page.text.contains("Failed entries: 3"));
    assert!(!page.text.contains("<h2>The store is well</h2>"));
}

/// A host that has not started does not watch anything, whatever its figures look like.
#[tokio::test]
async fn the_reasons_of_the_host_stand_in_the_first_line() {
    let site = with_host();
    let page = site.get("/host").await;
    assert!(page.text.contains("Not all is well"), "{}", page.text);
    assert!(page.text.contains("<li>the host does not run</li>"));
    assert!(page.text.contains("Folders and workers"));
    assert!(
        page.text.contains("Size of ICT CSV"),
        "the limit of a converter is told"
    );
    assert!(page.text.contains("A forecast needs 7 full days"));
    let german = site
        .request("GET", "/host")
        .header("cookie", "annals-language=de");
    let german = site.send(german, axum::body::Body::empty()).await;
    assert!(german.text.contains("Nicht alles ist in Ordnung"));
    let health = site.get("/healthz").await;
    assert_eq!(health.status, 503, "the page and /healthz say the same");
}

#[tokio::test]
async fn the_status_of_the_host_is_the_object_of_the_command_line() {
    let host = json(&with_host().get("/api/v1/host").await);
    assert_eq!(host["running"], true);
    assert_eq!(host["state"], "idle");
    assert_eq!(host["converters"][0]["name"], "ICT CSV");
    assert_eq!(host["passes"], 0);
    assert!(host["store"].as_str().expect("a path").ends_with("store"));
    let none = plant().get("/api/v1/host").await;
    assert_eq!(none.status, 404);
    assert!(none.text.contains("no host runs here"), "{}", none.text);
    assert!(none.text.contains("annals host run"), "{}", none.text);
}

#[tokio::test]
async fn statistics_are_the_object_of_the_command_line() {
    let site = plant();
    let whole = json(&site.get("/api/v1/stats").await);
    assert_eq!(
        (&whole["entries"], &whole["suspicious"]),
        (&8.into(), &0.into())
    );
    assert!(whole["groups"].is_null());
    let by_status = json(&site.get("/api/v1/stats?by=status").await);
    let names = |object: &serde_json::Value| -> Vec<(String, u64)> {
        let groups = object["groups"].as_array().expect("groups").iter();
        let pair = |group: &serde_json::Value| {
            let name = group["name"].as_str().expect("a name").to_owned();
            (name, group["entries"].as_u64().expect("a number"))
        };
        let mut pairs: Vec<_> = groups.map(pair).collect();
        pairs.sort();
        pairs
    };
    // What is counted over a period is what the totals say, when the period is long enough.
    for by in ["status", "converter", "day", "month"] {
        let all = json(&site.get(&format!("/api/v1/stats?by={by}")).await);
        let query = format!("/api/v1/stats?by={by}&from=2001-01-01&to=2999-01-01");
        let over_time = json(&site.get(&query).await);
        assert_eq!(names(&all), names(&over_time), "{by}");
        let none = format!("/api/v1/stats?by={by}&from=2001-01-01&to=2001-01-02");
        let none = json(&site.get(&none).await);
        assert_eq!(none["groups"], serde_json::json!([]), "{by}");
        assert_eq!(
            none["entries"], 8,
            "totals are always those of the whole store"
        );
    }
    assert_eq!(by_status["by"], "status");
    assert!(names(&by_status).contains(&("failed".to_owned(), 3)));
    let csv = site.get("/api/v1/stats.csv?by=converter").await;
    assert_eq!(
        csv.text,
        "name,entries,sources_bytes,success,failed,pending,other\r\n\
         ICT CSV,4,24,2,2,0,0\r\nOptics <b>,4,24,0,1,1,2\r\n"
    );
    for wrong in [
        "by=moon",
        "from=yesterday",
        "by=day&from=2026-02-02&to=2026-02-01",
        "x=1",
    ] {
        let refused = site.get(&format!("/api/v1/stats?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text);
    }
}

/// The visitor's day begins elsewhere than that of the machine.
#[tokio::test]
async fn days_are_those_of_the_visitor_and_utc_on_request() {
    let site = plant();
    let first = |zone: &'static str, utc: &'static str| {
        let site = &site;
        async move {
            let path = format!("/api/v1/stats?by=hour{utc}");
            let asked = site
                .request("GET", &path)
                .header("cookie", format!("annals-zone={zone}"));
            let answer = site.send(asked, axum::body::Body::empty()).await;
            json(&answer)["groups"][0]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        }
    };
    assert!(first("Asia/Kolkata", "").await.ends_with("+05:30"));
    assert!(first("Asia/Kolkata", "&utc=true").await.ends_with("+00:00"));
}

/// What is archived under a page that is open is fetched as a part, without the frame around it.
#[tokio::test]
async fn what_changes_is_fetched_alone() {
    let site = plant();
    let asked = site
        .request("GET", "/host")
        .header("hx-request", "true")
        .header("hx-request-type", "partial");
    let part = site.send(asked, axum::body::Body::empty()).await;
    assert!(
        part.text
            .trim_start()
            .starts_with("<div class=\"host\" id=\"host\"")
    );
    assert!(!part.text.contains("<html"));
}

#[tokio::test]
async fn names_and_errors_of_converters_are_text_and_nothing_else() {
    let page = plant().get("/host").await;
    assert!(!page.text.contains("Optics <b>"));
    assert!(!page.text.contains("<no>"));
    assert!(
        !page.text.contains(" style="),
        "styles are refused by the policy"
    );
}

#[tokio::test]
async fn the_last_check_for_damage_is_told_with_its_result() {
    let site = plant();
    assert!(site.get("/host").await.text.contains("never recorded"));
    let (_, recorded) = site
        .archive
        .verify_and_record(Depth::Quick)
        .expect("verified");
    recorded.expect("recorded");
    assert!(site.get("/host").await.text.contains("no findings, quick"));
}
