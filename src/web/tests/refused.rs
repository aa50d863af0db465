//! What an address that leads nowhere answers, to people and to programs.

use axum::body::Body;

use super::{Answer, Site};

/// What a browser says that it reads when a person opens an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn opened(site: &Site, path: &str, header: (&str, &str)) -> Answer {
    let request = site.request("GET", path).header("accept", BROWSER);
    let request = request.header(header.0, header.1);
    site.send(request, Body::empty()).await
}

/// A mailed link to an entry of another store was answered with a line of JSON.
#[tokio::test]
async fn a_person_who_follows_a_wrong_link_sees_a_page_with_a_way_out() {
    let site = Site::sample();
    for (path, said) in [
        ("/no-such-page", "/no-such-page"),
        ("/entries/999999", "999999"),
        ("/jobs/999999", "999999"),
    ] {
        for language in ["en", "de"] {
            let page = opened(&site, path, ("accept-language", language)).await;
            assert_eq!(page.status, 404, "{path}: {}", page.text);
            let kind = page.headers["content-type"].to_str().expect("text");
            assert!(kind.starts_with("text/html"), "{path}: {kind}");
            assert!(page.text.contains(said), "{path}: {}", page.text);
            assert!(page.text.contains("<nav "), "{path}: {}", page.text);
            assert!(!page.text.contains(">frame."), "{path}: {}", page.text);
        }
    }
    let odd = opened(&site, "/no%3Cb%3Esuch", ("accept-language", "en")).await;
    assert!(!odd.text.contains("<b>such"), "{}", odd.text);
}

#[tokio::test]
async fn a_program_and_a_part_of_a_page_get_the_problem_itself() {
    let site = Site::sample();
    let cases = [
        opened(&site, "/entries/999999", ("hx-request", "true")).await,
        opened(&site, "/api/v1/entries/999999", ("accept-language", "en")).await,
        site.get("/no-such-page").await,
    ];
    for answer in cases {
        assert_eq!(answer.status, 404, "{}", answer.text);
        let kind = answer.headers["content-type"].to_str().expect("text");
        assert_eq!(kind, "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
        assert_eq!(problem["kind"], "not_found", "{problem}");
    }
}
