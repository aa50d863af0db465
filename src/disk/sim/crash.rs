//! Power cuts: which states a disk may be in afterwards.
//!
//! The operations up to the cut are replayed. The result is a state that is certainly durable, and
//! a list of operations that are not. A [`Loss`] then decides what happens to each operation on
//! that list. The image is the durable state with the surviving operations applied.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::disk::SimDisk;
use super::tree::{Content, Node, Tree};

/// One operation that changed the disk or made changes durable.
#[derive(Clone)]
pub(super) struct Logged {
    pub(super) op: Op,
    /// The path of the file at that time.
    pub(super) path: Arc<str>,
}

#[derive(Clone)]
pub(super) enum Op {
    Create {
        dir: Node,
        name: Arc<str>,
        file: Node,
    },
    MakeDir {
        dir: Node,
        name: Arc<str>,
        made: Node,
    },
    Rename {
        from: (Node, Arc<str>),
        to: (Node, Arc<str>),
        node: Node,
    },
    Remove {
        dir: Node,
        name: Arc<str>,
        file: Node,
    },
    Write {
        file: Node,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: Node,
        len: u64,
    },
    Sync {
        file: Node,
    },
    SyncDir {
        dir: Node,
    },
    /// The kernel drops the writes that failed and forgets the failure.
    FailedSync {
        file: Node,
    },
    FailedSyncDir {
        dir: Node,
    },
    /// Damage: from now on the file has this name and content, whatever was synced.
    Plant {
        dir: Node,
        name: Arc<str>,
        file: Node,
        content: Content,
    },
    /// Damage: the name is removed.
    Uproot {
        dir: Node,
        name: Arc<str>,
        file: Node,
    },
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.op {
            Op::Create { .. } => write!(f, "create {path}"),
            Op::MakeDir { .. } => write!(f, "make directory {path}"),
            Op::Rename { to, .. } => write!(f, "rename {path} to {}", to.1),
            Op::Remove { .. } => write!(f, "remove {path}"),
            Op::Write { offset, bytes, .. } => {
                write!(f, "write {} bytes at {offset} of {path}", bytes.len())
            }
            Op::SetLen { len, .. } => write!(f, "set the length of {path} to {len}"),
            Op::Sync { .. } => write!(f, "sync {path}"),
            Op::SyncDir { .. } => write!(f, "sync directory /{path}"),
            Op::FailedSync { .. } => write!(f, "fail to sync {path}"),
            Op::FailedSyncDir { .. } => write!(f, "fail to sync directory /{path}"),
            Op::Plant { .. } => write!(f, "damage {path}"),
            Op::Uproot { .. } => write!(f, "lose {path}"),
        }
    }
}

/// What is certainly on the disk, and what else may be.
#[derive(Clone)]
struct Durable {
    tree: Tree,
    pending: Vec<Pending>,
}

#[derive(Clone, Copy)]
struct Pending {
    op: usize,
    rename: Synced,
}

/// Which of a rename's two directories were synced since the rename.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    Neither,
    /// The whole rename may still be undone. No system removes the old name without adding the new
    /// one.
    Source,
    /// The new name is durable; the old one may come back as well.
    Target,
}

impl Durable {
    fn advance(&mut self, log: &[Logged], at: usize) {
        match &log[at].op {
            Op::Create { file, .. } => {
                self.tree.files.insert(*file, Content::default());
                self.wait(at);
            }
            Op::MakeDir { made, .. } => {
                self.tree.dirs.insert(*made, Arc::default());
                self.wait(at);
            }
            Op::Rename { .. } | Op::Remove { .. } | Op::Write { .. } | Op::SetLen { .. } => {
                self.wait(at);
            }
            Op::Sync { file } => {
                let tree = &mut self.tree;
                self.pending.retain(|pending| {
                    let theirs = log[pending.op].op.data_of() == Some(*file);
                    if theirs {
                        apply_data(tree, &log[pending.op].op, Fate::Whole);
                    }
                    !theirs
                });
            }
            Op::SyncDir { dir } => {
                let tree = &mut self.tree;
                self.pending
                    .retain_mut(|pending| !sync_names(tree, &log[pending.op].op, pending, *dir));
            }
            Op::FailedSync { file } => {
                self.pending
                    .retain(|pending| log[pending.op].op.data_of() != Some(*file));
            }
            Op::FailedSyncDir { dir } => {
                self.pending
                    .retain(|pending| !log[pending.op].op.names_in(*dir));
            }
            Op::Plant {
                dir,
                name,
                file,
                content,
            } => {
                self.pending
                    .retain(|pending| log[pending.op].op.data_of() != Some(*file));
                self.tree.files.insert(*file, content.clone());
                self.tree.link(*dir, name, *file);
            }
            Op::Uproot { dir, name, file } => {
                self.pending
                    .retain(|pending| log[pending.op].op.renames() != Some(*file));
                self.tree.unlink(*dir, name, *file);
            }
        }
    }

