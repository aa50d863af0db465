//! Tests moving, zipping and removing sources while other programs rename and replace them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::aside::{Aside, Compare};
use super::leftover::remove_leftover;
use super::*;
use crate::host::config::settings::Links;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::shape::Shape;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

const MARKER: &str = "DONE";

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["in", "done"] {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> Taken {
        let path = self.at("in").join(name);
        fs::write(&path, content).expect("written");
        Taken::of(path, Shape::File(Links::Skip))
    }

    fn unit(&self, name: &str) -> Taken {
        let path = self.at("in").join(name);
        for (file, content) in [
            ("log.txt", "passed"),
            ("images/front.png", "front"),
            (MARKER, ""),
        ] {
            let file = path.join(file);
            fs::create_dir_all(file.parent().expect("inside")).expect("made");
            fs::write(file, content).expect("written");
        }
        fs::create_dir(path.join("empty")).expect("made");
        Taken::of(path, Shape::Folder)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(items) = fs::read_dir(self.at(folder)) else {
            return Vec::new();
        };
        let name = |item: io::Result<fs::DirEntry>| item.expect("item").file_name();
        let mut names: Vec<_> = items
            .map(|item| name(item).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).expect("there")
    }
}

/// A source that was read.
struct Taken {
    path: PathBuf,
    seen: Fingerprint,
}

impl Taken {
    fn of(path: PathBuf, shape: Shape) -> Self {
        let seen = Fingerprint::of(&path, &shape)
            .expect("read")
            .expect("there");
        Self { path, seen }
    }

    fn source(&self) -> Source<'_> {
        Source {
            path: &self.path,
            seen: &self.seen,
            within: None,
            marker: Some(MARKER),
        }
    }
}

fn kind<T>(result: Result<T>) -> Result<(), ErrorKind> {
    result.map(|_| ()).map_err(|error| error.kind())
}

fn set_modified(path: &Path, time: std::time::SystemTime) {
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(time)).expect("set");
}

