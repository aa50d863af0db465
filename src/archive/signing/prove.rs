//! Proves what happened to one entry, without showing another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::handle::Archive;
use crate::archive::state::signing::RecordedCheckpoint;
use crate::archive::state::store::Store;
use crate::archive::state::tree_file::{
    GROUP_EVENTS, GROUP_LEVEL, Matched, NoUse, TreeAccess, TreeFile,
};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::entry_proof::{EntryProof, ProvenEvent};
use crate::evidence::proof::{
    ProofBuilder, ProofError, Subtree, inclusion_from, root_from, verify_inclusion,
};
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::tree::{Frontier, TreeHash, root_of};
use crate::format::leaf::subject_in;
use crate::id::{EntryId, EventSeq};
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

/// An event with its exact line and the proof that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventProof {
    /// The event.
    pub seq: EventSeq,
    /// Its exact line.
    pub line: String,
    /// The proof, for the checkpoint that it carries.
    pub proof: TlogProof,
}

impl Archive {
    /// Returns the events of an entry and the proof that they are in the log. Signs a checkpoint
    /// first, if anything came since the newest one and there is a key.
    ///
    /// The first proof of a store sums its log up once, in the file `TREE`; later ones read a few
    /// pages. Holds and purges name other entries, so they are not in it.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry, `Refused` when the log is not signed.
    pub fn prove(&self, entry: EntryId) -> Result<EntryProof> {
        if self.snapshot()?.entry(entry)?.is_none() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no entry {entry}"),
            ));
        }
        let signed = self.checkpoint_to_prove()?.signed;
        covered(&signed, entry.event())?;
        let store = self.store();
        let (mut found, mut hashes) = (Vec::new(), BTreeMap::new());
        with_tree(store, self.tree_access(), &signed, |tree| {
            let (events, is_listed) = events_of(store, tree, entry, &signed)?;
            let seqs: Vec<EventSeq> = events.iter().map(|(seq, _)| *seq).collect();
            let (made, is_sound) = made_hashes(&store.log, tree, &signed, &seqs)?;
            (found, hashes) = (events, made);
            Ok(is_listed && is_sound)
        })?;
        let events = found.into_iter().filter_map(|(seq, line)| {
            let hashes = hashes.remove(&seq)?;
            Some(ProvenEvent::new(seq.0 - 1, line, hashes))
        });
        Ok(EntryProof::new(entry, events.collect(), &signed))
    }

    /// Returns events with the proof that each is in the log. Signs a checkpoint first, if anything
    /// came since the newest one and there is a key.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::evidence::{key::SecretKey, note::KeyName};
    /// use std::sync::Arc;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let key = SecretKey::generate(KeyName::of_store(&archive.store_id()))?;
    /// let trusted = [key.verifier().clone()];
    /// archive.begin_signing(Arc::new(key))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// let proven = archive.prove_events(&[id.event()])?;
    /// assert!(proven[0].proof.verify(proven[0].line.as_bytes(), &trusted).is_ok());
    /// # archive.close()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such event, `Refused` when the log is not signed.
    pub fn prove_events(&self, events: &[EventSeq]) -> Result<Vec<EventProof>> {
        let newest = self.newest();
        if let Some(seq) = events.iter().find(|seq| seq.0 == 0 || **seq > newest) {
            let said = format!("there is no event {seq}");
            return Err(Error::new(ErrorKind::NotFound, said));
        }
        let signed = self.checkpoint_to_prove()?.signed;
        for seq in events {
            covered(&signed, *seq)?;
        }
        let log = &self.store().log;
        let hashes = hashes(self.store(), self.tree_access(), &signed, events)?;
        let proof = |seq: &EventSeq| {
            let missing = || Error::new(ErrorKind::Damaged, format!("event {seq} is missing"));
            let mut reader = LogReader::new(Arc::clone(log), *seq, *seq);
            let (_, line) = reader.next_leaf().ok_or_else(missing)??;
            let hashes = hashes.get(seq).cloned().unwrap_or_default();
            Ok(EventProof {
                seq: *seq,
                line: String::from_utf8(line).map_err(|_| missing())?,
                proof: TlogProof::new(seq.0 - 1, hashes, &signed),
            })
        };
        events.iter().map(proof).collect()
    }

    fn tree_access(&self) -> TreeAccess {
        if self.is_writable() {
            TreeAccess::ReadWrite
        } else {
            TreeAccess::ReadOnly
        }
    }

    /// Returns a checkpoint to prove events with: a new one, if that can be signed here.
    fn checkpoint_to_prove(&self) -> Result<RecordedCheckpoint> {
        if self.signs() && self.is_writable() {
            return self.checkpoint();
        }
        self.newest_checkpoint()?.ok_or_else(|| {
            Error::new(ErrorKind::Refused, "the store is not signed")
                .hint("make a key with 'annals key init'")
        })
    }
}

