//! Tests how often a file is read until it is archived, and what becomes of it when it is not.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::archive::Options;
use crate::disk::sim::{Fault, Repeat, SimDisk};
use crate::host::archives::Archives;
use crate::host::config::settings::Config;
use crate::host::observe::notice::Hooks;
use crate::host::pipeline::host::Host;
use crate::host::sources::candidate::Candidate;
use crate::host::sources::file_meta::file_meta;
use crate::host::stop::Stop;

struct Bench {
    dir: tempfile::TempDir,
    disk: SimDisk,
    archive: Archive,
    worker: FileWorker,
}

impl Bench {
    /// A host with one converter that archives, and `more` keys of it.
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("in")).expect("made");
        let text = format!(
            "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\n\
             command = [\"sh\", \"{{input}}\"]\nwatch_folder = \"in\"\n\
             archive_enabled = true\npatterns = [\"*.csv\"]\n{more}\n"
        );
        let config = Config::parse(&text, &dir.path().join("host.toml")).expect("valid");
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), Options::default());
        let archive = archive.expect("made");
        let host = Host::new(Archives::shared(Some(archive.clone())), config).expect("made");
        let worker = FileWorker {
            host: Arc::new(host),
            stop: Stop::default(),
            hooks: Hooks::default(),
        };
        Self {
            dir,
            disk,
            archive,
            worker,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("in/a.csv")
    }

    /// Takes the file as a scan does.
    fn take(&self) -> TakenFile {
        let active = self.worker.host.active();
        let links = active.config.converters[0].links;
        let meta = file_meta(&self.path(), links)
            .expect("read")
            .expect("there");
        TakenFile {
            candidate: Candidate {
                path: self.path(),
                name: "a.csv".into(),
                meta,
                main: meta,
                companions: Vec::new(),
                incomplete: None,
                converter: 0,
            },
            active,
            failures: 0,
            trials: 0,
            since: Instant::now(),
        }
    }

    fn entries(&self) -> u64 {
        let snapshot = self.archive.snapshot().expect("readable");
        snapshot.stats().expect("counted").entries
    }
}

/// Returns how many bytes this thread has read by system calls.
fn bytes_read() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("Linux counts them");
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|read| read.parse().ok()).expect("a number")
}

/// The file used to be hashed first, because its key contains the hash, and then read once more.
#[test]
fn a_file_to_archive_is_read_once() {
    let content = vec![7; 10 << 20];
    let size = content.len() as u64;
    for more in [
        "",
        "follow_symlinks = true",
        "companions = [\"{stem}.txt\"]",
    ] {
        let bench = Bench::new(more);
        if more.starts_with("follow") {
            let target = bench.dir.path().join("target");
            fs::write(&target, &content).expect("written");
            std::os::unix::fs::symlink(target, bench.path()).expect("made");
        } else {
            fs::write(bench.path(), &content).expect("written");
        }
        let taken = bench.take();
        // The second time its entry is known.
        for _ in 0..2 {
            let before = bytes_read();
            let archived = bench.worker.archive(&taken).expect("archived");
            let read = bytes_read() - before;
            assert!((size..size + size / 4).contains(&read), "{more}: {read}");
            let StageResult::Next((seen, Safety::Archived, Some(id))) = archived else {
                panic!("{more}: not archived");
            };
            let again = Fingerprint::of(&bench.path(), &taken.config().shape());
            assert_eq!(Some(&seen), again.expect("read").as_ref());
            let known = entry(&bench.archive, id).expect("there");
            assert_eq!(
                known.key,
                Some(key("T", &bench.path(), &seen.meta, &seen.content))
            );
            assert_eq!(
                (known.source_name.as_str(), known.blake3),
                ("a.csv", seen.content)
            );
        }
        assert_eq!(bench.entries(), 1);
    }
}

#[test]
fn a_file_changed_since_it_was_taken_is_left() {
    let bench = Bench::new("");
    fs::write(bench.path(), "content").expect("written");
    let taken = bench.take();
    fs::write(bench.path(), "content and more").expect("written");
    let left = bench.worker.archive(&taken).expect("no error");
    assert!(matches!(
        left,
        StageResult::Left("it changed while it was read")
    ));
    assert_eq!(bench.entries(), 0);
}

/// The hash that comes with an acknowledgement is missing; what follows needs it all the same.
#[test]
fn a_store_that_fails_the_file_waits_or_goes_on_unarchived() {
    for is_required in [true, false] {
        let bench = Bench::new(&format!("archive_required = {is_required}"));
        fs::write(bench.path(), "content").expect("written");
        bench.disk.fail_at(0, Fault::Sync, Repeat::Sticky);
        let taken = bench.take();
        match bench.worker.archive(&taken).expect("told otherwise") {
            StageResult::Left("it could not be archived") => assert!(is_required),
            StageResult::Next((seen, Safety::ArchiveFailed, None)) => {
                assert!(!is_required);
                let again = Fingerprint::of(&bench.path(), &taken.config().shape());
                assert_eq!(Some(seen), again.expect("read"));
            }
            _ => panic!("required: {is_required}"),
        }
        let status = bench.worker.host.status();
        assert_eq!(status.converters[0].archive_failed, 1);
    }
}