const ACTIONS: [fn(Source<'_>, &Path) -> Result<()>; 4] = [
    |source, _| source.remove(),
    |source, done| source.move_into(done).map(|_| ()),
    |source, done| source.zip_into(done).map(|_| ()),
    |source, done| actions::copy_into(source, done).map(|_| ()),
];

#[test]
fn a_file_that_changed_is_left_by_every_action() {
    for act in ACTIONS {
        let bench = Bench::new();
        let read = bench.file("a.csv", "before");
        fs::write(&read.path, "behind").expect("written");
        set_modified(&read.path, read.seen.meta.modified);
        assert_eq!(
            kind(act(read.source(), &bench.at("done"))),
            Err(ErrorKind::Changed)
        );
        assert_eq!(bench.text("in/a.csv"), "behind");
        assert_eq!(bench.names("in"), ["a.csv"]);
        assert!(bench.names("done").is_empty());
    }
}

/// A station may rename its next file over the name just after the host has compared the file
/// before.
#[cfg(unix)]
#[test]
fn a_file_that_took_the_name_is_left_by_every_action_and_so_is_one_of_equal_content() {
    for (act, content) in ACTIONS
        .into_iter()
        .flat_map(|act| [(act, "new"), (act, "old")])
    {
        let bench = Bench::new();
        let read = bench.file("result.csv", "old");
        fs::write(bench.at("next"), content).expect("written");
        set_modified(&bench.at("next"), read.seen.meta.modified);
        fs::rename(bench.at("next"), &read.path).expect("renamed");
        assert_eq!(
            kind(act(read.source(), &bench.at("done"))),
            Err(ErrorKind::Changed)
        );
        assert_eq!(bench.text("in/result.csv"), content);
        assert_eq!(bench.names("in"), ["result.csv"]);
    }
}

/// A sender could replace its own file by a link to a file that it may not read, between two checks
/// of the host.
#[cfg(unix)]
#[test]
fn a_link_that_took_a_files_name_is_not_opened() {
    let bench = Bench::new();
    let read = bench.file("a.csv", "own");
    assert!(read.source().open().is_ok());
    fs::write(bench.at("secret"), "own").expect("written");
    set_modified(&bench.at("secret"), read.seen.meta.modified);
    fs::remove_file(&read.path).expect("there");
    std::os::unix::fs::symlink(bench.at("secret"), &read.path).expect("made");
    assert_eq!(kind(read.source().open()), Err(ErrorKind::Changed));
}

/// A station may still write to its file after the host has opened it, before the host takes its
/// name. `tools/reliability/twins` leaves out the comparison that this test asks for.
#[test]
fn a_file_that_is_written_to_before_it_is_set_aside_is_put_back() {
    let bench = Bench::new();
    let read = bench.file("a.csv", "before");
    for compare in [Compare::Content, Compare::FileMeta] {
        let opened = Aside::prepare(read.source()).expect("unchanged");
        fs::write(&read.path, "behind the back").expect("written");
        let taken = opened.take(compare, |_, _| -> Result<()> {
            panic!("it was taken for what was read")
        });
        assert_eq!(kind(taken), Err(ErrorKind::Changed), "{compare:?}");
        assert_eq!(bench.text("in/a.csv"), "behind the back");
        assert_eq!(bench.names("in"), ["a.csv"]);
        fs::write(&read.path, "before").expect("written");
        set_modified(&read.path, read.seen.meta.modified);
    }
}

/// The name is free for a moment, and the station may write its next result there.
#[test]
fn a_source_that_changed_while_its_name_was_taken_is_kept_beside_the_new_one() {
    let bench = Bench::new();
    let read = bench.file("a.csv", "before");
    let failed = aside::with(read.source(), Compare::Content, |_, _| -> Result<()> {
        assert!(!read.path.exists());
        fs::write(&read.path, "next").expect("written");
        Err(read.source().changed())
    });
    let told = failed.expect_err("changed").to_string();
    assert!(
        told.contains("it is now") && told.contains("a (2).csv"),
        "{told}"
    );
    assert_eq!(bench.names("in"), ["a (2).csv", "a.csv"]);
    assert_eq!(bench.text("in/a.csv"), "next");
    assert_eq!(bench.text("in/a (2).csv"), "before");
}

/// Clears files away while another thread renames results over their name as fast as it can. No
/// result may be lost.
#[cfg(unix)]
fn swap_while_clearing(rounds: usize, act: fn(Source<'_>, &Path) -> Result<()>) {
    use std::sync::atomic::{AtomicBool, Ordering};
    let bench = Bench::new();
    let done = bench.at("done");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..rounds {
                let next = bench.at(&format!("next-{number}"));
                fs::write(&next, format!("unit {number}")).expect("written");
                // Both cases are tested: a name that is free, and one that is taken.
                while number % 2 == 0 && bench.at("in/result.csv").exists() {
                    std::thread::yield_now();
                }
                // A second name keeps each result, so that all can be counted at the end.
                let kept = bench.at(&format!("kept-{number}"));
                fs::hard_link(&next, kept).expect("linked");
                fs::rename(next, bench.at("in/result.csv")).expect("renamed");
            }
            over.store(true, Ordering::Release);
        });
        let mut cleared = Vec::new();
        while !over.load(Ordering::Acquire) || !bench.names("in").is_empty() {
            for name in bench.names("in") {
                let path = bench.at("in").join(name);
                let Ok(Some(seen)) = Fingerprint::of(&path, &Shape::File(Links::Skip)) else {
                    continue;
                };
                let source = Source {
                    path: &path,
                    seen: &seen,
                    within: None,
                    marker: None,
                };
                match act(source, &done) {
                    Ok(()) => cleared.push(seen.content),
                    Err(error) => {
                        let kinds = [ErrorKind::Changed, ErrorKind::Refused];
                        assert!(kinds.contains(&error.kind()), "{error}");
                    }
                }
            }
        }
        // Each result is cleared away with the content it was read with, or the station replaced
        // it.
        cleared.sort();
        let all = cleared.len();
        cleared.dedup();
        assert_eq!(cleared.len(), all, "one was cleared away twice");
        let last = BlobId::of(format!("unit {}", rounds - 1).as_bytes());
        assert!(cleared.contains(&last), "the last one was not seen");
        // No result replaces an even one before that is cleared away or replaced by the odd one.
        assert!(cleared.len() >= rounds / 2, "{} of {rounds}", cleared.len());
    });
}

