//! A file that is never written: everything that redb writes to it stays in memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::disk::DiskFile;

/// A file that is never written. Written pages stay in memory.
pub(super) struct Scratch {
    file: Arc<dyn DiskFile>,
    file_bytes: u64,
    state: Mutex<ScratchState>,
}

struct ScratchState {
    len: u64,
    /// How much of the file is still valid. Truncating and growing must not bring old bytes back.
    file_len: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

const PAGE_BYTES: usize = 4096;

impl Scratch {
    pub(super) fn over(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.size()?;
        Ok(Self {
            file,
            file_bytes: len,
            state: Mutex::new(ScratchState {
                len,
                file_len: len,
                pages: BTreeMap::new(),
            }),
        })
    }

    fn page(&self, state: &ScratchState, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(page) = state.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE_BYTES].into_boxed_slice();
        let start = number * PAGE_BYTES as u64;
        let there = state.file_len.min(self.file_bytes).saturating_sub(start);
        let there = usize::try_from(there).unwrap_or(PAGE_BYTES).min(PAGE_BYTES);
        self.file.read_exact_at(&mut page[..there], start)?;
        Ok(page)
    }
}

/// Returns the pieces of `len` bytes from `offset`, cut at page boundaries: page number, range in
/// the page, and range in the `len` bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let page = at / PAGE_BYTES as u64;
        let within = usize::try_from(at % PAGE_BYTES as u64).expect("less than a page");
        let count = (PAGE_BYTES - within).min(len - done);
        let piece = (page, within..within + count, done..done + count);
        done += count;
        Some(piece)
    })
}

impl DiskFile for Scratch {
    fn size(&self) -> io::Result<u64> {
        Ok(self.state.lock().expect("no panic while held").len)
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state.lock().expect("no panic while held");
        if offset
            .checked_add(out.len() as u64)
            .is_none_or(|end| end > state.len)
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, from, to) in pieces(offset, out.len()) {
            out[to].copy_from_slice(&self.page(&state, number)?[from]);
        }
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock().expect("no panic while held");
        for (number, to, from) in pieces(offset, bytes.len()) {
            let mut page = self.page(&state, number)?;
            page[to].copy_from_slice(&bytes[from]);
            state.pages.insert(number, page);
        }
        state.len = state.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock().expect("no panic while held");
        state.file_len = state.file_len.min(len);
        let whole = len.div_ceil(PAGE_BYTES as u64);
        state.pages.retain(|number, _| *number < whole);
        if let Some(page) = state.pages.get_mut(&(len / PAGE_BYTES as u64)) {
            let kept = usize::try_from(len % PAGE_BYTES as u64).expect("less than a page");
            page[kept..].fill(0);
        }
        state.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
