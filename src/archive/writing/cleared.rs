//! Records what became of the file that a source was archived from.

use std::path::Path;

use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::archive::writing::pending::Pending;
use crate::archive::writing::put::full_path;
use crate::event::{Body, Clearing, SourceCleared};
use crate::id::{EntryId, EventSeq};

impl Archive {
    /// Records how the file of an entry was cleared away, and the path that it has from then on.
    /// The answer comes when that is durable; nothing depends on it, so nobody has to wait.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::event::Clearing;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// # let file = dir.path().join("unit.csv");
    /// # std::fs::write(&file, "serial,SN1").expect("written");
    /// let id = archive.put_file(&file, NewEntry::new("ICT"))?.id;
    /// std::fs::remove_file(&file).expect("removed");
    /// let recorded = archive.begin_source_cleared(id, Clearing::Removed, None)?.wait()?;
    /// assert_eq!(archive.snapshot()?.entry(id)?.expect("there").cleared, Some(recorded));
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// On an error nothing was handed in. The [`Pending`] returns `NotFound` when there is no such
    /// entry.
    pub fn begin_source_cleared(
        &self,
        entry: EntryId,
        how: Clearing,
        path: Option<&Path>,
    ) -> Result<Pending<EventSeq>> {
        let permit = self.channels()?.in_flight.take(0);
        let path = path.map(full_path);
        let fact = Draft::fact(Body::SourceCleared(SourceCleared { entry, how, path }));
        self.hand_in(fact, permit, Receipt::plain_fact)
    }
}
