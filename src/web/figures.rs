//! Figures that open pages share for a moment, because each of them asks again and again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Result;
use crate::service::desk::Desk;
use crate::service::status::{Figures, Span};
use crate::time::Stopwatch;

/// How long figures are shared. Scripts wait a little longer than this after an event, so that what
/// they are told knows of it.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// Figures that were read a moment ago.
#[derive(Default)]
pub(in crate::web) struct SharedFigures(Mutex<Vec<Shared>>);

struct Shared {
    /// The name of the zone that days are those of.
    zone: Option<String>,
    span: Span,
    since: Stopwatch,
    figures: Arc<Figures>,
}

impl SharedFigures {
    /// Returns the figures of a moment ago, or reads them. Who asks meanwhile waits for the same
    /// ones.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::web) fn read(
        &self,
        desk: &Desk,
        zone: Option<&str>,
        span: Span,
    ) -> Result<Arc<Figures>> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|one| one.since.elapsed() < SHARED_FOR);
        let is_it = |one: &&Shared| one.zone.as_deref() == zone && one.span == span;
        if let Some(known) = shared.iter().find(is_it) {
            return Ok(Arc::clone(&known.figures));
        }
        let figures = Arc::new(Figures::read(desk, span)?);
        shared.push(Shared {
            zone: zone.map(str::to_owned),
            span,
            since: Stopwatch::start(),
            figures: Arc::clone(&figures),
        });
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Archive, NewEntry};
    use crate::service::time::Zone;

    /// Two hundred pages that are open cost as much as one.
    #[test]
    fn pages_of_one_zone_share_what_was_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let archive = Archive::builder()
            .create(dir.path().join("s"))
            .expect("a store");
        archive
            .put(NewEntry::new("T"), &b"x"[..])
            .expect("archived");
        let now = "2026-11-30T12:00:00Z".parse().expect("a time");
        let desk = Desk::new(archive.clone(), Zone::Utc, now);
        let shared = SharedFigures::default();
        let read = |zone, span| shared.read(&desk, zone, span).expect("figures");
        let one = read(Some("Etc/UTC"), Span::Days14);
        assert!(Arc::ptr_eq(&one, &read(Some("Etc/UTC"), Span::Days14)));
        assert!(!Arc::ptr_eq(
            &one,
            &read(Some("Asia/Kolkata"), Span::Days14)
        ));
        assert!(!Arc::ptr_eq(&one, &read(Some("Etc/UTC"), Span::Today)));
        archive.close().expect("closed");
    }
}
