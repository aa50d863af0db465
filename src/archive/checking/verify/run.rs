//! Verifies a store: compares log, packs and index with each other and with their checksums.
//! Changes nothing.
//!
//! Independent parts run in parallel: the log and the index, and content in several threads.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use super::contents::{Contents, GivenUp, Named, needed};
use super::evidence_check::{self, EvidenceCheck};
use super::index_check::compare_index;
use super::log_check::LogCheck;
use super::report::{Depth, VerifyReport};
use crate::Result;
use crate::archive::files::header::read_header;
use crate::archive::files::pack_files::{PackFiles, pack_files};
use crate::archive::handle::Archive;
use crate::archive::options::Progress;
use crate::archive::state::store::Store;
use crate::blob::pack_reader::PackReader;
use crate::format::pack::PackEntry;
use crate::format::record::RecordKind;
use crate::id::{EventSeq, PackId};
use crate::index::{CounterGroup, DisclosureRow, Place, View};

/// A log of fewer events is verified faster than threads are started.
const THREADS_FROM: EventSeq = EventSeq(1_024);
/// The most threads that read content.
const READERS_MAX: usize = 8;
/// The most contents that wait for one of them.
const WAITING_MAX: usize = 1_024;

impl Archive {
    /// Compares log, packs and index. Damage is a finding; an error means that the verification
    /// itself failed.
    ///
    /// ```
    /// use annals::archive::{Archive, Depth};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let report = archive.verify(Depth::Deep)?;
    /// assert!(report.ok, "{:?}", report.findings);
    /// # archive.close()
    /// # }
    /// ```
    pub fn verify(&self, depth: Depth) -> Result<VerifyReport> {
        if self.is_writable() {
            // On the background thread, so no file moves meanwhile. Archiving continues.
            let store = Arc::clone(self.store());
            self.run_in_background(move |_| verify(&store, depth))
        } else {
            verify(self.store(), depth)
        }
    }
}

fn verify(store: &Store, depth: Depth) -> Result<VerifyReport> {
    let view = store.index.view();
    let packs = pack_files(&*store.disk)?;
    let given_up = view.losses()?;
    let of_log = |progress| log_part(store, &view, depth, progress);
    let of_content = |readers| -> Result<VerifyReport> {
        let mut verifier = ContentCheck {
            store,
            progress: store.options.progress.clone(),
            report: VerifyReport::new(),
        };
        verifier.packs(&packs, &view, depth)?;
        verifier.entries(&view, &given_up, depth, readers)?;
        verifier.bundles(&view, &given_up, depth)?;
        verifier.disclosures(&view, &given_up, depth)?;
        Ok(verifier.report)
    };
    let of_index = || {
        let mut report = VerifyReport::new();
        if depth == Depth::Deep
            && let Some(wrong) = compare_index(store, &view, &packs)
        {
            report.find("index", "index.redb", wrong);
        }
        report
    };
    // Findings are told in one order, whichever thread came first.
    let (log, content, index) = if depth == Depth::Deep && view.applied() >= THREADS_FROM {
        thread::scope(|scope| {
            let beside = scope.spawn(|| (of_log(Progress::default()), of_index()));
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let content = of_content(cores.min(READERS_MAX));
            let (log, index) = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
            (log, content, index)
        })
    } else {
        let log = of_log(store.options.progress.clone());
        (log, of_content(1), of_index())
    };
    let mut report = log?;
    report.join(content?);
    report.join(index);
    report.ok = report.findings.is_empty();
    Ok(report)
}

/// Checks the header and the log.
fn log_part(store: &Store, view: &View, depth: Depth, progress: Progress) -> Result<VerifyReport> {
    let unreadable = view.unreadable()?;
    let mut check = LogCheck::new(&store.log, progress);
    if let Err(error) = read_header(&*store.disk, &store.dir) {
        check.report.find("log", "FORMAT", error.message());
    }
    for line in &store.log_damage {
        check.report.find("log", "journal or events", line);
    }
    check.segments(depth);
    let key = if depth == Depth::Deep {
        let mut evidence = EvidenceCheck::new(store);
        check.events(view.applied(), &unreadable, &mut evidence);
        let (key, summary) = evidence.finish();
        check.report.evidence = summary;
        key
    } else {
        check.unreadable(&unreadable);
        evidence_check::quick(store, &mut check.report)
    };
    evidence_check::compare_outside(store, key, &mut check.report);
    Ok(check.report)
}

/// The check of packs and contents, and what it found so far.
struct ContentCheck<'a> {
    store: &'a Store,
    progress: Progress,
    report: VerifyReport,
}