/// Refuses a checkpoint that does not cover `seq`.
fn covered(signed: &SignedCheckpoint, seq: EventSeq) -> Result<()> {
    if seq.0 > signed.checkpoint().size {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("no checkpoint covers event {seq}, and there is no key here to sign one"),
        )
        .hint("name the key with --key-file FILE"));
    }
    Ok(())
}

/// Returns the hashes that lead from each of `events` to the signed root. All must be covered.
pub(in crate::archive) fn hashes(
    store: &Store,
    access: TreeAccess,
    signed: &SignedCheckpoint,
    events: &[EventSeq],
) -> Result<BTreeMap<EventSeq, Vec<TreeHash>>> {
    let mut made = BTreeMap::new();
    with_tree(store, access, signed, |tree| {
        let (hashes, is_sound) = made_hashes(&store.log, tree, signed, events)?;
        made = hashes;
        Ok(is_sound)
    })?;
    Ok(made)
}

/// Makes the hashes from the summed up tree, or else from the leaves. Also returns false when the
/// tree was there and of no use.
fn made_hashes(
    log: &Arc<LogFiles>,
    tree: Option<&TreeFile>,
    signed: &SignedCheckpoint,
    events: &[EventSeq],
) -> Result<(BTreeMap<EventSeq, Vec<TreeHash>>, bool)> {
    let made = tree.map(|tree| from_tree(log, tree, signed, events));
    let is_sound = !matches!(made, Some(Err(NoUse)));
    match made {
        Some(Ok(made)) => Ok((made, true)),
        _ if events.is_empty() => Ok((BTreeMap::new(), is_sound)),
        _ => Ok((from_leaves(log, signed, events)?, is_sound)),
    }
}

/// Hands the summed up tree to `then`, once its root was compared with the signed one; `None` where
/// it cannot be made. If `then` returns false, the tree is damaged inside, and the next proof makes
/// it again.
fn with_tree(
    store: &Store,
    access: TreeAccess,
    signed: &SignedCheckpoint,
    then: impl FnOnce(Option<&TreeFile>) -> Result<bool>,
) -> Result<()> {
    let mut held = store.tree.lock().expect("no panic while held");
    let disk = &*store.disk;
    let mut opened = match held.take() {
        Some(tree) => Ok(tree),
        None => TreeFile::open(disk, &store.id, access),
    };
    opened = opened.and_then(|tree| matching(store, tree, signed, access));
    // One that is damaged, or of another history of the log, is made again, once.
    if opened.is_err() && access == TreeAccess::ReadWrite {
        let made = TreeFile::make(disk, &store.id);
        opened = made.and_then(|tree| matching(store, tree, signed, access));
    }
    *held = opened.ok();
    if !then(held.as_ref())? && access == TreeAccess::ReadWrite {
        *held = TreeFile::make(disk, &store.id).ok();
    }
    Ok(())
}

