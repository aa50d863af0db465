//! A disk in memory that loses power, fails, fills up and rots, always in the same way.
//!
//! It keeps the contract of [`Disk`] and not a byte more. Every operation is logged with its bytes, and
//! [`SimDisk::crash_images`] makes from the log each state a real disk could be in if the power went after any of them:
//!
//! - what was synced is there: content and length by [`DiskFile::sync`], names by [`Disk::sync_dir`];
//! - of the rest each operation may have arrived, or not, or in part, in any order. Files do not wait for each other,
//!   nor names for content; a file whose name was never synced may be gone with all its synced content;
//! - a rename may be undone until both directories are synced. With only the target's synced the file has its new
//!   name and perhaps the old one too;
//! - after a failed sync the unsynced writes are never durable, though they can be read until the power goes, and the
//!   next sync answers `Ok`: so kernels do.
//!
//! Media damage ([`SimDisk::flip_bit`] and its neighbours) goes behind the store's back and is durable at once.

use std::collections::BTreeSet;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{DirEntry, Disk, DiskFile, DiskLock, OpenMode};

mod crash;
mod fault;
#[cfg(test)]
mod tests;
mod tree;

use crash::{Logged, Op};
use fault::{Planned, pattern};
use tree::{Content, FILE_BYTES_MAX, Node, PAGE_BYTES, ROOT, Tree};

pub use crash::{CrashImage, CrashImages, Variants};
pub use fault::{Call, Census, Fault, Repeat};

/// A simulated disk. Clones are the same disk; [`SimDisk::snapshot`] is another one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    /// What was durable when the log began.
    base: Tree,
    /// What a running process sees.
    live: Tree,
    log: Arc<Vec<Logged>>,
    next_node: u64,
    locked: BTreeSet<Node>,
    capacity: Option<u64>,
    fault: Option<Planned>,
    struck: u64,
    calls: u64,
    census: Census,
    struck_calls: Census,
    ignored_sync: Option<IgnoredSync>,
    write_takes: Duration,
}