    fn wait(&mut self, op: usize) {
        let rename = Synced::Neither;
        self.pending.push(Pending { op, rename });
    }

    fn image(&self, log: &[Logged], loss: Loss) -> Tree {
        let mut tree = self.tree.clone();
        for pending in &self.pending {
            let op = &log[pending.op].op;
            let fate = loss.fate(pending.op, op);
            if op.data_of().is_some() {
                apply_data(&mut tree, op, fate);
            } else if fate != Fate::Lost {
                apply_names(&mut tree, op, pending.rename);
            }
        }
        if let Loss::Length(file) = loss {
            let synced = self.tree.files.get(&file).map_or(0, Content::len);
            let content = tree.content_mut(file);
            if content.len() > synced {
                content.set_len(synced);
            }
        }
        tree
    }
}

impl Op {
    /// Returns the file whose bytes or length this operation changes.
    fn data_of(&self) -> Option<Node> {
        match self {
            Self::Write { file, .. } | Self::SetLen { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// Returns the file or directory whose name this operation adds or removes.
    fn renames(&self) -> Option<Node> {
        match self {
            Self::Create { file: node, .. }
            | Self::MakeDir { made: node, .. }
            | Self::Remove { file: node, .. }
            | Self::Rename { node, .. } => Some(*node),
            _ => None,
        }
    }

    fn names_in(&self, directory: Node) -> bool {
        match self {
            Self::Create { dir, .. } | Self::MakeDir { dir, .. } | Self::Remove { dir, .. } => {
                *dir == directory
            }
            Self::Rename { from, to, .. } => from.0 == directory || to.0 == directory,
            _ => false,
        }
    }
}

/// Returns whether syncing `dir` completes the durability of this operation.
fn sync_names(tree: &mut Tree, op: &Op, pending: &mut Pending, dir: Node) -> bool {
    if !op.names_in(dir) {
        return false;
    }
    let Op::Rename { from, to, node } = op else {
        apply_names(tree, op, pending.rename);
        return true;
    };
    let source = from.0 == dir || pending.rename == Synced::Source;
    let target = to.0 == dir || pending.rename == Synced::Target;
    if target {
        tree.link(to.0, &to.1, *node);
        if source {
            tree.unlink(from.0, &from.1, *node);
        }
    }
    pending.rename = if target {
        Synced::Target
    } else {
        Synced::Source
    };
    source && target
}

fn apply_names(tree: &mut Tree, op: &Op, rename: Synced) {
    match op {
        Op::Create {
            dir,
            name,
            file: node,
        }
        | Op::MakeDir {
            dir,
            name,
            made: node,
        } => {
            tree.link(*dir, name, *node);
        }
        Op::Remove { dir, name, file } => tree.unlink(*dir, name, *file),
        Op::Rename { from, to, node } => {
            tree.unlink(from.0, &from.1, *node);
            if rename != Synced::Target {
                tree.link(to.0, &to.1, *node);
            }
        }
        _ => {}
    }
}

fn apply_data(tree: &mut Tree, op: &Op, fate: Fate) {
    match op {
        Op::Write {
            file,
            offset,
            bytes,
        } => {
            let content = tree.content_mut(*file);
            match fate {
                Fate::Lost => {}
                Fate::Whole => content.write(bytes, *offset),
                Fate::Head(kept) => content.write(&bytes[..kept.min(bytes.len())], *offset),
                Fate::Tail(lost) => {
                    let lost = lost.min(bytes.len());
                    content.write(&bytes[lost..], *offset + lost as u64);
                }
                Fate::Zeroed => content.write_zeros(bytes.len(), *offset),
                Fate::Sectors(seed) => {
                    let mut random = Random(seed);
                    for (sector, offset) in bytes
                        .chunks(SECTOR_BYTES)
                        .zip((*offset..).step_by(SECTOR_BYTES))
                    {
                        if random.next().is_multiple_of(2) {
                            content.write(sector, offset);
                        }
                    }
                }
            }
        }
        Op::SetLen { file, len } if fate != Fate::Lost => tree.content_mut(*file).set_len(*len),
        _ => {}
    }
}

/// A disk writes a sector completely or not at all.
const SECTOR_BYTES: usize = 512;

/// What happened to one operation that was not durable. Operations other than writes are either
/// `Lost` or done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    Lost,
    /// Only this many first bytes arrived.
    Head(usize),
    /// Everything arrived except this many first bytes.
    Tail(usize),
    /// The file grew, but the bytes did not arrive.
    Zeroed,
    /// A random subset of the sectors arrived.
    Sectors(u64),
}

/// Which operations that were not durable the power cut removed. Numbers are positions in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    All,
    None,
    AllNames,
    AllData,
    AllBut(usize),
    Only(usize),
    Torn(usize, usize),
    Headless(usize, usize),
    Zeroed(usize),
    /// Everything arrived, but the file has the length of its last sync.
    Length(Node),
    /// The file has its length but none of its bytes.
    Bytes(Node),
    Random(u64),
}

impl Loss {
    fn fate(self, at: usize, op: &Op) -> Fate {
        let lost = |lost: bool| if lost { Fate::Lost } else { Fate::Whole };
        let is_data = op.data_of().is_some();
        match self {
            Self::All => Fate::Lost,
            Self::AllNames => lost(!is_data),
            Self::AllData => lost(is_data),
            Self::AllBut(kept) => lost(at != kept),
            Self::Only(gone) => lost(at == gone),
            Self::Torn(torn, kept) if at == torn => Fate::Head(kept),
            Self::Headless(torn, gone) if at == torn => Fate::Tail(gone),
            Self::Zeroed(torn) if at == torn => Fate::Zeroed,
            Self::Bytes(file) if op.data_of() == Some(file) => Fate::Zeroed,
            // These losses leave all other operations alone.
            Self::None
            | Self::Length(_)
            | Self::Torn(..)
            | Self::Headless(..)
            | Self::Zeroed(_)
            | Self::Bytes(_) => Fate::Whole,
            Self::Random(seed) => {
                let mut random = Random(seed ^ (at as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
                match (random.next() % 8, op) {
                    (0..4, _) => Fate::Lost,
                    (4, Op::Write { .. }) => Fate::Zeroed,
                    (5, Op::Write { .. }) => Fate::Sectors(random.next()),
                    _ => Fate::Whole,
                }
            }
        }
    }
}

/// The splitmix64 generator: small, seedable, and identical on every system.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The images to make of each power cut, besides "everything survived" and "only what was synced
/// survived".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// How many of the newest unsynced operations are each lost alone, kept alone, and zeroed.
    pub each: usize,
    /// Where the last unsynced write to each file is torn: each number of bytes is kept alone, and
    /// lost alone.
    pub torn_at: Vec<usize>,
    /// How many random subsets survive, of whole writes and of their sectors.
    pub random: u64,
    /// The seed of the random subsets. Equal seeds make equal images.
    pub seed: u64,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            each: 64,
            torn_at: vec![1, 512, 4096],
            random: 16,
            seed: 0,
        }
    }
}

