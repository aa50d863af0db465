//! Copies a sealed file from one disk to another, durably, and checks sealed files.

use std::io;
use std::path::Path;

use sha2::Digest;

use super::options::Stop;
use super::target::Sealed;
use crate::archive::files::lost_event::is_lost;
use crate::blob::pack_reader::PackReader;
use crate::disk::{Disk, OpenMode};
use crate::evidence::tree::Frontier;
use crate::format::catalog::{TAIL_BYTES, tail_checksum};
use crate::id::{Sha256, StoreId};
use crate::log::SegmentReader;

/// Bytes that are copied or read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Why a file was not copied.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The source file is gone.
    Vanished,
    /// The run was asked to end.
    Stopped,
    /// The source cannot be read.
    Read(io::Error),
    /// The copy cannot be written.
    Write(io::Error),
}

/// The digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digested {
    pub(super) bytes: u64,
    pub(super) sha256: Sha256,
    /// See [`tail_checksum`].
    pub(super) tail: u32,
}

/// Reads a file to its end, and hands each piece to `take` with its place.
pub(super) fn read(
    disk: &dyn Disk,
    path: &Path,
    stop: &Stop,
    mut take: impl FnMut(&[u8], u64) -> Result<(), CopyError>,
) -> Result<Digested, CopyError> {
    let file = disk
        .open(path, OpenMode::Read)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CopyError::Vanished,
            _ => CopyError::Read(error),
        })?;
    let bytes = file.size().map_err(CopyError::Read)?;
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut tail: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < bytes {
        if stop.is_asked() {
            return Err(CopyError::Stopped);
        }
        let len = usize::try_from(bytes - at)
            .unwrap_or(PIECE_BYTES)
            .min(PIECE_BYTES);
        let piece = &mut piece[..len];
        file.read_exact_at(piece, at).map_err(CopyError::Read)?;
        hasher.update(&piece);
        take(piece, at)?;
        // The end may lie across two pieces.
        tail.extend_from_slice(&piece[len.saturating_sub(TAIL_BYTES)..]);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        at += len as u64;
    }
    Ok(Digested {
        bytes,
        sha256: Sha256::from_bytes(hasher.finalize().into()),
        tail: tail_checksum(&tail),
    })
}

/// Copies a file to a free name, durably except for the name. On an error the copy is removed.
pub(super) fn copy(
    from: &dyn Disk,
    path: &Path,
    to: &dyn Disk,
    tmp: &Path,
    stop: &Stop,
    mut written: impl FnMut(u64),
) -> Result<Digested, CopyError> {
    let file = to
        .open(tmp, OpenMode::CreateNew)
        .map_err(CopyError::Write)?;
    let copied = read(from, path, stop, |piece, at| {
        file.write_all_at(piece, at).map_err(CopyError::Write)?;
        written(piece.len() as u64);
        Ok(())
    })
    .and_then(|copied| {
        file.sync().map_err(CopyError::Write)?;
        file.forget_cached();
        Ok(copied)
    });
    if copied.is_err() {
        // The first error is returned; the next run removes what stays.
        let _ = to.remove(tmp);
    }
    copied
}

/// Reads all of a sealed file. Returns what is wrong with it, if anything.
///
/// `before` is the tree over all events before a segment, if it is known. A sound segment adds its
/// events.
pub(super) fn check(
    disk: &dyn Disk,
    path: &Path,
    sealed: Sealed,
    store: &StoreId,
    stop: &Stop,
    before: &mut Option<Frontier>,
) -> Result<Option<String>, CopyError> {
    match sealed {
        Sealed::Segment(first) => {
            let tree = before.take();
            let opened = SegmentReader::open_at(disk, path.to_owned(), store, first);
            match opened {
                Ok(segment) => check_segment(&segment, tree, stop, before),
                Err(error) => Ok(Some(error.to_string())),
            }
        }
        Sealed::Pack(id) => {
            let pack = match PackReader::open(disk, path) {
                Ok(pack) => pack,
                Err(error) => return Ok(Some(error.to_string())),
            };
            if pack.header().pack != id || pack.header().store != *store {
                return Ok(Some("it is another pack, or another store's".to_owned()));
            }
            let listed = match pack.listed() {
                Ok(listed) => listed,
                Err(error) => return Ok(Some(error.to_string())),
            };
            for entry in listed {
                if stop.is_asked() {
                    return Err(CopyError::Stopped);
                }
                if let Err(error) = pack.read_plain(entry.offset, entry.len, &entry.id) {
                    return Ok(Some(error.to_string()));
                }
            }
            Ok(None)
        }
    }
}

fn check_segment(
    segment: &SegmentReader,
    mut tree: Option<Frontier>,
    stop: &Stop,
    after: &mut Option<Frontier>,
) -> Result<Option<String>, CopyError> {
    let footer = match segment.footer() {
        Ok(footer) => footer,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let (mut events, mut stands) = (0, false);
    for block in &footer.blocks {
        if stop.is_asked() {
            return Err(CopyError::Stopped);
        }
        let plain = match segment.block(block) {
            Ok(plain) => plain,
            Err(error) => return Ok(Some(error.to_string())),
        };
        for leaf in plain[..plain.len() - 1].split(|byte| *byte == b'\n') {
            events += 1;
            stands |= is_lost(leaf);
            if let Some(tree) = &mut tree {
                tree.push(leaf);
            }
        }
    }
    let said = segment.last_seq().0 + 1 - segment.first_seq().0;
    if events != said || footer.tree_size != segment.last_seq().0 {
        return Ok(Some(format!("it holds {events} events instead of {said}")));
    }
    // A segment that a repair made has the tree over the original events.
    let is_other = tree.is_some_and(|tree| tree.root() != footer.tree_root);
    if is_other && !stands {
        return Ok(Some(
            "its events are not the ones its tree was made over".to_owned(),
        ));
    }
    *after = segment.frontier().ok();
    Ok(None)
}

/// Compares a file with its known digest. Returns what is wrong, if anything.
pub(super) fn compare(
    disk: &dyn Disk,
    path: &Path,
    known: &Sha256,
    bytes: u64,
    stop: &Stop,
) -> Result<Option<String>, CopyError> {
    match read(disk, path, stop, |_, _| Ok(())) {
        Ok(found) if found.sha256 == *known => Ok(None),
        Ok(found) if found.bytes != bytes => Ok(Some(format!(
            "it has {} bytes instead of {bytes}",
            found.bytes
        ))),
        Ok(_) => Ok(Some("its bytes are not those that were copied".to_owned())),
        Err(CopyError::Vanished) => Ok(Some("it is missing".to_owned())),
        Err(CopyError::Read(error)) => Ok(Some(format!("it cannot be read: {error}"))),
        Err(other) => Err(other),
    }
}
