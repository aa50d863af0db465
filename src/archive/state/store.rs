//! What an open store consists of, for the verbs. Each part has its own lock; files below the verbs
//! are given only the parts that they need.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use crate::archive::files::tmp_names::TmpNames;
use crate::archive::options::Options;
use crate::archive::state::backlog::Backlog;
use crate::archive::state::content_damage::ContentDamage;
use crate::archive::state::contents::Contents;
use crate::archive::state::health::Health;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::leftovers::Leftovers;
use crate::archive::state::pack_store::PackStore;
use crate::archive::state::pins::Pins;
use crate::archive::state::running_jobs::RunningJobs;
use crate::archive::state::sign_ins::SignIns;
use crate::archive::state::signing::Signing;
use crate::archive::state::tree_file::TreeFile;
use crate::archive::state::watermark::Watermark;
use crate::blob::compression::Compressors;
use crate::disk::Disk;
use crate::id::{PackId, StoreId};
use crate::log::LogFiles;
use crate::time::Timestamp;

/// The parts of an open store.
pub(in crate::archive) struct Store {
    pub(in crate::archive) disk: Arc<dyn Disk>,
    pub(in crate::archive) dir: PathBuf,
    pub(in crate::archive) id: StoreId,
    pub(in crate::archive) options: Options,
    /// Segments and journal files.
    pub(in crate::archive) log: Arc<LogFiles>,
    pub(in crate::archive) index: Arc<LayeredIndex>,
    /// Blobs whose bytes are in the journal.
    pub(in crate::archive) journal: Arc<JournalBlobs>,
    pub(in crate::archive) packs: Arc<PackStore>,
    pub(in crate::archive) pins: Arc<Pins>,
    pub(in crate::archive) tmp: Arc<TmpNames>,
    /// Content, wherever it lies.
    pub(in crate::archive) contents: Contents,
    pub(in crate::archive) watermark: Arc<Watermark>,
    pub(in crate::archive) health: Arc<Health>,
    /// Journal files that wait to be sealed.
    pub(in crate::archive) backlog: Arc<Backlog>,
    pub(in crate::archive) leftovers: Leftovers,
    pub(in crate::archive) signing: Arc<Signing>,
    pub(in crate::archive) jobs: Arc<RunningJobs>,
    /// Hashes of the log's tree for proofs, once one was asked for.
    pub(in crate::archive) tree: Mutex<Option<TreeFile>>,
    /// Compressors of content that goes into the journal.
    pub(in crate::archive) for_journal: Arc<Compressors>,
    /// Damage of the log, found by the opening. While there is any, nothing is written.
    pub(in crate::archive) log_damage: Vec<String>,
    /// Damage of content, found by the opening.
    pub(in crate::archive) content_damage: OnceLock<ContentDamage>,
    /// When the newest event was recorded that was there at the opening.
    pub(in crate::archive) newest_before: OnceLock<Timestamp>,
    /// Held while a declaration of personal fields is made from the one before.
    pub(in crate::archive) declaring: Mutex<()>,
    /// Sign-ins that were refused lately.
    pub(in crate::archive) sign_ins: Mutex<SignIns>,
}

/// What an opening knows of a store when it puts the parts together.
pub(in crate::archive) struct Opened {
    pub(in crate::archive) disk: Arc<dyn Disk>,
    pub(in crate::archive) dir: PathBuf,
    pub(in crate::archive) id: StoreId,
    pub(in crate::archive) options: Options,
    pub(in crate::archive) log: Arc<LogFiles>,
    pub(in crate::archive) log_damage: Vec<String>,
    pub(in crate::archive) index: LayeredIndex,
    pub(in crate::archive) journal: JournalBlobs,
    /// The number of the next pack.
    pub(in crate::archive) next_pack: PackId,
}

impl Store {
    /// Puts the parts of an open store together.
    pub(in crate::archive) fn new(opened: Opened) -> Self {
        let Opened {
            disk,
            dir,
            id,
            options,
            log,
            log_damage,
            index,
            journal,
            next_pack,
        } = opened;
        let signing = Arc::new(Signing::new(options.signer.clone(), log.last()));
        let tmp: Arc<TmpNames> = Arc::default();
        let packs = Arc::new(PackStore::new(
            Arc::clone(&disk),
            id,
            Arc::clone(&tmp),
            options.dictionary_cache_bytes,
            next_pack,
        ));
        let (index, journal) = (Arc::new(index), Arc::new(journal));
        let contents = Contents::new(
            Arc::clone(&log),
            Arc::clone(&index),
            Arc::clone(&journal),
            Arc::clone(&packs),
        );
        Self {
            watermark: Arc::new(Watermark::new(log.last())),
            disk,
            dir,
            id,
            options,
            log,
            index,
            journal,
            packs,
            pins: Arc::default(),
            tmp,
            contents,
            health: Arc::default(),
            backlog: Arc::default(),
            leftovers: Leftovers::default(),
            for_journal: Arc::default(),
            signing,
            jobs: Arc::default(),
            tree: Mutex::new(None),
            newest_before: OnceLock::new(),
            log_damage,
            content_damage: OnceLock::new(),
            declaring: Mutex::default(),
            sign_ins: Mutex::default(),
        }
    }
}