/// Sums up what came since, and compares the root with the signed one. Then every group that the
/// checkpoint covers is right.
fn matching(
    store: &Store,
    mut tree: TreeFile,
    signed: &SignedCheckpoint,
    access: TreeAccess,
) -> std::result::Result<TreeFile, NoUse> {
    let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
    let is_known = |matched: &Matched| (matched.size, matched.root) == (size, root);
    if tree.matched.as_ref().is_some_and(is_known) {
        return Ok(tree);
    }
    tree.matched = None;
    if access == TreeAccess::ReadWrite {
        tree.extend(&store.log, EventSeq(size))?;
    }
    let mut nodes = Nodes::new(&store.log, &tree, signed);
    if root_from(size, |subtree| nodes.root(subtree))? != root {
        return Err(NoUse);
    }
    let tail = match size % GROUP_EVENTS {
        0 => Vec::new(),
        _ => nodes.leaves(size / GROUP_EVENTS)?.to_vec(),
    };
    tree.matched = Some(Matched { size, root, tail });
    Ok(tree)
}

/// Roots of perfect subtrees: large ones from the file, small ones from the leaves.
struct Nodes<'a> {
    log: &'a Arc<LogFiles>,
    tree: &'a TreeFile,
    last: EventSeq,
    /// The hashes of the leaves of the groups that were looked at last.
    groups: Vec<(u64, Vec<TreeHash>)>,
}

impl<'a> Nodes<'a> {
    /// Groups whose leaves are kept: that of the event, and the last one.
    const KEPT: usize = 2;

    fn new(log: &'a Arc<LogFiles>, tree: &'a TreeFile, signed: &SignedCheckpoint) -> Self {
        Self {
            log,
            tree,
            last: EventSeq(signed.checkpoint().size),
            groups: tree
                .matched
                .iter()
                .map(|matched| (matched.size / GROUP_EVENTS, matched.tail.clone()))
                .collect(),
        }
    }

    fn root(&mut self, subtree: Subtree) -> std::result::Result<TreeHash, NoUse> {
        if subtree.level >= GROUP_LEVEL {
            return self.tree.node(subtree);
        }
        let first = subtree.index << subtree.level;
        let leaves = self.leaves(first / GROUP_EVENTS)?;
        let from = usize::try_from(first % GROUP_EVENTS).map_err(|_| NoUse)?;
        let leaves = leaves.get(from..from + (1 << subtree.level)).ok_or(NoUse)?;
        Ok(root_of(leaves))
    }

    fn leaves(&mut self, group: u64) -> std::result::Result<&[TreeHash], NoUse> {
        if !self.groups.iter().any(|(of, _)| *of == group) {
            let first = EventSeq(group * GROUP_EVENTS + 1);
            let last = EventSeq((group + 1) * GROUP_EVENTS).min(self.last);
            let mut reader = LogReader::new(Arc::clone(self.log), first, last);
            let mut leaves = Vec::with_capacity(1 << GROUP_LEVEL);
            while let Some(hash) = reader.next_hash() {
                leaves.push(hash.map_err(|_| NoUse)?);
            }
            // The last group serves all events; of the others one is needed at a time.
            let last_group = self.last.0 / GROUP_EVENTS;
            self.groups.retain(|(of, _)| *of == last_group);
            self.groups.truncate(Self::KEPT - 1);
            self.groups.push((group, leaves));
        }
        let found = self.groups.iter().find(|(of, _)| *of == group);
        Ok(&found.ok_or(NoUse)?.1)
    }
}

fn from_tree(
    log: &Arc<LogFiles>,
    tree: &TreeFile,
    signed: &SignedCheckpoint,
    events: &[EventSeq],
) -> std::result::Result<BTreeMap<EventSeq, Vec<TreeHash>>, NoUse> {
    let mut found = BTreeMap::new();
    let (size, root) = (signed.checkpoint().size, &signed.checkpoint().root);
    let mut nodes = Nodes::new(log, tree, signed);
    let mut ordered = events.to_vec();
    ordered.sort_unstable();
    for seq in ordered {
        let index = seq.0 - 1;
        let hashes = inclusion_from(size, index, |subtree| nodes.root(subtree))?;
        let leaf = nodes.root(Subtree { level: 0, index })?;
        if !verify_inclusion(&leaf, index, size, &hashes, root) {
            return Err(NoUse);
        }
        found.insert(seq, hashes);
    }
    Ok(found)
}

