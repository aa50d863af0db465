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

/// A simulated disk. Clones are the same disk; [`SimDisk::snapshot`] is another one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

pub(super) struct State {
    /// What was durable when the log began.
    pub(super) base: Tree,
    /// What a running process sees.
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

    /// Returns a disk on which all of `tree` is durable.
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

    /// Another disk with the same content, synced and unsynced, and the same capacity, but with no
    /// locks and no faults: what a process finds that starts after this one was killed.
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

    /// Returns how many operations have been logged: everything that changes the disk or makes
    /// changes durable. Ask for it right after an acknowledgement to know which power cuts must
    /// keep what was acknowledged.
    pub fn ops(&self) -> usize {
        self.state().log.len()
    }

    /// Returns the logged operations in words.
    pub fn describe_ops(&self) -> Vec<String> {
        self.state().log.iter().map(Logged::to_string).collect()
    }

    /// What the disk may hold if the power goes after so many operations, for each number in
    /// `cuts`; `..` is every one from 0 (before the first) to [`ops`](Self::ops). Images of one cut
    /// differ from each other.
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

    /// Equal for disks with equal names and bytes, and in practice only for those. Cheap for images
    /// of one run, whose pages are shared: a test can skip an image that it has checked already
    /// with the same acknowledgements.
    pub fn fingerprint(&self) -> u128 {
        self.state().live.fingerprint()
    }

    /// Lets a call fail, and perhaps all after it: the first call `fault` can strike that has at
    /// least `calls` calls of any kind between now and itself. Replaces the fault planned before.
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

    /// Returns how many calls have failed by [`fail_at`](Self::fail_at) so far. A loop over its
    /// argument is through when nothing was struck.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Returns how many calls of any kind have been made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Returns how often each kind of call was made on which files.
    pub fn census(&self) -> Census {
        self.state().census.clone()
    }

    /// Returns how often each kind of call on which files has failed by [`fail_at`](Self::fail_at).
    pub fn struck_census(&self) -> Census {
        self.state().struck_calls.clone()
    }

    /// How many bytes fit, in pages of 4 KiB; `None` is no end. Holes take no space. A write does
    /// what fits and then fails; a disk with no page left makes no files.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Returns how many bytes files with a name take, in pages of 4 KiB.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Lets [`Call::Sync`] and [`Call::SyncDir`] of the paths `of` picks answer `Ok` and do
    /// nothing. This breaks a store as forgetting the call would, to prove that a test notices.
    pub fn ignore_syncs(&self, of: impl Fn(Call, &str) -> bool + Send + Sync + 'static) {
        self.state().ignored_sync = Some(Arc::new(of));
    }

    /// Lets every write take so long before it begins. Whoever was told too early has the time to
    /// go on.
    pub fn slow_down(&self, write_takes: Duration) {
        self.state().write_takes = write_takes;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already; the others may go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and lets it fail if its turn has come.
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
        // Copies the log if images made earlier still read it.
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

    /// Gives `path` to `file`, or to a new file, with this content.
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

/// Returns the path with `/` between its names, on every system.
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