#[cfg(unix)]
#[test]
fn results_renamed_over_the_name_are_cleared_away_only_when_they_were_read() {
    for act in ACTIONS {
        swap_while_clearing(20, act);
    }
}

#[cfg(unix)]
#[test]
#[ignore = "takes a minute: thousands of swaps"]
fn thousands_of_results_renamed_over_the_name_are_cleared_away_only_when_they_were_read() {
    for act in ACTIONS {
        swap_while_clearing(2000, act);
    }
}

#[test]
fn two_files_of_one_name_are_both_kept() {
    let bench = Bench::new();
    for content in ["unit 1", "unit 2", "unit 3"] {
        let read = bench.file("a.csv", content);
        read.source().move_into(&bench.at("done")).expect("moved");
        assert!(bench.names("in").is_empty());
    }
    assert_eq!(bench.names("done"), ["a (2).csv", "a (3).csv", "a.csv"]);
    assert_eq!(bench.text("done/a.csv"), "unit 1");
    assert_eq!(bench.text("done/a (3).csv"), "unit 3");
    for content in ["one", "two"] {
        let read = bench.file("b.csv", content);
        read.source().zip_into(&bench.at("done")).expect("zipped");
    }
    assert!(bench.at("done/b.csv (2).zip").exists() && bench.at("done/b.csv.zip").exists());
}

/// A host that was killed between linking a file into the done folder and removing it must not move
/// it twice.
#[cfg(unix)]
#[test]
fn a_file_that_has_a_name_in_the_done_folder_already_is_moved_once() {
    let bench = Bench::new();
    let read = bench.file("a.csv", "x");
    fs::hard_link(&read.path, bench.at("done/a.csv")).expect("linked");
    let target = read.source().move_into(&bench.at("done")).expect("moved");
    assert_eq!(target, bench.at("done/a.csv"));
    assert!(bench.names("in").is_empty());
    assert_eq!(bench.names("done"), ["a.csv"]);
}

#[test]
fn a_file_whose_stand_in_was_there_when_the_host_was_killed_is_zipped_and_copied_once() {
    let bench = Bench::new();
    let done = bench.at("done");
    for (name, act) in [
        (
            "a.csv",
            (|source, folder| source.zip_into(folder)) as fn(Source<'_>, &Path) -> _,
        ),
        ("b.csv", actions::copy_into),
    ] {
        let read = bench.file(name, "content");
        let first = act(read.source(), &done).expect("done");
        // The state after a crash: the copy exists, and the source was not removed yet.
        fs::write(&read.path, "content").expect("written");
        set_modified(&read.path, read.seen.meta.modified);
        let again = Taken::of(read.path.clone(), Shape::File(Links::Skip));
        assert_eq!(act(again.source(), &done).expect("done"), first);
        assert!(!read.path.exists());
        // Equal content at a later time is another file.
        let later = bench.file(name, "content");
        assert_ne!(act(later.source(), &done).expect("done"), first);
    }
    assert_eq!(
        bench.names("done"),
        ["a.csv (2).zip", "a.csv.zip", "b (2).csv", "b.csv"]
    );
}

/// A private source must not become readable for others, or change its owner, when it is zipped or
/// moved to another file system.
#[cfg(unix)]
#[test]
fn a_copy_and_a_zip_keep_permissions_and_time_and_are_never_wider() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let bench = Bench::new();
    for mode in [0o600, 0o640, 0o644, 0o4755] {
        let path = bench.file("a.csv", "x").path;
        let is_root = chown(&path, Some(1234), Some(4321)).is_ok();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        let read = Taken::of(path.clone(), Shape::File(Links::Skip));
        let copied = actions::copy_into(read.source(), &bench.at("done")).expect("copied");
        let found = fs::metadata(&copied).expect("there");
        assert_eq!(found.mode() & 0o7777, mode & 0o777, "{mode:o}");
        assert_eq!(found.modified().expect("time"), read.seen.meta.modified);
        if is_root {
            assert_eq!((found.uid(), found.gid()), (1234, 4321));
        }
        let read = bench.file("b.csv", "x");
        fs::set_permissions(&read.path, fs::Permissions::from_mode(mode)).expect("set");
        let read = Taken::of(read.path, Shape::File(Links::Skip));
        let zipped = read.source().zip_into(&bench.at("done")).expect("zipped");
        let found = fs::metadata(&zipped).expect("there");
        assert_eq!(found.mode() & 0o7777, mode & 0o777, "{mode:o}");
    }
    // A folder's zip file is for those who can read all of it. A copy keeps each file's
    // permissions.
    let unit = bench.unit("unit");
    let private = unit.path.join("log.txt");
    fs::set_permissions(private, fs::Permissions::from_mode(0o600)).expect("set");
    let copied = actions::copy_into(unit.source(), &bench.at("done")).expect("copied");
    let of = |path: PathBuf| fs::metadata(path).expect("there").mode() & 0o777;
    assert_eq!(of(copied.join("log.txt")), 0o600);
    assert_eq!(of(copied.join("images/front.png")), 0o644);
    let unit = Taken::of(copied, Shape::Folder);
    let zipped = unit.source().zip_into(&bench.at("done")).expect("zipped");
    assert_eq!(of(zipped), 0o600);
}

