//! The files of a bundle against its manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::thread::ScopedJoinHandle;

use sha2::Digest;

use super::outcome::{Verdict, Verified};
use crate::disk::{Disk, OpenMode};
use crate::export::bag::{self, Digests};
use crate::export::derived;
use crate::export::scope::BUNDLE_FORMAT;
use crate::id::{BlobId, Sha256};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// A file of the bundle, as it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
    /// Of contents only.
    pub(super) blake3: Option<BlobId>,
}

/// All files by their path.
pub(super) type Files = BTreeMap<String, Found>;

/// Which files there are, and whether the lines of events differ from the manifest: then it is
/// still to be seen whether they were cut short.
pub(super) struct Listed {
    pub(super) files: Files,
    pub(super) events_differ: bool,
}

/// Reads every file. Returns `None` for what is no bundle of this version.
pub(super) fn check(disk: &dyn Disk, found: &mut Verified) -> Option<Listed> {
    let mut paths = BTreeMap::new();
    if let Err(error) = list(disk, Path::new(""), &mut paths, found) {
        let told = format!("the folder cannot be read: {error}");
        found.find(Verdict::Unreadable, "bundle", ".", told);
        return None;
    }
    check_versions(disk, &paths, found)?;
    let mut files = Files::new();
    for (path, digested) in digest_all(disk, &paths) {
        match digested {
            Ok(digested) => {
                found.checked_bytes += digested.bytes;
                files.insert(path.to_owned(), digested);
            }
            Err(error) => {
                let told = format!("it cannot be read: {error}");
                found.find(Verdict::Unreadable, "file", path, told);
            }
        }
    }
    let is_payload = |path: &str| path.starts_with("data/");
    let is_tag = |path: &str| {
        matches!(path, bag::BAGIT | bag::BAG_INFO | bag::MANIFEST) || derived::is_derived(path)
    };
    let mut events_differ = false;
    compare(
        disk,
        bag::MANIFEST,
        &files,
        is_payload,
        found,
        &mut events_differ,
    );
    compare(disk, bag::TAG_MANIFEST, &files, is_tag, found, &mut false);
    for path in files.keys() {
        if !is_payload(path) && !is_tag(path) && path != bag::TAG_MANIFEST {
            found.find(
                Verdict::Tampered,
                "file",
                path,
                "it does not belong to a bundle",
            );
        }
    }
    check_derived(disk, &files, found);
    for path in [bag::BAG_INFO, bag::EVENTS, bag::CHECKPOINT, bag::VKEYS] {
        if !files.contains_key(path) {
            found.find(Verdict::Incomplete, "file", path, "it is missing");
        }
    }
    Some(Listed {
        files,
        events_differ,
    })
}

/// Forms that are no evidence say so by their folder, its README and a note.
fn check_derived(disk: &dyn Disk, files: &Files, found: &mut Verified) {
    if !files.keys().any(|path| derived::is_derived(path)) {
        return;
    }
    match small(disk, derived::README) {
        None => found.find(
            Verdict::Incomplete,
            "file",
            derived::README,
            "it is missing",
        ),
        Some(text) if text == derived::README_TEXT.as_bytes() => {}
        Some(_) => {
            let told = "it does not say any more that these files are no evidence";
            found.find(Verdict::Tampered, "file", derived::README, told);
        }
    }
    let told = format!(
        "the files in {} prove nothing: no signature covers them",
        derived::FOLDER
    );
    found.notes.push(told);
}

fn list(
    disk: &dyn Disk,
    dir: &Path,
    paths: &mut BTreeMap<String, u64>,
    found: &mut Verified,
) -> io::Result<()> {
    for entry in disk.list(dir)? {
        let path = dir.join(&entry.name);
        let name = path.to_string_lossy().into_owned();
        if !entry.is_dir {
            paths.insert(name, entry.len);
        } else if matches!(&*name, "data" | bag::PROOFS | bag::BLOBS | derived::FOLDER) {
            list(disk, &path, paths, found)?;
        } else {
            found.find(Verdict::Tampered, "file", name, "no bundle has this folder");
        }
    }
    Ok(())
}

/// Ends at once for what is no bundle, or one of a later version.
fn check_versions(
    disk: &dyn Disk,
    paths: &BTreeMap<String, u64>,
    found: &mut Verified,
) -> Option<()> {
    if !paths.contains_key(bag::BAGIT) && !paths.contains_key(bag::EVENTS) {
        let told = "it is no bundle: there is neither bagit.txt nor data/events.jsonl";
        found.find(Verdict::Unreadable, "bundle", ".", told);
        return None;
    }
    match small(disk, bag::BAGIT) {
        None => found.find(Verdict::Incomplete, "file", bag::BAGIT, "it is missing"),
        Some(bytes) if bytes == bag::BAGIT_TEXT.as_bytes() => {}
        Some(bytes) => match bag::bagit_version(&bytes) {
            Some(version) if version != "1.0" => {
                let told = format!("it is a bag of version {version}; only 1.0 is known here");
                found.find(Verdict::Unreadable, "bundle", bag::BAGIT, told);
                return None;
            }
            _ => found.find(Verdict::Tampered, "file", bag::BAGIT, "it was changed"),
        },
    }
    let stated = small(disk, bag::BAG_INFO).and_then(|bytes| bag::bundle_format(&bytes));
    if let Some(format) = stated
        && format > u64::from(BUNDLE_FORMAT)
    {
        let told = format!("a later version of annals made it: its format is {format}");
        found.find(Verdict::Unreadable, "bundle", bag::BAG_INFO, told);
        return None;
    }
    Some(())
}

