//! Tests archiving from many tokio tasks at once. The runtime must never be blocked, and what one
//! task was told must be true for every other task.

use std::sync::Arc;
use std::time::Duration;

use annals::archive::{AsyncArchive, NewEntry, Options};
use annals::query::Query;

fn entry(name: &str) -> NewEntry {
    let mut entry = NewEntry {
        converter: "ICT".into(),
        ..NewEntry::default()
    };
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