/// Makes the proofs in one pass over all leaves from the first event on.
fn from_leaves(
    log: &Arc<LogFiles>,
    signed: &SignedCheckpoint,
    events: &[EventSeq],
) -> Result<BTreeMap<EventSeq, Vec<TreeHash>>> {
    let first = events.iter().min().copied().unwrap_or(EventSeq(1));
    let last = EventSeq(signed.checkpoint().size);
    // Nothing before the segment with the first event has to be read.
    let sealed = log.segments().into_iter().rev();
    let before = sealed
        .filter(|segment| segment.last_seq() < first)
        .find_map(|segment| segment.frontier().ok())
        .unwrap_or_else(Frontier::new);
    let mut builder = ProofBuilder::new(last.0);
    for seq in events {
        builder.want_inclusion(seq.0 - 1).map_err(not_made)?;
    }
    builder.push_tree(&before).map_err(not_made)?;
    let mut reader = LogReader::new(Arc::clone(log), EventSeq(before.size() + 1), last);
    while let Some(hash) = reader.next_hash() {
        builder.push_hash(hash?);
    }
    let proofs = builder.finish().map_err(not_made)?;
    if proofs.root != signed.checkpoint().root {
        return Err(not_signed());
    }
    let by_event = proofs.inclusion.into_iter();
    Ok(by_event
        .map(|(index, hashes)| (EventSeq(index + 1), hashes))
        .collect())
}

/// Returns the events that are about an entry and that a checkpoint covers, with their lines. Also
/// returns false when the tree was there and does not say them.
fn events_of(
    store: &Store,
    tree: Option<&TreeFile>,
    entry: EntryId,
    signed: &SignedCheckpoint,
) -> Result<(Vec<(EventSeq, String)>, bool)> {
    let last = EventSeq(signed.checkpoint().size);
    let (mut found, mut from) = (Vec::new(), entry.event());
    let listed = tree.map(|tree| tree.events_of(entry));
    let is_sound = !matches!(listed, Some(Err(NoUse)));
    if let (Some(tree), Some(Ok(events))) = (tree, listed) {
        for seq in events.into_iter().filter(|seq| *seq <= last) {
            let mut reader = LogReader::new(Arc::clone(&store.log), seq, seq);
            if let Some(leaf) = reader.next_leaf() {
                note_about(entry, leaf?, &mut found);
            }
        }
        from = from.max(tree.covers().min(last).next());
    }
    let mut reader = LogReader::new(Arc::clone(&store.log), from, last);
    while let Some(leaf) = reader.next_leaf() {
        note_about(entry, leaf?, &mut found);
    }
    Ok((found, is_sound))
}

/// Keeps a line if it is about an entry.
fn note_about(
    entry: EntryId,
    (seq, line): (EventSeq, Vec<u8>),
    found: &mut Vec<(EventSeq, String)>,
) {
    if subject_in(&line) == Some(entry)
        && let Ok(line) = String::from_utf8(line)
        && subject_of(&line) == Some(entry)
    {
        found.push((seq, line));
    }
}

/// Returns the entry that the event with this line speaks of.
pub(in crate::archive) fn subject_of(line: &str) -> Option<EntryId> {
    #[derive(serde::Deserialize)]
    struct Head {
        subject: String,
    }
    let head: Head = serde_json::from_str(line).ok()?;
    head.subject.parse().ok()
}

fn not_signed() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "the events are not the ones that were signed",
    )
    .hint("'annals verify' says more")
}

fn not_made(error: ProofError) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("the proof cannot be made: {error}"),
    )
}

#[cfg(test)]
mod tests;
