//! Implements the disk interface on a simulated disk.

use super::crash::Op;
use super::disk::{SimDisk, State, bounded, text};
use super::fault::pattern;
use super::fault::{Call, Fault};
use super::tree::{Content, Node, PAGE_BYTES};
use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, OpenMode};
use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let call = match mode {
            OpenMode::Read => Call::Open,
            OpenMode::Write => Call::OpenToWrite,
            OpenMode::CreateNew => Call::Create,
        };
        let (mut state, path) = self.begin(call, path)?;
        let node = match mode {
            OpenMode::Read | OpenMode::Write => state.live.find_file(Path::new(&*path))?,
            OpenMode::CreateNew => state.create(&path)?,
        };
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            node,
            pattern: pattern(&path),
            path,
            writable: mode != OpenMode::Read,
        }))
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, path) = self.begin(Call::MakeDir, path)?;
        if state.live.find(Path::new(&*path)).is_ok() {
            return Ok(());
        }
        let (dir, name) = state.live.find_parent(Path::new(&*path))?;
        state.need_page()?;
        let made = state.new_node();
        state.live.dirs.insert(made, Arc::default());
        state.live.link(dir, &name, made);
        state.log(&path, Op::MakeDir { dir, name, made });
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let (state, dir) = self.begin(Call::List, dir)?;
        let dir = state.live.find(Path::new(&*dir))?;
        let entry = |(name, node): (&Arc<str>, &Node)| {
            let content = state.live.files.get(node);
            DirEntry {
                name: name.to_string(),
                is_dir: content.is_none(),
                len: content.map_or(0, Content::len),
            }
        };
        Ok(state.live.names(dir)?.iter().map(entry).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let to = text(to)?;
        let (mut state, path) = self.begin(Call::Rename, from)?;
        let node = state.live.find(Path::new(&*path))?;
        if to.len() > path.len() && Path::new(&*to).starts_with(&*path) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let from = state.live.find_parent(Path::new(&*path))?;
        let to = state.live.find_parent(Path::new(&*to))?;
        match state.live.get(to.0, &to.1) {
            Some(target) if target == node => return Ok(()),
            Some(target)
                if !(state.live.files.contains_key(&node)
                    && state.live.files.contains_key(&target)) =>
            {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            _ => {}
        }
        state.live.unlink(from.0, &from.1, node);
        state.live.link(to.0, &to.1, node);
        state.log(&path, Op::Rename { from, to, node });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut state, path) = self.begin(Call::Remove, path)?;
        let file = state.live.find_file(Path::new(&*path))?;
        let (dir, name) = state.live.find_parent(Path::new(&*path))?;
        state.live.unlink(dir, &name, file);
        state.log(&path, Op::Remove { dir, name, file });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let path = text(dir)?;
        let mut state = self.state();
        let fault = state.strike(Call::SyncDir, &pattern(&path));
        let dir = state.live.find(dir)?;
        state.live.names(dir)?;
        if let Some(fault) = fault {
            state.log(&path, Op::FailedSyncDir { dir });
            return Err(fault.error());
        }
        if !state.ignores(Call::SyncDir, &path) {
            state.log(&path, Op::SyncDir { dir });
        }
        Ok(())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let (mut state, path) = self.begin(Call::Lock, path)?;
        let node = match state.live.find_file(Path::new(&*path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.create(&path)?,
            found => found?,
        };
        if !state.locked.insert(node) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock {
            disk: self.clone(),
            node,
        })))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let (state, _) = self.begin(Call::FreeBytes, Path::new(""))?;
        Ok(state.free_pages().saturating_mul(PAGE_BYTES))
    }
}

struct SimFile {
    disk: SimDisk,
    node: Node,
    path: Arc<str>,
    pattern: Arc<str>,
    writable: bool,
}

