//! Who is let through, as the routes see it. `tests/web` asks a running server.

use axum::body::Body;
use axum::http::Request;

use super::{HOST, Site};

/// A link leads to the page once; whoever finds it in a chat later is not let in.
#[tokio::test]
async fn a_login_link_signs_in_once() {
    let site = Site::sample();
    let link = site.guard.login_link("mia".to_owned()).expect("a link");
    let key = link.split_once('#').expect("a key").1;
    let ask = || {
        let request = Request::builder()
            .method("POST")
            .uri("/login")
            .header("host", HOST)
            .header("annals-request", "1")
            .header("content-type", "application/json");
        let shown =
            serde_json::json!({ "key": key, "zone": "Europe/Berlin", "to": "/entries?q=1" });
        site.send(request, Body::from(shown.to_string()))
    };
    let first = ask().await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.text, r#"{"to":"/entries?q=1"}"#);
    let cookies: Vec<&str> = first
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().expect("text"))
        .collect();
    assert!(
        cookies[0].starts_with("annals-session-7878="),
        "{cookies:?}"
    );
    assert!(
        cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookies:?}"
    );
    assert!(
        cookies[1].starts_with("annals-zone=Europe/Berlin;"),
        "{cookies:?}"
    );

    let session = cookies[0].split(';').next().expect("a pair");
    let page = Request::builder()
        .uri("/")
        .header("host", HOST)
        .header("cookie", session);
    assert_eq!(site.send(page, Body::empty()).await.status, 200);

    assert_eq!(ask().await.status, 401);
}

/// After signing in, only places of this server are gone to.
#[tokio::test]
async fn signing_in_leads_to_no_other_server() {
    let site = Site::sample();
    for to in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "/a\nb",
    ] {
        let link = site.guard.login_link("mia".to_owned()).expect("a link");
        let key = link.split_once('#').expect("a key").1;
        let shown = serde_json::json!({ "key": key, "to": to });
        let answer = site
            .post("/login", "application/json", &shown.to_string())
            .await;
        assert_eq!(answer.text, r#"{"to":"/"}"#, "{to:?}");
    }
}
