//! Starts the threads of a store that is open for writing.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{bounded, unbounded};

use crate::archive::appending::clock_step::Stamped;
use crate::archive::appending::in_flight::{InFlight, RECORDS_MAX};
use crate::archive::appending::leader::Leader;
use crate::archive::appending::publisher::Publisher;
use crate::archive::appending::writer::{Writer, WriterParts};
use crate::archive::background::worker::Background;
use crate::archive::files::event_line::decode;
use crate::archive::files::machine::host_name;
use crate::archive::handle::{Archive, Channels, Threads};
use crate::archive::messages::{Draft, Job, WriterLink};
use crate::archive::state::store::Store;
use crate::disk::DiskLock;
use crate::event::{Body, StoreCreated, StoreOpened};
use crate::format::header;
use crate::id::{EventSeq, StoreId};
use crate::log::{Appender, FullJournal, LogReader};
use crate::{Error, Result};

/// Returns the fact every log begins with.
pub(in crate::archive) fn created(store: StoreId) -> Draft {
    Draft::fact(Body::StoreCreated(StoreCreated {
        store,
        format: header::FORMAT_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Starts the threads of a store and hands them the journal files that are to be sealed.
pub(in crate::archive) fn start(
    store: Arc<Store>,
    appender: Appender,
    full: Vec<FullJournal>,
    lock: Option<Box<dyn DiskLock>>,
) -> Result<Archive> {
    let (requests, for_writer) = bounded(RECORDS_MAX);
    let (controls, for_writer_too) = unbounded();
    let (jobs, for_background) = unbounded();
    for journal in full {
        store.backlog.hand_over(journal.bytes);
        jobs.send(Job::Seal(journal)).expect("the receiver is ours");
    }
    let opened = StoreOpened {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_name(),
        pid: std::process::id(),
        sync: "group-fdatasync".to_owned(),
    };
    let parts = WriterParts {
        store: store.id,
        actor: store.options.actor.clone(),
        clock: Arc::clone(&store.options.clock),
        published: Publisher {
            log: Arc::clone(&store.log),
            index: Arc::clone(&store.index),
            journal: Arc::clone(&store.journal),
            watermark: Arc::clone(&store.watermark),
            signing: Arc::clone(&store.signing),
        },
        pins: Arc::clone(&store.pins),
        health: Arc::clone(&store.health),
        backlog: Arc::clone(&store.backlog),
        for_journal: Arc::clone(&store.for_journal),
    };
    let newest = newest_clocks(&store);
    if let Some(newest) = &newest {
        // Set once: the store is opened once.
        let _ = store.newest_before.set(newest.time);
    }
    let writer = Writer::new(
        parts,
        appender,
        for_writer_too.clone(),
        jobs.clone(),
        opened,
        newest,
    );
    let leader = Arc::new(Leader::new(Arc::clone(&store.health), writer));
    let link = WriterLink::new(controls, Arc::clone(&store.health));
    let background = Background::new(Arc::clone(&store), for_background, link.clone());
    let own = Arc::clone(&leader);
    let writer = spawn("annals-writer", move || {
        own.run(&for_writer, &for_writer_too);
    })?;
    let background = spawn("annals-sealer", move || background.run())?;
    let channels = Channels {
        leader,
        in_flight: Arc::new(InFlight::new(store.options.in_flight_bytes)),
        requests,
        writer: link,
        jobs,
    };
    let threads = Threads {
        channels,
        writer,
        background,
    };
    Ok(Archive::assemble(store, Some(threads), lock))
}

/// Returns the clocks at the newest event of the log; `None` when it cannot be read.
fn newest_clocks(store: &Store) -> Option<Stamped> {
    let seq = store.watermark.newest();
    if seq == EventSeq(0) {
        return None;
    }
    let mut reader = LogReader::new(Arc::clone(&store.log), seq, seq);
    let (_, line) = reader.next_leaf()?.ok()?;
    let event = decode(seq, &line).ok()?;
    Some(Stamped {
        seq,
        time: event.time,
        clock: event.clock,
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::io("start", "a thread", error))
}
