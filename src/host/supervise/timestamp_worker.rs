//! Asks a time-stamp server for stamps over new checkpoints in the background.

use std::time::Duration;

use crossbeam_channel::select_biased;

use crate::Result;
use crate::archive::Archive;
use crate::convert::Cancel;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;
use crate::host::submit::timestamp::{ask_timestamp, without_login};
use crate::id::EventSeq;
use crate::time::{Stopwatch, Timestamp};

/// The delay before the first request, and before the next one after a failure.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// The time between two stamps. Checkpoints come as often while anything is recorded.
const EVERY: Duration = Duration::from_hours(1);

impl Host {
    /// Has new checkpoints stamped until cancelled. A host that records nothing asks for nothing.
    pub(super) fn timestamp_loop(&self, cancel: &Cancel, hooks: &Hooks) {
        let mut since = Stopwatch::start();
        let mut wait = FIRST_AFTER;
        let mut stamped = Vec::new();
        loop {
            let active = self.active();
            let url = active.config.evidence.timestamp_url.clone();
            let left = match &url {
                Some(_) => since.left_of(wait),
                // There is nothing to wait for but another configuration.
                None => Duration::MAX,
            };
            select_biased! {
                recv(cancel.cancelled()) -> _ => return,
                recv(active.replaced.cancelled()) -> _ => continue,
                default(left) => {}
            }
            let Some(url) = url else { continue };
            wait = EVERY;
            stamped.resize(self.archives.iter().count(), EventSeq(0));
            for (archive, last) in self.archives.iter().zip(&mut stamped) {
                match stamp(archive, &url, *last) {
                    Ok(None) => {}
                    Ok(Some((event, time))) => {
                        *last = event;
                        (hooks.notice)(&Notice::Timestamped { time, event });
                    }
                    Err(error) => {
                        wait = FIRST_AFTER;
                        (hooks.notice)(&Notice::TimestampFailed { error: &error });
                    }
                }
            }
            since = Stopwatch::start();
        }
    }
}

/// Has the newest checkpoint stamped. Returns `None` when nothing came since `last`, the event with
/// the stamp before: a checkpoint over that stamp alone needs no other one.
fn stamp(archive: &Archive, url: &str, last: EventSeq) -> Result<Option<(EventSeq, Timestamp)>> {
    let newest = archive.newest_checkpoint()?;
    let newest = newest.filter(|newest| newest.signed.checkpoint().size > last.0);
    let Some(newest) = newest.filter(|_| archive.signs()) else {
        return Ok(None);
    };
    let token = ask_timestamp(url, newest.signed.to_string().as_bytes())?;
    let event = archive.record_timestamp(&newest, &token, &without_login(url))?;
    Ok(Some((event, token.time())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::{NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::evidence::key::SecretKey;
    use crate::evidence::note::KeyName;

    /// A stamp is an event, so each stamp would call for the next one, every hour, for years.
    #[test]
    fn only_what_came_since_the_last_timestamp_is_stamped() {
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk, Options::default()).expect("made");
        let nobody = "http://127.0.0.1:1/";
        let none = stamp(&archive, nobody, EventSeq(0));
        assert_eq!(none.expect("an unsigned log asks nobody"), None);
        let name = KeyName::of_store(&archive.store_id());
        let key = SecretKey::from_seed(name, &[1; 32]);
        archive.begin_signing(Arc::new(key)).expect("signed");
        archive
            .put(NewEntry::new("ICT"), &b"one"[..])
            .expect("archived");
        let signed = archive.checkpoint().expect("signed").signed;
        let last = EventSeq(signed.checkpoint().size);
        let none = stamp(&archive, nobody, last);
        assert_eq!(none.expect("nothing came since"), None);
        let error = stamp(&archive, nobody, EventSeq(1)).expect_err("nobody answers");
        assert!(
            error
                .message()
                .contains("no time stamp from http://127.0.0.1:1/"),
            "{error}"
        );
    }
}
