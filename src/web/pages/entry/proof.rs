//! The tab with the evidence: which checkpoint covers an entry, and what can be handed over.

use askama::Template;

use crate::Result;
use crate::entry::Entry;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::id::{EventSeq, Sha256};
use crate::service::desk::Desk;
use crate::web::pages::frame::Frame;
use crate::web::preview::visible;

/// What is known of the evidence for an entry.
pub(super) struct Read {
    /// The newest checkpoint, and the event that it is recorded as.
    checkpoint: Option<(EventSeq, SignedCheckpoint)>,
    /// It covers the event that archived the entry.
    is_covered: bool,
    /// There is a key here to sign with.
    signs: bool,
    /// How many events came after the checkpoint.
    after: u64,
}

/// Looks for the newest checkpoint. Nothing is signed by looking.
pub(super) fn read(desk: &Desk, entry: &Entry) -> Result<Read> {
    let archive = &desk.archive;
    let newest = archive.newest_checkpoint()?;
    let checkpoint = newest.map(|recorded| (recorded.event, recorded.signed));
    let size = |signed: &SignedCheckpoint| signed.checkpoint().size;
    let covered = checkpoint.as_ref().map_or(0, |(_, signed)| size(signed));
    Ok(Read {
        is_covered: entry.id.0 <= covered,
        after: archive.newest().0.saturating_sub(covered),
        signs: archive.signs(),
        checkpoint,
    })
}

/// The tab, which is printed below the facts as well.
#[derive(Template)]
#[template(path = "entry/proof.html", config = "src/web/askama.toml")]
pub(super) struct ProofTab<'a> {
    frame: &'a Frame,
    id: u64,
    checkpoint: Option<CheckpointPart>,
    is_covered: bool,
    signs: bool,
    /// What came after the checkpoint, in words.
    after: String,
    sha256: String,
    has_source: bool,
    prove: String,
    verify: String,
    by_hand: String,
}

struct CheckpointPart {
    event: EventSeq,
    size: String,
    root: String,
    origin: String,
    keys: Vec<String>,
}

impl<'a> ProofTab<'a> {
    pub(super) fn new(frame: &'a Frame, entry: &Entry, read: &Read) -> Self {
        let id = entry.id.0;
        let checkpoint = read.checkpoint.as_ref().map(|(event, signed)| {
            let checkpoint = signed.checkpoint();
            let keys = signed.signed_by().iter();
            CheckpointPart {
                event: *event,
                size: frame.count(checkpoint.size),
                root: Sha256::from_bytes(checkpoint.root).to_string(),
                origin: visible(&checkpoint.origin.to_string()).into_owned(),
                keys: keys.map(ToString::to_string).collect(),
            }
        });
        let key = checkpoint.as_ref().and_then(|one| one.keys.first());
        let key = key.map_or_else(|| "VKEY".to_owned(), Clone::clone);
        Self {
            frame,
            id,
            is_covered: read.is_covered,
            signs: read.signs,
            after: frame.fill("entry.proof_after", &[("n", &frame.count(read.after))]),
            sha256: entry.sha256.to_string(),
            has_source: entry.has_source(),
            prove: format!("annals prove {id} -o {id}.proof"),
            verify: format!("annals verify-proof {id}.proof --vkey '{key}'"),
            by_hand: "sha256sum FILE".to_owned(),
            checkpoint,
        }
    }

    pub(super) fn told(&self) -> String {
        self.render().unwrap_or_else(|error| error.to_string())
    }
}