/// Programs store notes in a file's attributes; a move to another file system must keep them.
#[cfg(target_os = "linux")]
#[test]
fn a_copy_keeps_the_attributes_that_people_set() {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
    let bench = Bench::new();
    let read = bench.file("a.csv", "x");
    let file = File::open(&read.path).expect("there");
    if fsetxattr(&file, "user.station", b"ICT 3", XattrFlags::empty()).is_err() {
        return;
    }
    let copied = actions::copy_into(read.source(), &bench.at("done")).expect("copied");
    let mut value = [0; 16];
    let copied = File::open(copied).expect("there");
    let length = fgetxattr(&copied, "user.station", &mut value[..]).expect("kept");
    assert_eq!(&value[..length], b"ICT 3");
}

#[test]
fn a_file_at_the_limit_of_names_is_moved_zipped_and_removed() {
    let bench = Bench::new();
    let name = format!("{}.csv", "x".repeat(251));
    for number in 0..2 {
        let read = bench.file(&name, &format!("unit {number}"));
        let moved = read.source().move_into(&bench.at("done")).expect("moved");
        assert_eq!(moved.file_name().expect("named").len(), 255);
        let read = bench.file(&name, &format!("unit {number}"));
        let zipped = read.source().zip_into(&bench.at("done")).expect("zipped");
        assert_eq!(zipped.file_name().expect("named").len(), 255);
        bench.file(&name, "x").source().remove().expect("removed");
        assert!(bench.names("in").is_empty());
    }
    assert_eq!(bench.names("done").len(), 4);
    let unit = bench.unit(&"y".repeat(255));
    unit.source().move_into(&bench.at("done")).expect("moved");
    bench
        .unit(&"z".repeat(255))
        .source()
        .remove()
        .expect("removed");
    assert!(bench.names("in").is_empty());
}

#[test]
fn an_archived_source_reads_back_only_when_the_archive_gives_the_same_bytes() {
    let bench = Bench::new();
    let read = bench.file("a.csv", "content");
    let gives = |bytes: &'static [u8]| move |_: &BlobId| Ok(Box::new(bytes) as Box<dyn Read>);
    let lost = |_: &BlobId| Err(Error::new(ErrorKind::NotFound, "no such blob"));
    let source = read.source();
    assert_eq!(
        kind(source.read_back(gives(b"contend"))),
        Err(ErrorKind::Damaged)
    );
    assert_eq!(kind(source.read_back(lost)), Err(ErrorKind::NotFound));
    assert_eq!(kind(source.read_back(gives(b"content"))), Ok(()));
}