type IgnoredSync = Arc<dyn Fn(Call, &str) -> bool + Send + Sync>;

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::holding(Tree::new(), ROOT.0 + 1)
    }

    /// A disk on which all of `tree` is durable.
    fn holding(tree: Tree, next_node: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            base: tree.clone(),
            live: tree,
            log: Arc::default(),
            next_node,
            locked: BTreeSet::new(),
            capacity: None,
            fault: None,
            struck: 0,
            calls: 0,
            census: Census::default(),
            struck_calls: Census::default(),
            ignored_sync: None,
            write_takes: Duration::ZERO,
        })))
    }

    /// Another disk with the same content, synced and unsynced, and the same capacity, but with no locks and no
    /// faults: what a process finds that starts after this one was killed.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let state = self.state();
        let copy = Self::holding(state.live.clone(), state.next_node);
        {
            let mut copy = copy.state();
            copy.base = state.base.clone();
            copy.log = Arc::clone(&state.log);
            copy.capacity = state.capacity;
        }
        copy
    }

    /// Makes all there is durable, and begins a new log.
    pub fn settle(&self) {
        let mut state = self.state();
        state.base = state.live.clone();
        state.log = Arc::default();
    }

    /// How many operations have been logged: everything that changes the disk or makes changes durable. Ask for it
    /// right after an acknowledgement to know which power cuts must keep what was acknowledged.
    pub fn ops(&self) -> usize {
        self.state().log.len()
    }

    /// The logged operations, told in words.
    pub fn describe_ops(&self) -> Vec<String> {
        self.state().log.iter().map(Logged::to_string).collect()
    }

    /// What the disk may hold if the power goes after so many operations, for each number in `cuts`; `..` is every
    /// one from 0 (before the first) to [`ops`](Self::ops). Images of one cut differ from each other.
    pub fn crash_images(&self, cuts: impl RangeBounds<usize>, variants: &Variants) -> CrashImages {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let state = self.state();
        let start = match cuts.start_bound() {
            Included(start) => *start,
            Excluded(before) => before.saturating_add(1),
            Unbounded => 0,
        };
        let end = match cuts.end_bound() {
            Included(last) => last.saturating_add(1),
            Excluded(end) => *end,
            Unbounded => usize::MAX,
        };
        CrashImages::new(
            state.base.clone(),
            Arc::clone(&state.log),
            state.next_node,
            start..end,
            variants.clone(),
        )
    }

    /// Equal for disks with equal names and bytes, and in practice only for those. Cheap for images of one run, whose
    /// pages are shared: a test can skip an image that it has checked already with the same acknowledgements.
    pub fn fingerprint(&self) -> u128 {
        self.state().live.fingerprint()
    }

    /// Lets a call fail, and perhaps all after it: the first call `fault` can strike that has at least `calls` calls of
    /// any kind between now and itself. Replaces the fault planned before.
    pub fn fail_at(&self, calls: u64, fault: Fault, repeat: Repeat) {
        let mut state = self.state();
        state.fault = Some(Planned {
            from_call: state.calls.saturating_add(calls),
            fault,
            repeat,
        });
    }

    /// Takes back the fault planned with [`fail_at`](Self::fail_at).
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// How many calls have failed by [`fail_at`](Self::fail_at) so far. A loop over its argument is through when
    /// nothing was struck.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// How many calls of any kind have been made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How often each kind of call was made on which files.
    pub fn census(&self) -> Census {
        self.state().census.clone()
    }

    /// How often each kind of call on which files has failed by [`fail_at`](Self::fail_at).
    pub fn struck_census(&self) -> Census {
        self.state().struck_calls.clone()
    }

    /// How many bytes fit, in pages of 4 KiB; `None` is no end. Holes take no space. A write does what fits and then
    /// fails; a disk with no page left makes no files.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes taken by files that have a name, in pages of 4 KiB.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Lets [`Call::Sync`] and [`Call::SyncDir`] of the paths `of` picks answer `Ok` and do nothing. This breaks a
    /// store as forgetting the call would, to prove that a test notices.
    pub fn ignore_syncs(&self, of: impl Fn(Call, &str) -> bool + Send + Sync + 'static) {
        self.state().ignored_sync = Some(Arc::new(of));
    }

    /// Lets every write take so long before it begins. Whoever was told too early has the time to go on.
    pub fn slow_down(&self, write_takes: Duration) {
        self.state().write_takes = write_takes;
    }

    /// All files with their lengths, sorted by path.
    pub fn files(&self) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        self.state()
            .live
            .each_file(|path, content| files.push((path.to_owned(), content.len())));
        files.sort();
        files
    }

    /// The content of a file.
    pub fn content(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let state = self.state();
        let file = state.live.find_file(path.as_ref())?;
        Ok(state
            .live
            .files
            .get(&file)
            .map_or_else(Vec::new, Content::to_vec))
    }

    /// Damage: flips a bit, counted from the lowest of the first byte.
    pub fn flip_bit(&self, path: impl AsRef<Path>, bit: u64) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            let mut byte = [0];
            if !content.read(&mut byte, bit / 8) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            content.write(&[byte[0] ^ (1 << (bit % 8))], bit / 8);
            Ok(())
        })
    }

    /// Damage: cuts a file, or extends it with zeros.
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            bounded(len, 0)?;
            content.set_len(len);
            Ok(())
        })
    }

    /// Damage: other bytes at `offset`, also past the end.
    pub fn overwrite(&self, path: impl AsRef<Path>, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            bounded(offset, bytes.len())?;
            content.write(bytes, offset);
            Ok(())
        })
    }

    /// Damage: a file with this content, new or in place of the one there. Open handles keep the old one.
    pub fn plant(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        bounded(0, bytes.len())?;
        self.state().plant(path.as_ref(), None, Content::new(bytes))
    }

    /// Damage: a copy of one file, new or in place of the one there.
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(from.as_ref())?;
        let content = state.live.content_mut(file).clone();
        state.plant(to.as_ref(), None, content)
    }

    /// Damage: the file is gone.
    pub fn lose(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(path.as_ref())?;
        let (dir, name) = state.live.find_parent(path.as_ref())?;
        state.live.unlink(dir, &name, file);
        state.log(&text(path.as_ref())?, Op::Uproot { dir, name, file });
        Ok(())
    }

    fn damage(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Content) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(path)?;
        let mut content = state.live.content_mut(file).clone();
        change(&mut content)?;
        state.plant(path, Some(file), content)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already; the others may go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and lets it fail if its turn has come.
    fn begin(&self, call: Call, path: &Path) -> io::Result<(MutexGuard<'_, State>, Arc<str>)> {
        let path = text(path)?;
        let mut state = self.state();
        match state.strike(call, &pattern(&path)) {
            Some(fault) => Err(fault.error()),
            None => Ok((state, path)),
        }
    }
}