impl Variants {
    fn losses(&self, durable: &Durable, log: &[Logged], cut: usize) -> Vec<Loss> {
        let pending = &durable.pending;
        let mut losses = vec![Loss::All];
        if pending.is_empty() {
            return losses;
        }
        losses.push(Loss::None);
        let mut last_writes = BTreeMap::new();
        let mut data = 0;
        for Pending { op, .. } in pending {
            if let Some(file) = log[*op].op.data_of() {
                data += 1;
                let last = last_writes.entry(file).or_insert(None);
                if let Op::Write { bytes, .. } = &log[*op].op {
                    *last = Some((*op, bytes.len()));
                }
            }
        }
        if data > 0 && data < pending.len() {
            losses.extend([Loss::AllNames, Loss::AllData]);
        }
        for Pending { op, .. } in pending.iter().rev().take(self.each) {
            if pending.len() > 1 {
                losses.extend([Loss::Only(*op), Loss::AllBut(*op)]);
            }
            if matches!(log[*op].op, Op::Write { .. }) {
                losses.push(Loss::Zeroed(*op));
            }
        }
        for (file, last) in last_writes {
            losses.extend([Loss::Length(file), Loss::Bytes(file)]);
            let Some((op, len)) = last else { continue };
            for at in self.torn_at.iter().filter(|at| **at < len) {
                losses.extend([Loss::Torn(op, *at), Loss::Headless(op, *at)]);
            }
        }
        let mut random = Random(self.seed ^ cut as u64);
        losses.extend((0..self.random).map(|_| Loss::Random(random.next())));
        losses
    }
}