impl ContentCheck<'_> {
    fn packs(&mut self, files: &PackFiles, view: &View, depth: Depth) -> Result<()> {
        for row in view.packs()? {
            if !files.contains_key(&row.id) && row.live_blobs > 0 {
                self.report
                    .find("pack", format!("pack {}", row.id), "its file is missing");
            }
        }
        // Counted in bytes: many small stores have one pack.
        let total = files.values().map(|file| file.bytes).sum();
        let mut ahead = 0;
        for (id, file) in files {
            let done = ahead;
            ahead += file.bytes;
            self.progress.report(done, total, "checking packs");
            self.report.packs += 1;
            let place = file.path.display().to_string();
            let opened = PackReader::open(&*self.store.disk, &file.path)
                .and_then(|pack| pack.listed().map(|listed| (pack, listed)));
            let (pack, listed) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    self.report.find("pack", place, error);
                    continue;
                }
            };
            if pack.header().pack != *id || pack.header().store != self.store.id {
                self.report
                    .find("pack", &place, "it is another pack, or another store's");
            }
            if depth == Depth::Quick {
                continue;
            }
            for entry in listed {
                let done = done + entry.offset.0;
                self.progress.report(done, total, "checking packs");
                // Both copies of a dictionary are checked: with one damaged, everything can still
                // be read.
                let kind = match entry.kind {
                    RecordKind::Dictionary => "pack",
                    RecordKind::Content | RecordKind::Manifest => {
                        self.report.blobs += 1;
                        "blob"
                    }
                };
                if self.is_read_by_name(view, *id, &entry)? {
                    self.report.checked_bytes += u64::from(entry.raw_len);
                    continue;
                }
                match pack.read_plain(entry.offset, entry.len, &entry.id) {
                    Ok(plain) => self.report.checked_bytes += plain.bytes.len() as u64,
                    Err(error) => self.report.find(kind, &place, error),
                }
            }
        }
        Ok(())
    }

    /// Returns true when entries or bundles read their content from this record. It is then checked
    /// against both hashes by that read, and once is enough.
    fn is_read_by_name(&self, view: &View, pack: PackId, entry: &PackEntry) -> Result<bool> {
        if entry.kind != RecordKind::Content || self.store.journal.contains(&entry.id) {
            return Ok(false);
        }
        Ok(view.blob(&entry.id)?.is_some_and(|row| {
            let here = |place: Place| place.pack == pack && place.offset == entry.offset.0;
            row.refs > 0 && row.place.is_some_and(here)
        }))
    }

    /// Checks that every entry that is not purged has all its content. A deep look also compares
    /// the hashes that its event states.
    fn entries(
        &mut self,
        view: &View,
        given_up: &GivenUp,
        depth: Depth,
        readers: usize,
    ) -> Result<()> {
        let alive = |group: &CounterGroup| if group.purged { 0 } else { group.entries };
        let total = view.stats()?.groups.iter().map(alive).sum();
        let mut done = 0;
        let mut walk = |look: &mut dyn FnMut(Named) -> ControlFlow<()>| {
            view.walk_oldest(|entry| {
                self.progress.report(done, total, "checking content");
                done += 1;
                needed(&entry).try_for_each(&mut *look)
            })
        };
        let mut contents = Contents::new(self.store, view, given_up, depth);
        if readers > 1 {
            let several = thread::scope(|scope| {
                let (feeds, threads): (Vec<_>, Vec<_>) = (0..readers)
                    .map(|_| {
                        let (feed, told) = crossbeam_channel::bounded::<Named>(WAITING_MAX);
                        let mut contents = Contents::new(self.store, view, given_up, depth);
                        let read = move || {
                            let _ = told.into_iter().try_for_each(|named| contents.look(named));
                            contents
                        };
                        (feed, scope.spawn(read))
                    })
                    .unzip();
                // A content always goes to the thread that remembers it.
                let walked = walk(&mut |named| {
                    let turn = usize::from(named.blob.as_bytes()[0]) % feeds.len();
                    match feeds[turn].send(named) {
                        Ok(()) => ControlFlow::Continue(()),
                        // The thread met an error, which is returned below.
                        Err(_) => ControlFlow::Break(()),
                    }
                });
                drop(feeds);
                let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
                let contents: Vec<_> = joined
                    .map(|joined| joined.unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect();
                walked.map(|()| contents)
            })?;
            for part in several {
                contents.join(part);
            }
        } else {
            walk(&mut |named| contents.look(named))?;
        }
        contents
            .missing
            .sort_by_key(|(named, _)| (named.entry, named.nth));
        for (named, why) in contents.missing {
            self.report.find(
                "blob",
                format!("entry {}", named.entry),
                format!("content {}: {why}", named.blob),
            );
        }
        self.report.join(contents.counts);
        contents.failed.map_or(Ok(()), Err)
    }

    /// Checks that every personal value that was neither erased nor purged is there, and has the
    /// digest that its leaf states.
    fn disclosures(&mut self, view: &View, given_up: &GivenUp, depth: Depth) -> Result<()> {
        let (sealed, erased) = view.sealed_and_erased();
        if sealed == 0 {
            return Ok(());
        }
        self.report.erased = erased;
        let mut contents = Contents::new(self.store, view, given_up, depth);
        let mut failed = Ok(());
        let mut check = |place: String, row: &DisclosureRow| {
            if !row.state.is_kept() || failed.is_err() {
                return;
            }
            match contents.content(&row.content, &row.digest) {
                Ok(None) => {}
                Ok(Some(why)) => {
                    let what = format!(
                        "the personal value {} of event {} was lost, and no event erased it: \
                         disclosure {}: {why}",
                        row.field, row.event, row.content
                    );
                    self.report.find("blob", place, what);
                }
                Err(error) => failed = Err(error),
            }
        };
        view.walk_disclosures(|id, rows| {
            for row in rows {
                check(format!("entry {id}"), row);
            }
        })?;
        for (pseudonym, actor) in view.actors()? {
            if let Some(row) = &actor.disclosure {
                check(format!("actor {pseudonym}"), row);
            }
        }
        self.report.join(contents.counts);
        failed
    }

    /// Checks that every file of every converter is there, so that it can be run again.
    fn bundles(&mut self, view: &View, given_up: &GivenUp, depth: Depth) -> Result<()> {
        let mut contents = Contents::new(self.store, view, given_up, depth);
        for converter in view.converters()? {
            for file in &converter.bundle {
                let blob = &file.blob.blake3;
                if let Some(why) = contents.content(blob, &file.blob.sha256)? {
                    self.report.find(
                        "blob",
                        format!("converter {}", converter.converter_id),
                        format!("{}, content {blob}: {why}", file.name),
                    );
                }
            }
        }
        self.report.join(contents.counts);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