impl SimFile {
    fn begin(&self, call: Call) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.disk.state();
        let fault = state.strike(call, &self.pattern);
        (state, fault)
    }

    fn begin_unless_struck(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        match self.begin(call) {
            (state, None) => Ok(state),
            (_, Some(fault)) => Err(fault.error()),
        }
    }

    /// Writes what fits. A call that fails in the middle has written the bytes before.
    fn write(&self, call: Call, bytes: &[u8], offset: u64) -> io::Result<()> {
        let takes = self.disk.state().write_takes;
        if !takes.is_zero() {
            std::thread::sleep(takes);
        }
        let (mut state, fault) = self.begin(call);
        self.must_be_writable()?;
        bounded(offset, bytes.len())?;
        let done = match fault {
            None => bytes.len(),
            Some(Fault::ShortWrite(done)) => done.min(bytes.len()),
            Some(fault) => return Err(fault.error()),
        };
        let fitting = if state.capacity.is_some() {
            let free = state.free_pages();
            let content = state.live.content_mut(self.node);
            content.fitting(done, offset, free)
        } else {
            done
        };
        let written = &bytes[..fitting];
        if !written.is_empty() {
            state.live.content_mut(self.node).write(written, offset);
            state.log(
                &self.path,
                Op::Write {
                    file: self.node,
                    offset,
                    bytes: written.into(),
                },
            );
        }
        match fault {
            Some(fault) => Err(fault.error()),
            None if fitting < bytes.len() => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn must_be_writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.begin_unless_struck(Call::Size)?;
        Ok(state.live.content_mut(self.node).len())
    }

    fn allocated(&self) -> io::Result<u64> {
        let mut state = self.begin_unless_struck(Call::Size)?;
        let content = state.live.content_mut(self.node);
        Ok((content.pages_held() * PAGE_BYTES).min(content.len()))
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.begin_unless_struck(Call::Read)?;
        if state.live.content_mut(self.node).read(out, offset) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(Call::Write, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.begin_unless_struck(Call::SetLen)?;
        self.must_be_writable()?;
        bounded(len, 0)?;
        state.live.content_mut(self.node).set_len(len);
        let file = self.node;
        state.log(&self.path, Op::SetLen { file, len });
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        bounded(len, 0)?;
        let mut state = self.begin_unless_struck(Call::Reserve)?;
        self.must_be_writable()?;
        let free = state.capacity.map(|_| state.free_pages());
        let content = state.live.content_mut(self.node);
        if free.is_some_and(|free| content.holes(len) > free) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let before = content.len();
        content.fill_holes(len);
        if before < len {
            // The limit on file lengths makes this fit a usize.
            let zeros = vec![0; usize::try_from(len - before).unwrap_or(0)];
            let op = Op::Write {
                file: self.node,
                offset: before,
                bytes: zeros.into(),
            };
            state.log(&self.path, op);
        }
        Ok(())
    }

    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        bounded(to, 0)?;
        // The limit on file lengths makes this fit a usize.
        let zeros = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        self.write(Call::Erase, &zeros, from)
    }

    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        bounded(to, 0)?;
        let mut state = self.begin_unless_struck(Call::Release)?;
        self.must_be_writable()?;
        let to = to.min(state.live.content_mut(self.node).len());
        if from < to {
            state.live.content_mut(self.node).release(from, to);
            let zeros = vec![0; usize::try_from(to - from).unwrap_or(0)];
            state.log(
                &self.path,
                Op::Write {
                    file: self.node,
                    offset: from,
                    bytes: zeros.into(),
                },
            );
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, fault) = self.begin(Call::Sync);
        let file = self.node;
        if let Some(fault) = fault {
            state.log(&self.path, Op::FailedSync { file });
            return Err(fault.error());
        }
        if !state.ignores(Call::Sync, &self.path) {
            state.log(&self.path, Op::Sync { file });
        }
        Ok(())
    }
}

struct SimLock {
    disk: SimDisk,
    node: Node,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.node);
    }
}