/// One state the disk may be in after a power cut.
pub struct CrashImage {
    /// The number of operations before the cut. Whatever was acknowledged before [`SimDisk::ops`]
    /// reached this number must be on the disk.
    pub cut: usize,
    /// The disk after the restart: nothing unsynced, no locks, no faults, an empty log.
    pub disk: SimDisk,
    loss: Loss,
    log: Arc<Vec<Logged>>,
}

impl fmt::Display for CrashImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = &self.log;
        write!(f, "power cut after operation {}", self.cut)?;
        if let Some(last) = self.cut.checked_sub(1) {
            write!(f, " ({})", log[last])?;
        }
        match self.loss {
            Loss::All => write!(f, ": everything unsynced was lost"),
            Loss::None => write!(f, ": nothing was lost"),
            Loss::AllNames => write!(f, ": unsynced names were lost"),
            Loss::AllData => write!(f, ": unsynced data was lost"),
            Loss::AllBut(op) => write!(f, ": everything unsynced was lost but {op} ({})", log[op]),
            Loss::Only(op) => write!(f, ": only {op} was lost ({})", log[op]),
            Loss::Torn(op, at) => {
                write!(f, ": only {at} bytes arrived of {op} ({})", log[op])
            }
            Loss::Headless(op, at) => {
                write!(f, ": the first {at} bytes were lost of {op} ({})", log[op])
            }
            Loss::Zeroed(op) => write!(f, ": zeros arrived instead of {op} ({})", log[op]),
            Loss::Length(file) => write!(f, ": the new length was lost of {}", self.name(file)),
            Loss::Bytes(file) => write!(f, ": zeros fill what was unsynced of {}", self.name(file)),
            Loss::Random(seed) => write!(f, ": what survived was drawn with {seed:#x}"),
        }
    }
}

impl CrashImage {
    fn name(&self, file: Node) -> &str {
        self.log[..self.cut]
            .iter()
            .rev()
            .find(|logged| logged.op.data_of() == Some(file))
            .map_or("a file", |logged| &*logged.path)
    }
}

/// Iterates over the images of a range of power cuts; see [`SimDisk::crash_images`].
pub struct CrashImages {
    log: Arc<Vec<Logged>>,
    durable: Durable,
    done: usize,
    cuts: std::ops::Range<usize>,
    variants: Variants,
    losses: std::vec::IntoIter<Loss>,
    seen: HashSet<u128>,
    next_node: u64,
}

impl CrashImages {
    pub(super) fn new(
        base: Tree,
        log: Arc<Vec<Logged>>,
        next_node: u64,
        cuts: std::ops::Range<usize>,
        variants: Variants,
    ) -> Self {
        let end = cuts.end.min(log.len() + 1);
        Self {
            log,
            durable: Durable {
                tree: base,
                pending: Vec::new(),
            },
            done: 0,
            cuts: cuts.start..end,
            variants,
            losses: Vec::new().into_iter(),
            seen: HashSet::new(),
            next_node,
        }
    }
}

impl Iterator for CrashImages {
    type Item = CrashImage;

    fn next(&mut self) -> Option<CrashImage> {
        loop {
            for loss in self.losses.by_ref() {
                let tree = self.durable.image(&self.log, loss);
                if self.seen.insert(tree.fingerprint()) {
                    return Some(CrashImage {
                        cut: self.done,
                        disk: SimDisk::holding(tree, self.next_node),
                        loss,
                        log: Arc::clone(&self.log),
                    });
                }
            }
            let cut = self.cuts.next()?;
            while self.done < cut {
                self.durable.advance(&self.log, self.done);
                self.done += 1;
            }
            self.seen.clear();
            self.losses = self
                .variants
                .losses(&self.durable, &self.log, cut)
                .into_iter();
        }
    }
}
