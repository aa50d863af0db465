//! Single cases that the property tests reach too rarely.

use crate::error::{Error, ErrorKind};
use crate::id::{EventSeq, StoreId};
use crate::index::database::CACHE_BYTES;
use std::sync::Arc;

use super::facts::*;
use super::live::*;
use super::model::*;
use super::questions::*;
use crate::disk::sim::SimDisk;
use crate::disk::{Disk, OpenMode};
use crate::entry::Entry;
use crate::event::{Body, JobStarted, Unknown};
use crate::id::EntryId;
use crate::index::*;
use crate::query::{Direction, Filter, Purged, Query, Sort, SortField};

/// A rebuild was interrupted by a power cut. The index that it left lacked the last blobs but
/// counted as complete.
#[test]
fn a_half_made_index_is_not_opened() {
    let disk = SimDisk::new();
    let path = std::path::Path::new("index");
    let open = |mode| disk.open(path, mode).expect("a file");
    let index = Index::create(open(OpenMode::CreateNew), STORE, CACHE_BYTES).expect("empty");
    let mut top = index.view(Vec::new()).expect("empty").overlay();
    let event = Model::default().event(&Body::Unknown(Unknown {
        kind: "x".into(),
        data: String::new(),
    }));
    top.apply(&event, &index.view(Vec::new()).expect("empty"))
        .expect("sound");
    let (_, top) = index
        .commit_half_made(&mut top, usize::MAX)
        .expect("written");
    drop(index);
    let reopen = || Index::open(open(OpenMode::Write), STORE, CACHE_BYTES);
    let refused = reopen().expect_err("half made");
    assert!(refused.calls_for_rebuild(), "{refused}");

    disk.remove(path).expect("gone");
    let index = Index::create(open(OpenMode::CreateNew), STORE, CACHE_BYTES).expect("empty");
    index.commit(&top).expect("written");
    drop(index);
    assert_eq!(
        reopen().expect("whole").applied().expect("read"),
        EventSeq(1)
    );
}

/// A copy is the index from then on: whatever it lacked would be lost until a rebuild.
#[test]
fn a_copy_of_an_index_has_the_same_rows() {
    let disk = SimDisk::new();
    let open = |path: &str, mode| disk.open(path.as_ref(), mode).expect("a file");
    let (_, mut live) = plant();
    live.checkpoint();
    let copy = live
        .index
        .copy_to(open("copy", OpenMode::CreateNew), CACHE_BYTES);
    drop(copy.expect("copied"));
    let copy = Index::open(open("copy", OpenMode::Write), STORE, CACHE_BYTES);
    let copy = copy.expect("an index").view(Vec::new()).expect("read");
    // A reader of the index that a copy replaced goes on reading it.
    let all = live.index.view(Vec::new()).expect("read");
    drop(live);
    assert!(all.raw().len() > 1_000);
    assert_eq!(copy.raw(), all.raw());
    assert_eq!(dump(&copy), dump(&all));
}

#[test]
fn a_commit_that_was_made_already_changes_nothing() {
    let mut live = Live::new();
    let mut model = Model::default();
    let first = model.event(&Body::JobStarted(JobStarted::new("reprocess", 0)));
    live.top.apply(&first, &live.below).expect("sound");
    let old = Arc::new(live.top.clone());
    live.checkpoint();
    let mut second = first.clone();
    second.seq = first.seq.next();
    live.top.apply(&second, &live.below).expect("sound");
    live.checkpoint();
    let before = dump(&live.view());
    live.index.commit(&old).expect("harmless");
    live.below = live.index.view(Vec::new()).expect("memory");
    assert_eq!(dump(&live.below), before);
    assert_eq!(live.index.applied().expect("memory"), EventSeq(2));
}

#[test]
fn readers_and_the_writer_may_be_on_different_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Index>();
    shared::<View>();
    shared::<Overlay>();
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let live = Live::new();
    for text in ["size:desc", "archived_at", "id"] {
        let cursor = crate::query::Cursor {
            sort: text.parse().expect("a sort"),
            value: vec![1, 2, 3],
            id: EntryId(1),
        };
        let query = Query {
            sort: match text {
                "size:desc" => Sort::default(),
                _ => cursor.sort,
            },
            after: Some(cursor),
            ..Query::default()
        };
        let refused = live.below.query(&query).expect_err("refused");
        assert!(matches!(refused, IndexError::OtherOrder), "{text}");
        assert_eq!(Error::from(refused).kind(), ErrorKind::Invalid);
    }
}

