//! Collects the health of a host from its parts, stores and disks.

use std::collections::BTreeMap;

use crate::archive::{Archive, Snapshot, Stats};
use crate::disk::{Disk, FsDisk};
use crate::host::config::settings::Config;
use crate::host::observe::counters::{About, AboutConverter};
use crate::host::observe::notice::FileError;
use crate::host::observe::status::{HostStatus, OutdatedEntries, StoreStatus, SubmissionStatus};
use crate::host::pipeline::host::Host;
use crate::host::sources::silent;
use crate::id::ConverterId;
use crate::query::Filter;
use crate::{Error, ErrorKind, Result};

/// How many causes of failures the status of a store has.
const TROUBLES_MAX: usize = 3;

impl Host {
    /// Returns the status of the host. It reads stores and disks, so do not call it often.
    pub fn status(&self) -> HostStatus {
        let active = self.active();
        let mut submissions = SubmissionStatus {
            troubles: active
                .outbox
                .troubles()
                .into_iter()
                .map(|(endpoint, why)| FileError {
                    path: endpoint.to_owned(),
                    error: why,
                })
                .collect(),
            ..SubmissionStatus::default()
        };
        let identities = self.identities();
        let mut stores = Vec::new();
        for archive in self.archives.iter() {
            let mut store = StoreStatus {
                dir: archive.dir().to_owned(),
                entries: 0,
                failed: 0,
                troubles: Vec::new(),
                outdated: Vec::new(),
                stored_bytes: 0,
                free_bytes: FsDisk::new(archive.dir()).free_bytes().ok(),
                error: None,
                signing_error: archive.signing_failure(),
            };
            let asked = archive.snapshot().and_then(|snapshot| {
                let stats = snapshot.stats()?;
                (store.entries, store.stored_bytes) = (stats.entries, stats.stored_bytes);
                store.failed = failed_of(&stats, &active.config);
                look_into(&mut store, &snapshot, &identities)?;
                let pending = snapshot.pending_submissions()?;
                submissions.waiting += pending.count;
                let oldest = submissions.oldest.into_iter().chain(pending.oldest).min();
                submissions.oldest = oldest;
                archive.can_write()?;
                match archive.known_damage()?.content.into_iter().next() {
                    None => Ok(()),
                    Some(line) => Err(Error::new(ErrorKind::Damaged, line)),
                }
            });
            store.error = asked.err().map(|error| error.to_string());
            stores.push(store);
        }
        let converters = active.config.converters.iter().enumerate();
        let converters = converters.map(|(at, config)| AboutConverter {
            name: &config.converter.name,
            watch_folder: config.watch_folder.as_deref(),
            max_concurrent: config.max_concurrent,
            workers: active.workers(at),
        });
        let silent = self.silent();
        let mut reasons: Vec<String> = silent.iter().map(silent::sentence).collect();
        reasons.extend(self.stopped.reasons());
        reasons.extend(self.stuck.reasons());
        reasons.extend(self.surroundings.get().into_iter().flat_map(|ask| ask()));
        self.counters.status(About {
            reasons,
            stuck: self.stuck.status(),
            stuck_by_converter: self.stuck.by_converter(),
            silent: silent.into_iter().map(Into::into).collect(),
            stopped: &|converter| self.stopped.status(converter),
            promotion: &|converter| self.gates.of(converter),
            converters: Box::new(converters),
            config: &active.config.path,
            scan_every: active.config.scan_every,
            queue: self.queue.lengths().into(),
            submissions,
            disk: self.space.state(),
            stores,
        })
    }

    /// Returns the identities of the converters as they run now, by name. A converter that is not
    /// ready is left out.
    pub fn identities(&self) -> BTreeMap<String, ConverterId> {
        let active = self.active();
        let converters = active.config.converters.iter().enumerate();
        let identities = converters.filter_map(|(at, config)| {
            let id = self.identity(&active, at).ok()?;
            Some((config.converter.name.clone(), id))
        });
        identities.collect()
    }

    /// Returns false when the host hangs: it runs, but its last scan is far too long ago.
    pub fn is_alive(&self) -> bool {
        self.counters.is_alive(self.active().config.scan_every)
    }

    /// Returns the number of entries of the configured converters whose last attempt failed.
    pub fn failed_before(&self) -> u64 {
        let active = self.active();
        let failed = |archive: &Archive| {
            let stats = archive.snapshot().and_then(|snapshot| snapshot.stats());
            stats.map_or(0, |stats| failed_of(&stats, &active.config))
        };
        self.archives.iter().map(failed).sum()
    }

    /// Returns the number of reports that wait in all stores. A store that cannot be read is
    /// reported elsewhere.
    pub(in crate::host) fn waiting(&self) -> u64 {
        let count =
            |archive: &Archive| Some(archive.snapshot().ok()?.pending_submissions().ok()?.count);
        self.archives.iter().filter_map(count).sum()
    }

    /// Sets the function that reports problems of the program around the host.
    ///
    /// Each status of the host includes the problems that it returns, in words. Only the first call
    /// has an effect.
    pub fn ask_too(&self, ask: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        // Fails only if this was called before.
        let _ = self.surroundings.set(Box::new(ask));
    }
}

/// Notes the most frequent causes of failures in a store, and what older converters made.
fn look_into(
    store: &mut StoreStatus,
    snapshot: &Snapshot,
    identities: &BTreeMap<String, ConverterId>,
) -> Result<()> {
    let all = Filter::default();
    store.troubles = snapshot.failures(&all)?;
    store.troubles.truncate(TROUBLES_MAX);
    let mut outdated: BTreeMap<String, u64> = BTreeMap::new();
    for group in snapshot.outdated(&all, identities)? {
        *outdated.entry(group.maker.converter).or_default() += group.entries;
    }
    let outdated = outdated.into_iter();
    let outdated = outdated.map(|(converter, entries)| OutdatedEntries { converter, entries });
    store.outdated = outdated.collect();
    Ok(())
}

/// Returns the number of failed entries of the configured converters, as the store counts them.
fn failed_of(stats: &Stats, config: &Config) -> u64 {
    let groups = stats.converters.iter();
    let own = groups.filter(|group| config.converter(&group.name).is_some());
    own.map(|group| group.failed).sum()
}
