//! What the machine does without a store: the floor every number is held against.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use sha2::Digest;

use crate::figures::seconds;
use crate::{Result, THREADS};

/// Files that share a sync in the bare loop.
const SYNC_EVERY: usize = 64;

/// A file of zeros that is overwritten front to back, each write made durable: the cheapest durable
/// append there is.
pub(crate) struct ZeroedFile {
    file: File,
    bytes: u64,
    end: u64,
}

impl ZeroedFile {
    pub(crate) fn create(path: &Path, bytes: u64) -> io::Result<Self> {
        const PIECE: usize = 1 << 20;
        // One that is there is written again: to cut it would have the device discard its blocks
        // while something is measured.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let zeros = vec![0; PIECE];
        let mut at = 0;
        while at < bytes {
            file.write_all_at(&zeros, at)?;
            at += PIECE as u64;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            bytes,
            end: 0,
        })
    }

    /// Writes without a sync; starts over at the end of the file.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.end + bytes.len() as u64 > self.bytes {
            self.end = 0;
        }
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What the bare loop does to each file beside reading, compressing and appending it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashes {
    Blake3,
    /// What a store records of each file.
    Blake3AndSha256,
}

/// Reads, hashes, compresses (zstd 1, with the dictionary if there is one) and appends every file,
/// one fdatasync for each
/// [`SYNC_EVERY`], on as many threads as there are cores. Files a second.
pub(crate) fn archive_loop(
    dir: &Path,
    files: &[PathBuf],
    hashes: Hashes,
    dictionary: &[u8],
) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let mut outputs = (0..THREADS)
        .map(|nth| ZeroedFile::create(&dir.join(format!("bare-{nth}")), 64 << 20))
        .collect::<io::Result<Vec<_>>>()?;
    let began = Instant::now();
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = outputs
            .iter_mut()
            .map(|output| scope.spawn(|| work(&next, files, output, hashes, dictionary)))
            .collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| "a thread of the bare loop panicked")??;
        }
        Ok(())
    })?;
    Ok(files.len() as f64 / seconds(began.elapsed()))
}

fn work(
    next: &AtomicUsize,
    files: &[PathBuf],
    output: &mut ZeroedFile,
    hashes: Hashes,
    dictionary: &[u8],
) -> io::Result<()> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(1, dictionary)?;
    let mut unsynced = 0;
    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let content = std::fs::read(path)?;
        let mut record = blake3::hash(&content).as_bytes().to_vec();
        if hashes == Hashes::Blake3AndSha256 {
            record.extend_from_slice(&sha2::Sha256::digest(&content));
        }
        record.extend(compressor.compress(&content)?);
        output.append(&record)?;
        unsynced += 1;
        if unsynced == SYNC_EVERY {
            output.sync()?;
            unsynced = 0;
        }
    }
    output.sync()
}
