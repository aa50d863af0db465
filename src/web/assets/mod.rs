//! Style sheets, scripts and icons: part of the program, named by their content so that browsers
//! keep them for good.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

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
);

const ASSETS: &[Asset] = &[
    Asset::new("annals.css", "text/css; charset=utf-8", STYLES),
    Asset::script("annals.js", include_str!("js/annals.js")),
    Asset::script("htmx.js", include_str!("vendor/htmx-4.0.1.min.js")),
    Asset::new("icon.svg", "image/svg+xml", include_str!("icon.svg")),
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
pub(in crate::web) async fn asset(Path((asked, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of an older program asks for its own version, and gets what there is.
    let keep = if asked == version() {
        "private, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
    ];
    (headers, asset.content).into_response()
}
