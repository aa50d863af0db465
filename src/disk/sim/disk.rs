//! A disk in memory: its state, the faults planned for it, and its images after a power cut.

use super::crash::{CrashImages, Variants};
use super::crash::{Logged, Op};
use super::fault::{Call, Census, Fault, Repeat};
use super::fault::{Planned, pattern};
use super::tree::{Content, FILE_BYTES_MAX, Node, PAGE_BYTES, ROOT, Tree};
use std::collections::BTreeSet;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A simulated disk. Clones share one disk; [`SimDisk::snapshot`] makes another.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

pub(super) struct State {
    /// The durable state when the log began.
    pub(super) base: Tree,
    /// The state that a running process sees.
    pub(super) live: Tree,
    pub(super) log: Arc<Vec<Logged>>,
    pub(super) next_node: u64,
    pub(super) locked: BTreeSet<Node>,
    pub(super) capacity: Option<u64>,
    pub(super) fault: Option<Planned>,
    pub(super) struck: u64,
    pub(super) calls: u64,
    pub(super) census: Census,
    pub(super) struck_calls: Census,
    pub(super) ignored_sync: Option<IgnoredSync>,
    pub(super) write_takes: Duration,
}

type IgnoredSync = Arc<dyn Fn(Call, &str) -> bool + Send + Sync>;

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// Returns an empty disk.
    pub fn new() -> Self {
        Self::holding(Tree::new(), ROOT.0 + 1)
    }

    /// Returns a disk on which `tree` is durable.
    pub(super) fn holding(tree: Tree, next_node: u64) -> Self {
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

    /// Returns another disk with equal content, synced and unsynced, and equal capacity, but
    /// without locks and faults. A process that starts after this one was killed finds such a disk.
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

    /// Makes everything durable, and starts a new log.
    pub fn settle(&self) {
        let mut state = self.state();
        state.base = state.live.clone();
        state.log = Arc::default();
    }

    /// Returns the number of logged operations. Operations that change the disk or make changes
    /// durable are logged.
    ///
    /// A test reads it right after an acknowledgement. Every power cut at this number or later must
    /// keep what was acknowledged.
    pub fn ops(&self) -> usize {
        self.state().log.len()
    }

    /// Returns a description of each logged operation.
    pub fn describe_ops(&self) -> Vec<String> {
        self.state().log.iter().map(Logged::to_string).collect()
    }

    /// Returns the states the disk may be in after a power cut, for each number of operations in
    /// `cuts`.
    ///
    /// `..` means every number from 0 (before the first operation) to [`ops`](Self::ops). The
    /// images of one cut differ from each other.
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

    /// Returns a number that is equal for disks with equal names and bytes, and in practice only
    /// for those.
    ///
    /// It is cheap for images of one run, whose pages are shared. A test can use it to skip an
    /// image that it has checked with the same acknowledgements.
    pub fn fingerprint(&self) -> u128 {
        self.state().live.fingerprint()
    }

    /// Plans a fault. It strikes the first suitable call after `calls` further calls of any kind,
    /// and perhaps all later calls. Replaces an earlier plan.
    pub fn fail_at(&self, calls: u64, fault: Fault, repeat: Repeat) {
        let mut state = self.state();
        state.fault = Some(Planned {
            from_call: state.calls.saturating_add(calls),
            fault,
            repeat,
        });
    }

    /// Cancels the fault planned with [`fail_at`](Self::fail_at).
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Returns how many calls have failed through [`fail_at`](Self::fail_at). A test that tries
    /// growing numbers of calls is complete when nothing failed.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Returns how many calls of any kind have been made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Returns how many times each kind of call was made, by pattern of path.
    pub fn census(&self) -> Census {
        self.state().census.clone()
    }

    /// Returns how many times each kind of call has failed through [`fail_at`](Self::fail_at), by
    /// pattern of path.
    pub fn struck_census(&self) -> Census {
        self.state().struck_calls.clone()
    }

    /// Sets the capacity in bytes, counted in pages of 4 KiB; `None` means no limit. Holes take no
    /// space. A write stores what fits and then fails. A disk without a free page makes no files.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Returns how many bytes the files with a name take, in pages of 4 KiB.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Makes [`Call::Sync`] and [`Call::SyncDir`] return `Ok` without effect, for the paths that
    /// `of` selects. This imitates a store that forgets the call, to prove that a test notices.
    pub fn ignore_syncs(&self, of: impl Fn(Call, &str) -> bool + Send + Sync + 'static) {
        self.state().ignored_sync = Some(Arc::new(of));
    }

    /// Delays every write. Code that was acknowledged too early then has time to continue before
    /// the write.
    pub fn slow_down(&self, write_takes: Duration) {
        self.state().write_takes = write_takes;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already. The others may continue.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and returns an error if the planned fault strikes it.
    pub(super) fn begin(
        &self,
        call: Call,
        path: &Path,
    ) -> io::Result<(MutexGuard<'_, State>, Arc<str>)> {
        let path = text(path)?;
        let mut state = self.state();
        match state.strike(call, &pattern(&path)) {
            Some(fault) => Err(fault.error()),
            None => Ok((state, path)),
        }
    }
}

impl State {
    pub(super) fn strike(&mut self, call: Call, pattern: &Arc<str>) -> Option<Fault> {
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

    pub(super) fn log(&mut self, path: &Arc<str>, op: Op) {
        let path = Arc::clone(path);
        // This copies the log if earlier images still use it.
        Arc::make_mut(&mut self.log).push(Logged { op, path });
    }

    pub(super) fn new_node(&mut self) -> Node {
        let node = Node(self.next_node);
        self.next_node += 1;
        node
    }

    pub(super) fn create(&mut self, path: &Arc<str>) -> io::Result<Node> {
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

    /// Points `path` to `file`, or to a new file, with this content.
    pub(super) fn plant(
        &mut self,
        path: &Path,
        file: Option<Node>,
        content: Content,
    ) -> io::Result<()> {
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

    pub(super) fn used_bytes(&self) -> u64 {
        self.live.pages_held() * PAGE_BYTES
    }

    pub(super) fn free_pages(&self) -> u64 {
        let free = |capacity: u64| capacity.saturating_sub(self.used_bytes()) / PAGE_BYTES;
        self.capacity.map_or(u64::MAX, free)
    }

    pub(super) fn need_page(&self) -> io::Result<()> {
        if self.free_pages() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn ignores(&self, call: Call, path: &str) -> bool {
        self.ignored_sync.as_ref().is_some_and(|of| of(call, path))
    }
}

/// Returns the path with `/` as separator, on every system.
pub(super) fn text(path: &Path) -> io::Result<Arc<str>> {
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

pub(super) fn bounded(offset: u64, len: usize) -> io::Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= FILE_BYTES_MAX => Ok(()),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}