impl State {
    fn strike(&mut self, call: Call, pattern: &Arc<str>) -> Option<Fault> {
        self.census.count(call, pattern);
        let now = self.calls;
        self.calls += 1;
        let planned = self.fault.as_ref()?;
        if now < planned.from_call || !planned.fault.strikes(call) {
            return None;
        }
        let fault = planned.fault;
        if planned.repeat == Repeat::Once {
            self.fault = None;
        }
        self.struck += 1;
        self.struck_calls.count(call, pattern);
        Some(fault)
    }

    fn log(&mut self, path: &Arc<str>, op: Op) {
        let path = Arc::clone(path);
        // Copies the log if images made earlier still read it.
        Arc::make_mut(&mut self.log).push(Logged { op, path });
    }

    fn new_node(&mut self) -> Node {
        let node = Node(self.next_node);
        self.next_node += 1;
        node
    }

    fn create(&mut self, path: &Arc<str>) -> io::Result<Node> {
        let (dir, name) = self.live.find_parent(Path::new(&**path))?;
        if self.live.get(dir, &name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.need_page()?;
        let file = self.new_node();
        self.live.files.insert(file, Content::default());
        self.live.link(dir, &name, file);
        self.log(path, Op::Create { dir, name, file });
        Ok(file)
    }

    /// Gives `path` to `file`, or to a new file, with this content.
    fn plant(&mut self, path: &Path, file: Option<Node>, content: Content) -> io::Result<()> {
        let (dir, name) = self.live.find_parent(path)?;
        if self
            .live
            .get(dir, &name)
            .is_some_and(|node| self.live.dirs.contains_key(&node))
        {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = file.unwrap_or_else(|| self.new_node());
        self.live.files.insert(file, content.clone());
        self.live.link(dir, &name, file);
        self.log(
            &text(path)?,
            Op::Plant {
                dir,
                name,
                file,
                content,
            },
        );
        Ok(())
    }

    fn used_bytes(&self) -> u64 {
        self.live.pages_held() * PAGE_BYTES
    }

    fn free_pages(&self) -> u64 {
        let free = |capacity: u64| capacity.saturating_sub(self.used_bytes()) / PAGE_BYTES;
        self.capacity.map_or(u64::MAX, free)
    }

    fn need_page(&self) -> io::Result<()> {
        if self.free_pages() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn ignores(&self, call: Call, path: &str) -> bool {
        self.ignored_sync.as_ref().is_some_and(|of| of(call, path))
    }
}

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

    /// Writes what fits; a call that fails in the middle has done what came before.
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
        // Within the bound it is a usize.
        let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
        self.write(Call::Reserve, &zeros, 0)
    }

    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        bounded(to, 0)?;
        // Within the bound it is a usize.
        let zeros = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        self.write(Call::Erase, &zeros, from)
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

/// The path with `/` between its names, on every system.
fn text(path: &Path) -> io::Result<Arc<str>> {
    let mut out = String::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::Normal(name) => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(name.to_str().ok_or(io::ErrorKind::InvalidInput)?);
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(out.into())
}

fn bounded(offset: u64, len: usize) -> io::Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= FILE_BYTES_MAX => Ok(()),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}
