//! What the tests of pages and of the API have in common: a small store, and a signed-in visitor
//! who asks the routes of the real server.
//!
//! ```ignore
//! let site = Site::sample();
//! let page = site.get("/entries/1").await;
//! assert_eq!(page.status, 200);
//! assert!(page.text.contains("SN1042"));
//! ```

mod document;
mod entry;
mod evidence;
mod guarding;
mod host;
mod jobs;
mod lists;
mod refused;
mod retention;
mod settings;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use tower::{Layer, ServiceExt};

use crate::archive::{Archive, NewEntry};
use crate::host::Host;
use crate::service::status::Owner;
use crate::web::guard::{self, Door, Guard, Scheme, Secret};
use crate::web::routes::routes;
use crate::web::state::{Subject, Web};

/// The address that the tests' server claims to listen on.
pub(in crate::web) const HOST: &str = "127.0.0.1:7878";
/// The account that the visitor is signed in as.
pub(in crate::web) const ACCOUNT: &str = "mia";

/// A store in a temporary folder with the routes of its page.
pub(in crate::web) struct Site {
    pub(in crate::web) archive: Archive,
    pub(in crate::web) guard: Arc<Guard>,
    token: Secret,
    routes: Router,
    door: Door,
    folder: tempfile::TempDir,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(in crate::web) struct Answer {
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) headers: HeaderMap,
    pub(in crate::web) text: String,
}

impl Site {
    /// Returns a site with an empty store.
    pub(in crate::web) fn empty() -> Self {
        Self::made(None, |_, _| None)
    }

    /// Returns a site with an empty store and a configuration, which stands in `host.toml` of its
    /// folder.
    pub(in crate::web) fn configured(configuration: &str) -> Self {
        Self::made(Some(configuration), |_, _| None)
    }

    /// Returns a site with an empty store and the host that `make` makes of it and of the file with
    /// the configuration.
    pub(in crate::web) fn hosted(
        configuration: &str,
        make: impl FnOnce(&Archive, &Path) -> (Arc<Host>, Arc<Owner>),
    ) -> Self {
        Self::made(Some(configuration), |archive, file| {
            Some(make(archive, file?))
        })
    }

    fn made(
        configuration: Option<&str>,
        make: impl FnOnce(&Archive, Option<&Path>) -> Option<(Arc<Host>, Arc<Owner>)>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = configuration.map(|text| {
            let file = folder.path().join("host.toml");
            std::fs::write(&file, text).expect("written");
            file
        });
        let store = folder.path().join("store");
        let archive = Archive::builder().create(&store).expect("a store");
        let token = Secret::random().expect("random");
        let address: SocketAddr = HOST.parse().expect("an address");
        let guard = Guard::new(address, Scheme::Http, Vec::new(), &token, ACCOUNT.into());
        let guard = Arc::new(guard);
        let (host, owner) = make(&archive, config.as_deref()).unzip();
        let web = Web::new(Subject {
            archive: archive.clone(),
            host,
            owner,
            config,
        });
        let door = Door {
            guard: Arc::clone(&guard),
            web: web.clone(),
        };
        let routes = routes(web).merge(guard::routes(door.clone()));
        Self {
            archive,
            guard,
            token,
            routes,
            door,
            folder,
        }
    }

    /// Returns a site whose store has three entries of two units, `SN1042` twice and `SN1043`.
    pub(in crate::web) fn sample() -> Self {
        let site = Self::empty();
        for (serial, volts) in [("SN1042", "4.98"), ("SN1043", "5.01"), ("SN1042", "5.00")] {
            let content = format!("serial,{serial}\nvolts,{volts}\n");
            let new = NewEntry::new("ICT CSV").serial(serial);
            site.archive.put(new, content.as_bytes()).expect("archived");
        }
        site
    }

    /// Writes a file beside the store.
    pub(in crate::web) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).expect("written");
    }

    /// Returns a folder for the files of the test.
    pub(in crate::web) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Asks for a page as the signed-in visitor.
    pub(in crate::web) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path), Body::empty()).await
    }

    /// Posts a form or JSON as the signed-in visitor, as the page's own scripts do.
    pub(in crate::web) async fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        let request = self
            .request("POST", path)
            .header("annals-request", "1")
            .header("content-type", kind);
        self.send(request, Body::from(body.to_owned())).await
    }

    /// Returns a request of the signed-in visitor, to be refined.
    pub(in crate::web) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("authorization", format!("Bearer {}", self.token.as_str()))
    }

    /// Returns the bytes of an answer.
    pub(in crate::web) async fn bytes(&self, request: axum::http::request::Builder) -> Bytes {
        let request = request.body(Body::empty()).expect("a request");
        let layer = from_fn_with_state(self.door.clone(), guard::stand);
        let answer = layer.layer(self.routes.clone()).oneshot(request).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        let read = to_bytes(answer.into_body(), 64 << 20).await;
        read.expect("a whole answer")
    }

    pub(in crate::web) async fn send(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> Answer {
        let request = request.body(body).expect("a request");
        let layer = from_fn_with_state(self.door.clone(), guard::stand);
        let answer = layer.layer(self.routes.clone()).oneshot(request).await;
        read(answer.unwrap_or_else(|never| match never {})).await
    }
}

async fn read(answer: Response) -> Answer {
    let (parts, body) = answer.into_parts();
    let bytes: Bytes = to_bytes(body, 64 << 20).await.expect("a whole answer");
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}