#[test]
fn an_event_numbered_beyond_the_index_is_refused_and_not_mistaken() {
    let mut live = Live::new();
    let mut event = Model::default().event(&Body::Unknown(Unknown {
        kind: "x".into(),
        data: String::new(),
    }));
    event.seq = EventSeq(u64::MAX);
    let refused = live.top.apply(&event, &live.below).expect_err("too large");
    assert!(matches!(refused, IndexError::TooManyEvents(_)));
    assert!(
        live.below
            .entry(EntryId(u64::MAX))
            .expect("sound")
            .is_none()
    );
}

#[test]
fn pages_join_to_the_whole_list_in_every_order() {
    let (model, mut live) = plant();
    let all = model.all();
    let filters = [
        Filter::default(),
        Filter {
            converter: vec!["ict csv".into()],
            ..Filter::default()
        },
        Filter {
            converter: vec!["AOI".into()],
            ..Filter::default()
        },
        Filter {
            serial: Some("sn-0007".into()),
            purged: Purged::Include,
            ..Filter::default()
        },
        Filter {
            file: Some("*1*2*.csv".into()),
            ..Filter::default()
        },
    ];
    for layered in [true, false] {
        for filter in &filters {
            for field in SortField::ALL {
                for direction in [Direction::Asc, Direction::Desc] {
                    let sort = Sort { field, direction };
                    let matching = all.iter().filter(|entry| selects(filter, entry));
                    let expected = in_order(matching.cloned().collect(), sort);
                    let expected: Vec<_> = expected.iter().map(|entry| entry.id).collect();
                    let listed = whole(&live.view(), filter, sort);
                    let listed: Vec<_> = listed.iter().map(|entry| entry.id).collect();
                    assert_eq!(listed, expected, "{filter:?} {sort:?}");
                    let pages = paged(&live.view(), filter, sort, 301);
                    let pages: Vec<_> = pages.iter().map(|entry| entry.id).collect();
                    assert_eq!(pages, expected, "{filter:?} {sort:?}");
                }
            }
        }
        if layered {
            live.checkpoint();
        }
    }
}

#[test]
fn a_pattern_that_fits_few_of_many_names_is_answered_like_any_other() {
    let (model, live) = plant();
    let filter = Filter {
        file: Some("*7?7?7.csv".into()),
        ..Filter::default()
    };
    let expected: Vec<Entry> = model
        .all()
        .into_iter()
        .filter(|entry| selects(&filter, entry))
        .collect();
    assert!(
        expected.len() > 1 && expected.len() < 40,
        "{}",
        expected.len()
    );
    assert_eq!(
        live.view().count(&filter).expect("sound"),
        expected.len() as u64
    );
    for field in SortField::ALL {
        let sort = Sort {
            field,
            direction: Direction::Desc,
        };
        let listed = whole(&live.view(), &filter, sort);
        assert_eq!(listed, in_order(expected.clone(), sort), "{sort:?}");
    }
}

#[test]
fn an_index_on_disk_is_opened_again_only_for_its_own_store() {
    use crate::disk::{Disk, FsDisk, OpenMode};
    let dir = tempfile::tempdir().expect("a folder");
    let disk = FsDisk::new(dir.path());
    let open = |mode| {
        disk.open(std::path::Path::new("index.redb"), mode)
            .expect("the file")
    };
    {
        let index = Index::create(open(OpenMode::CreateNew), STORE, CACHE_BYTES).expect("made");
        let below = index.view(Vec::new()).expect("sound");
        let mut top = below.overlay();
        let mut model = Model::default();
        let unknown = Body::Unknown(Unknown {
            kind: "x".into(),
            data: "{}".into(),
        });
        for _ in 0..50 {
            top.apply(&model.event(&unknown), &below).expect("sound");
        }
        index.commit(&top).expect("written");
    }
    let index = Index::open(open(OpenMode::Write), STORE, CACHE_BYTES).expect("opened");
    assert_eq!(index.applied().expect("sound"), EventSeq(50));
    drop(index);

    let other = Index::open(
        open(OpenMode::Write),
        StoreId::from_bytes([8; 16]),
        CACHE_BYTES,
    );
    let error = other.expect_err("another store");
    assert!(matches!(error, IndexError::OtherStore(STORE)) && error.calls_for_rebuild());

    let file = open(OpenMode::Write);
    file.set_len(4096 + 100).expect("cut");
    let error = Index::open(file, STORE, CACHE_BYTES).expect_err("cut short");
    assert!(error.calls_for_rebuild(), "{error:?}");

    let file = open(OpenMode::Write);
    file.set_len(0).expect("cut");
    file.write_all_at(&[0x5a; 9000], 0).expect("written");
    let error = Index::open(file, STORE, CACHE_BYTES).expect_err("no index");
    assert!(error.calls_for_rebuild(), "{error:?}");
    assert_eq!(Error::from(error).kind(), ErrorKind::Damaged);
}
