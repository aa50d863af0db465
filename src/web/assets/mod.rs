//! Style sheets, scripts and icons: part of the program, named by their content so that browsers
//! keep them for good.

use std::io::{self, Write};
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// More bytes than any page has.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// A file of the page.
pub(in crate::web) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

/// All style sheets as one, in the order in which they refine one another.
const STYLES: &str = concat!(
    include_str!("css/base.css"),
    include_str!("css/parts.css"),
    include_str!("css/find.css"),
    include_str!("css/entry.css"),
    include_str!("css/entries.css"),
    include_str!("css/jobs.css"),
    include_str!("css/host.css"),
    include_str!("css/converters.css"),
    include_str!("css/retention.css"),
    include_str!("css/evidence.css"),
);

const ASSETS: &[Asset] = &[
    Asset::new("annals.css", "text/css; charset=utf-8", STYLES),
    Asset::script("annals.js", include_str!("js/annals.js")),
    Asset::script("login.js", include_str!("js/login.js")),
    Asset::script("entries.js", include_str!("js/entries.js")),
    Asset::script("find.js", include_str!("js/find.js")),
    Asset::script("converters.js", include_str!("js/converters.js")),
    Asset::script("copy.js", include_str!("js/copy.js")),
    Asset::script("dialogs.js", include_str!("js/dialogs.js")),
    Asset::script("entry.js", include_str!("js/entry.js")),
    Asset::script("host.js", include_str!("js/host.js")),
    Asset::script("keys.js", include_str!("js/keys.js")),
    Asset::script("live.js", include_str!("js/live.js")),
    Asset::script("requests.js", include_str!("js/requests.js")),
    Asset::script("settings.js", include_str!("js/settings.js")),
    Asset::script("tables.js", include_str!("js/tables.js")),
    Asset::script("times.js", include_str!("js/times.js")),
    Asset::script("toasts.js", include_str!("js/toasts.js")),
    Asset::script("htmx.js", include_str!("vendor/htmx-4.0.1.min.js")),
    Asset::script("step.js", include_str!("js/step.js")),
    Asset::new("icon.svg", "image/svg+xml", include_str!("icon.svg")),
    Asset::new("icons.svg", "image/svg+xml", include_str!("icons.svg")),
];

impl Asset {
    const fn new(name: &'static str, kind: &'static str, content: &'static str) -> Self {
        Self {
            name,
            kind,
            content,
        }
    }

    const fn script(name: &'static str, content: &'static str) -> Self {
        Self::new(name, "text/javascript; charset=utf-8", content)
    }
}

/// Returns the version of all assets together, for their addresses: `/assets/VERSION/annals.css`.
/// A script may import its neighbours by relative names.
pub(in crate::web) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hasher = blake3::Hasher::new();
        for asset in ASSETS {
            hasher.update(asset.content.as_bytes());
        }
        hasher.finalize().to_hex()[..12].to_owned()
    })
}

/// Answers `/assets/{version}/{name}`.
pub(in crate::web) async fn asset(
    Path((asked, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(at) = ASSETS.iter().position(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of an older program asks for its own version, and gets what there is.
    let keep = if asked == version() {
        "private, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let asset = &ASSETS[at];
    let facts = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
        (header::VARY, "accept-encoding"),
    ];
    match packed().get(at) {
        Some(Ok(gzip)) if takes_gzip(&headers) => {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            (facts, encoding, gzip.clone()).into_response()
        }
        _ => (facts, asset.content).into_response(),
    }
}

/// Returns each asset as gzip, a quarter of its size. They are packed once, when the first page is
/// asked for. Nothing secret is in them, so that their length tells nothing.
fn packed() -> &'static [io::Result<Bytes>] {
    static PACKED: OnceLock<Vec<io::Result<Bytes>>> = OnceLock::new();
    PACKED.get_or_init(|| {
        let pack = |asset: &Asset| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(asset.content.as_bytes())?;
            encoder.finish().map(Bytes::from)
        };
        ASSETS.iter().map(pack).collect()
    })
}

/// Packs a page for a client that unpacks gzip. A list of a hundred rows is a tenth as long then.
///
/// What only the visitor may know, such as a session, is in no page, so that the length of a packed
/// page gives nothing away.
pub(in crate::web) async fn pack_page(request: Request, next: Next) -> Response {
    let takes = takes_gzip(request.headers());
    let answer = next.run(request).await;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !takes || !is_page || answer.headers().contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let Ok(body) = axum::body::to_bytes(body, PAGE_BYTES_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(gzip) => {
            head.headers.remove(header::CONTENT_LENGTH);
            let gzip_coding = HeaderValue::from_static("gzip");
            head.headers.insert(header::CONTENT_ENCODING, gzip_coding);
            let varies = HeaderValue::from_static("accept-encoding");
            head.headers.append(header::VARY, varies);
            Response::from_parts(head, Body::from(gzip))
        }
        Err(_) => Response::from_parts(head, Body::from(body)),
    }
}

/// Tells whether a client unpacks gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|part| part == "q=0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(encoding: &str) -> (Option<String>, Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, encoding.parse().expect("a header"));
        let path = Path((version().to_owned(), "annals.css".to_owned()));
        let answer = asset(path, headers).await;
        let found = answer.headers().get(header::CONTENT_ENCODING);
        let found = found.map(|value| value.to_str().expect("text").to_owned());
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        (found, body.expect("a body"))
    }

    /// A page has 150 KB, and style sheets and scripts are most of it.
    #[tokio::test]
    async fn a_browser_gets_assets_packed_and_others_get_them_plain() {
        for encoding in ["gzip", "br, gzip;q=0.8, *;q=0.1"] {
            let (found, body) = ask(encoding).await;
            assert_eq!(found.as_deref(), Some("gzip"), "{encoding}");
            let mut text = String::new();
            let mut unpacked = flate2::read::GzDecoder::new(&body[..]);
            io::Read::read_to_string(&mut unpacked, &mut text).expect("gzip");
            assert_eq!(text, STYLES);
            assert!(body.len() * 3 < text.len(), "{} bytes", body.len());
        }
        for encoding in ["identity", "gzip;q=0", "x-gzip"] {
            let (found, body) = ask(encoding).await;
            assert_eq!(found, None, "{encoding}");
            assert_eq!(body, STYLES.as_bytes());
        }
    }
}