/// A `SN7.json` in the done folder may belong to another converter and may not be archived, so it
/// must stay when `SN7.csv` is cleared away.
#[test]
fn only_a_report_of_this_very_entry_is_removed_from_the_done_folder() {
    let bench = Bench::new();
    let (source, done) = (bench.at("in/SN7.csv"), bench.at("done"));
    fs::write(bench.at("done/SN7.json"), "{\"volts\":4.98}").expect("written");
    let reports = [BlobId::of(b"{}"), BlobId::of(b"{\"sn\":7}")];
    remove_leftover(&source, &done, &reports).expect("left");
    assert_eq!(bench.names("done"), ["SN7.json"]);
    fs::write(bench.at("done/SN7.json"), "{\"sn\":7}").expect("written");
    remove_leftover(&source, &done, &[]).expect("left");
    remove_leftover(&source, &bench.at("nowhere"), &reports).expect("left");
    assert_eq!(bench.names("done"), ["SN7.json"]);
    remove_leftover(&source, &done, &reports).expect("removed");
    assert!(bench.names("done").is_empty());
}

/// Partial files of a killed host must not stay in the done folder forever.
#[cfg(unix)]
#[test]
fn what_a_killed_host_was_making_goes_after_a_day_and_nothing_else_does() {
    use std::time::{Duration, SystemTime};
    const DAY: Duration = Duration::from_hours(24);
    let bench = Bench::new();
    let done = bench.at("done");
    let begun = done.join(name::hidden(name::Purpose::Partial).expect("named"));
    fs::write(&begun, "half").expect("written");
    // It has the time of its source, although it was just begun.
    set_modified(&begun, SystemTime::now() - 9 * DAY);
    let copy = done.join(name::hidden(name::Purpose::Partial).expect("named"));
    fs::create_dir(&copy).expect("made");
    fs::write(copy.join("log.txt"), "x").expect("written");
    let others = [
        "a.csv",
        ".annals-list.partial",
        ".annals-0123456789abcdef.removing",
    ];
    for name in others {
        fs::write(done.join(name), "x").expect("written");
    }
    let now = SystemTime::now();
    remove_partials(&done, now + DAY / 2);
    assert!(begun.exists() && copy.exists());
    remove_partials(&done, now + 2 * DAY);
    let mut left = others.map(str::to_owned);
    left.sort();
    assert_eq!(bench.names("done"), left);
    remove_partials(&bench.at("nowhere"), now);
}

/// A link that is followed is cleared away itself; its target is not.
#[cfg(unix)]
#[test]
fn a_followed_link_is_compared_by_what_it_leads_to_and_goes_alone() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    fs::write(bench.at("data.csv"), "x").expect("written");
    let path = bench.at("in/a.csv");
    symlink("../data.csv", &path).expect("made");
    let read = Taken::of(path.clone(), Shape::File(Links::Follow));
    fs::write(bench.at("data.csv"), "y").expect("written");
    assert_eq!(kind(read.source().remove()), Err(ErrorKind::Changed));
    let read = Taken::of(path.clone(), Shape::File(Links::Follow));
    // Another link of this name, to this target.
    symlink("../data.csv", bench.at("other")).expect("made");
    fs::rename(bench.at("other"), &path).expect("renamed");
    assert_eq!(kind(read.source().remove()), Err(ErrorKind::Changed));
    let read = Taken::of(path.clone(), Shape::File(Links::Follow));
    let moved = read.source().move_into(&bench.at("done")).expect("moved");
    assert!(!moved.is_symlink());
    assert!(bench.names("in").is_empty());
    assert_eq!(
        (bench.text("data.csv"), bench.text("done/a.csv")),
        ("y".into(), "y".into())
    );
    // A link that replaced a file is no source where links are not followed.
    symlink("../data.csv", &path).expect("made");
    assert_eq!(
        Fingerprint::of(&path, &Shape::File(Links::Skip)).expect("read"),
        None
    );
}

#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod groups;
#[cfg(unix)]
mod swaps;
