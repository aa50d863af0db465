//! Tests archiving from many tokio tasks at once. The runtime must never be blocked, and what one
//! task was told must be true for every other task.

use std::sync::Arc;
use std::time::Duration;

use annals::Archive;
use annals::archive::{AsyncArchive, NewEntry, Options};
use annals::id::EventSeq;
use annals::query::Query;

fn entry(name: &str) -> NewEntry {
    let mut entry = NewEntry::new("ICT");
    entry.source.name = name.into();
    entry
}

#[tokio::test(flavor = "current_thread")]
async fn two_hundred_tasks_on_one_thread_archive_together_and_read_back_what_they_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = AsyncArchive::create(folder.path().join("store"), Options::default())
        .await
        .expect("a store");
    let tasks: Vec<_> = (0..200_u32)
        .map(|number| {
            let archive = archive.clone();
            tokio::spawn(async move {
                // Every tenth source has content that all tasks share.
                let text = if number % 10 == 0 {
                    "same".into()
                } else {
                    format!("unit {number}")
                };
                let content: Arc<[u8]> = text.into_bytes().into();
                let archived = archive
                    .put(entry(&format!("{number}.csv")), Arc::clone(&content))
                    .await
                    .expect("archived");
                let read = archive.read_all(archived.blob.blake3, 1 << 20).await;
                assert_eq!(read.expect("there"), &*content);
                archived.duplicate
            })
        })
        .collect();
    let mut duplicates = 0;
    for task in tasks {
        duplicates += u32::from(task.await.expect("no panic"));
    }
    assert_eq!(duplicates, 19);
    let page = archive.query(Query::default()).await.expect("a listing");
    assert_eq!(page.entries.len(), 200);
    archive.close().await.expect("closed");
}

#[tokio::test(flavor = "current_thread")]
async fn the_runtime_goes_on_while_a_large_source_is_taken_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = AsyncArchive::create(folder.path().join("store"), Options::default())
        .await
        .expect("a store");
    let content: Arc<[u8]> = vec![7; 24 << 20].into();
    let putting = tokio::spawn({
        let archive = archive.clone();
        async move { archive.put(entry("large.bin"), content).await }
    });
    let mut ticks = 0;
    while !putting.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        ticks += 1;
    }
    assert!(ticks > 1, "the runtime was blocked");
    let archived = putting.await.expect("no panic").expect("archived");
    assert_eq!(archived.blob.size, 24 << 20);
    archive.close().await.expect("closed");
}

/// Tasks that wait for room are no threads, and a small bound lets all of them through.
#[tokio::test(flavor = "current_thread")]
async fn five_hundred_tasks_share_a_small_bound_all_are_let_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::builder()
        .in_flight_bytes(16 << 10)
        .create(folder.path().join("store"))
        .expect("a store");
    let archive = AsyncArchive::from(archive);
    let tasks: Vec<_> = (0..500_u32)
        .map(|number| {
            let archive = archive.clone();
            let content: Arc<[u8]> = number.to_le_bytes().repeat(300).into();
            tokio::spawn(async move { archive.put(entry("x"), content).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("archived");
    }
    assert_eq!(archive.blocking().in_flight(), 0);
    archive.close().await.expect("closed");
}

/// A future that is dropped after it was polled gives up the wait and not the record.
#[tokio::test(flavor = "current_thread")]
async fn a_future_is_dropped_the_record_is_written_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::builder().create(folder.path().join("store"));
    let archive = AsyncArchive::from(archive.expect("a store"));
    for number in 0..100_u32 {
        let content: Arc<[u8]> = number.to_le_bytes().into();
        let mut begun = archive
            .begin_put(entry("x"), content)
            .await
            .expect("in flight");
        let polled = tokio::time::timeout(Duration::ZERO, &mut begun).await;
        drop((polled.is_ok(), begun));
    }
    // Comes after them, so they are written by then.
    archive
        .put(entry("last"), &b"last"[..])
        .await
        .expect("archived");
    let page = archive.query(Query::default()).await.expect("listed");
    assert_eq!(page.entries.len(), 101);
    archive.close().await.expect("closed");
}

#[tokio::test(flavor = "current_thread")]
async fn events_are_awaited_none_is_lost_with_a_dropped_future() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::builder().create(folder.path().join("store"));
    let archive = AsyncArchive::from(archive.expect("a store"));
    let mut events = archive.events_from(EventSeq(1));
    let listener = tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_micros(300), events.next()).await {
                Err(_) => {}
                Ok(Some(leaf)) => heard.push(leaf.expect("readable").seq.0),
                Ok(None) => return heard,
            }
        }
    });
    for number in 0..300_u32 {
        let content: Arc<[u8]> = number.to_le_bytes().into();
        archive.put(entry("x"), content).await.expect("archived");
    }
    let newest = archive.blocking().newest().0;
    archive.close().await.expect("closed");
    let heard = listener.await.expect("no panic");
    assert!(heard.iter().copied().eq(1..=heard.len() as u64));
    assert!(heard.len() as u64 >= newest);
}