/// The largest file that is read as a whole, beside manifests.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// Reads a small file. Returns `None` when it is missing, unreadable or not small.
pub(super) fn small(disk: &dyn Disk, path: &str) -> Option<Vec<u8>> {
    whole(disk, path, SMALL_BYTES_MAX).ok()
}

fn whole(disk: &dyn Disk, path: &str, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(Path::new(path), OpenMode::Read)?;
    let len = file.size()?;
    let fits = usize::try_from(len).ok().filter(|_| len <= max);
    let mut bytes = vec![0; fits.ok_or(io::ErrorKind::FileTooLarge)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// From so many bytes on, files are read by as many threads as there are processors.
const SHARED_BYTES: u64 = 16 << 20;

/// Reads every file, and returns them by path.
fn digest_all<'a>(
    disk: &dyn Disk,
    paths: &'a BTreeMap<String, u64>,
) -> BTreeMap<&'a str, io::Result<Found>> {
    let mut queue: Vec<(&str, u64)> = paths.iter().map(|(path, len)| (&**path, *len)).collect();
    let total = queue
        .iter()
        .fold(0, |sum, (_, len)| len.saturating_add(sum));
    let workers = match std::thread::available_parallelism() {
        Ok(processors) if total >= SHARED_BYTES => processors.get().min(queue.len()),
        _ => 1,
    };
    // The longest comes last, and is taken first.
    queue.sort_unstable_by_key(|(_, len)| *len);
    let queue = Mutex::new(queue);
    let work = || {
        let mut done = BTreeMap::new();
        loop {
            let next = queue.lock().expect("no panic while held").pop();
            let Some((path, _)) = next else {
                return done;
            };
            done.insert(path, digest(disk, path));
        }
    };
    if workers == 1 {
        return work();
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(ScopedJoinHandle::join);
        done.flat_map(|done| done.expect("reading does not panic"))
            .collect()
    })
}

fn digest(disk: &dyn Disk, path: &str) -> io::Result<Found> {
    let file = disk.open(Path::new(path), OpenMode::Read)?;
    let bytes = file.size()?;
    let is_content = path.starts_with(bag::BLOBS);
    let (mut sha256, mut blake3) = (sha2::Sha256::new(), blake3::Hasher::new());
    let mut piece = Vec::new();
    let mut at = 0;
    while at < bytes {
        let len = usize::try_from(bytes - at).unwrap_or(PIECE_BYTES);
        piece.resize(len.min(PIECE_BYTES), 0);
        file.read_exact_at(&mut piece, at)?;
        sha256.update(&piece);
        if is_content {
            blake3.update(&piece);
        }
        at += piece.len() as u64;
    }
    Ok(Found {
        sha256: Sha256::from_bytes(sha256.finalize().into()),
        bytes,
        blake3: is_content.then(|| BlobId::from_bytes(*blake3.finalize().as_bytes())),
    })
}

/// Compares the files that a manifest is for with those it lists.
fn compare(
    disk: &dyn Disk,
    manifest: &str,
    files: &Files,
    is_for: impl Fn(&str) -> bool,
    found: &mut Verified,
    events_differ: &mut bool,
) {
    let bytes = match whole(disk, manifest, bag::MANIFEST_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.find(Verdict::Incomplete, "file", manifest, "it is missing");
            return;
        }
        Err(error) => {
            let told = format!("it cannot be read: {error}");
            found.find(Verdict::Unreadable, "file", manifest, told);
            return;
        }
    };
    let listed: Digests = match bag::parse_manifest(&bytes) {
        Ok(listed) => listed,
        Err(error) => {
            found.find(Verdict::Tampered, "file", manifest, error);
            return;
        }
    };
    let there = files.iter().filter(|(path, _)| is_for(path));
    let there: BTreeMap<&str, &Found> = there.map(|(path, file)| (&**path, file)).collect();
    for (path, sha256) in &listed {
        match there.get(&**path) {
            None => found.find(Verdict::Incomplete, "file", path, "it is missing"),
            Some(file) if file.sha256 == *sha256 => {}
            Some(_) if path == bag::EVENTS => *events_differ = true,
            Some(_) => found.find(
                Verdict::Tampered,
                "file",
                path,
                format!("its bytes are not those that {manifest} lists"),
            ),
        }
    }
    let listed: BTreeSet<&str> = listed.keys().map(|path| &**path).collect();
    for path in there.keys().filter(|path| !listed.contains(*path)) {
        let told = format!("it is not listed in {manifest}");
        found.find(Verdict::Tampered, "file", path, told);
    }
}
