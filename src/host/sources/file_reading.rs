//! A file that is read once. Reading it to its end fails when it changed meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::file_meta::{FileMeta, open};
use super::parts::companions_of;
use super::shape::Shape;
use crate::host::config::settings::Links;
use crate::host::file_id::{FileId, named};

/// A file that is open, and is read from its beginning to its end.
///
/// Its last read succeeds only if the name still leads to this file, and its size and times are
/// those from before the first read. So a reader that keeps nothing before it saw the end, keeps
/// nothing of a file that changed.
pub(in crate::host) struct FileReading<'a> {
    path: &'a Path,
    pub(super) shape: &'a Shape,
    file: File,
    meta: FileMeta,
    /// The identity of what had the name: the file, or the link that was followed.
    pub(super) named: FileId,
    is_link: bool,
    /// `None` until all of it was read.
    end: Option<End>,
}

/// How the reading of a file ended.
enum End {
    Unchanged,
    Changed,
    Failed(io::Error),
}

impl<'a> FileReading<'a> {
    /// Opens a source that is one file.
    ///
    /// Returns `None` when it is gone, is a link that is not followed, a folder, or has companions.
    pub(in crate::host) fn open(path: &'a Path, shape: &'a Shape) -> io::Result<Option<Self>> {
        let links = match shape {
            Shape::File(links) => *links,
            Shape::WithCompanions(_) => Links::Skip,
            Shape::Folder => return Ok(None),
        };
        if !companions_of(path, shape)?.is_empty() {
            return Ok(None);
        }
        let Some((id, is_link)) = named(path)? else {
            return Ok(None);
        };
        if is_link && links == Links::Skip {
            return Ok(None);
        }
        let file = match open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        // A link that took the name meanwhile leads to another file than the named one.
        if !is_link && FileId::of(&metadata) != id {
            return Ok(None);
        }
        Ok(Some(Self {
            path,
            shape,
            file,
            meta: FileMeta::of(&metadata)?,
            named: id,
            is_link,
            end: None,
        }))
    }

    /// Returns its size and times from before it was read.
    pub(in crate::host) fn meta(&self) -> FileMeta {
        self.meta
    }

    /// Returns the identity of what had the name when it was opened.
    pub(in crate::host) fn named(&self) -> &FileId {
        &self.named
    }

    /// Returns true when it was read to its end and had not changed.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.end, Some(End::Unchanged))
    }

    /// Returns `None` when it was found changed, and the error when it could not be read.
    pub(in crate::host) fn unless_changed(self) -> io::Result<Option<Self>> {
        match self.end {
            Some(End::Failed(error)) => Err(error),
            Some(End::Changed) => Ok(None),
            Some(End::Unchanged) | None => Ok(Some(self)),
        }
    }

    fn has_changed(&self) -> io::Result<bool> {
        if named(self.path)? != Some((self.named, self.is_link)) {
            return Ok(true);
        }
        // A network share may tell of a change only when the file is opened.
        let again = match open(self.path) {
            Ok(again) => again,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        let is_same =
            |file: &File| Ok::<_, io::Error>(FileMeta::of(&file.metadata()?)? == self.meta);
        Ok(!is_same(&again)?
            || !is_same(&self.file)?
            || !companions_of(self.path, self.shape)?.is_empty())
    }
}

impl Read for FileReading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.end.is_none() {
            let end = match self.file.read(buffer) {
                Ok(0) => match self.has_changed() {
                    Ok(true) => End::Changed,
                    Ok(false) => End::Unchanged,
                    Err(error) => End::Failed(error),
                },
                // An interrupted read is repeated by whoever reads.
                Err(error) if error.kind() != io::ErrorKind::Interrupted => End::Failed(error),
                read => return read,
            };
            self.end = Some(end);
        }
        match &self.end {
            Some(End::Changed) => Err(io::Error::other("it changed while it was read")),
            Some(End::Failed(error)) => Err(io::Error::other(error.to_string())),
            Some(End::Unchanged) | None => Ok(0),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::archive::{Archive, NewEntry, Options};
    use crate::convert::{Companions, Need, Pattern};
    use crate::disk::sim::SimDisk;

    /// Calls `meddle` with the path after the first bytes were read.
    struct Meddled<'a, 'f> {
        reading: &'a mut FileReading<'f>,
        meddle: Option<fn(&Path)>,
    }

    impl Read for Meddled<'_, '_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.reading.read(buffer)?;
            if let Some(meddle) = self.meddle.take() {
                meddle(self.reading.path);
            }
            Ok(read)
        }
    }

    fn old() -> SystemTime {
        SystemTime::now() - Duration::from_hours(1)
    }

    fn write(path: &Path, content: &[u8], modified: SystemTime) {
        fs::write(path, content).expect("written");
        let file = File::options().write(true).open(path).expect("there");
        file.set_modified(modified).expect("set");
    }

    fn open_to_write(path: &Path) -> File {
        File::options().write(true).open(path).expect("there")
    }

    fn with_companions() -> Shape {
        let pattern = Pattern::parse("{stem}.txt", Need::Optional).expect("valid");
        let none = globset::GlobSet::default;
        Shape::WithCompanions(Companions::new(vec![pattern], none(), none()))
    }

    /// The file is handed to the archive while it is read. What it finds at the end has to keep the
    /// archive from recording anything.
    #[test]
    fn a_file_changes_while_it_is_archived_nothing_is_recorded() {
        let meddlers: [fn(&Path); 8] = [
            |path| {
                let appended = File::options().append(true).open(path);
                appended
                    .expect("there")
                    .write_all(b"more")
                    .expect("written");
            },
            |path| open_to_write(path).write_all(b"other").expect("written"),
            |path| open_to_write(path).set_len(3).expect("cut"),
            |path| {
                open_to_write(path)
                    .set_modified(SystemTime::now())
                    .expect("set");
            },
            |path| fs::remove_file(path).expect("removed"),
            |path| {
                let other = path.with_extension("new");
                let meta = fs::metadata(path).expect("there");
                let content = fs::read(path).expect("read");
                write(&other, &content, meta.modified().expect("known"));
                fs::rename(other, path).expect("renamed");
            },
            |path| {
                let other = path.with_extension("new");
                fs::rename(path, &other).expect("renamed");
                std::os::unix::fs::symlink(other, path).expect("made");
            },
            |path| fs::write(path.with_extension("txt"), "companion").expect("written"),
        ];
        let archive = Archive::create_on(Arc::new(SimDisk::new()), Options::default());
        let archive = archive.expect("made");
        let shape = with_companions();
        for content in [vec![7; 20_000], vec![7; 10 << 20]] {
            for (nth, meddle) in meddlers.into_iter().enumerate() {
                let dir = tempfile::tempdir().expect("folder");
                let path = dir.path().join("a.csv");
                write(&path, &content, old());
                let reading = FileReading::open(&path, &shape).expect("read");
                let mut reading = reading.expect("one file");
                let meddled = Meddled {
                    reading: &mut reading,
                    meddle: Some(meddle),
                };
                let put = archive.put(NewEntry::new("ICT"), meddled);
                assert!(put.is_err(), "meddler {nth}");
                let left = reading.unless_changed().expect("read");
                assert!(left.is_none(), "meddler {nth}");
            }
        }
        let snapshot = archive.snapshot().expect("readable");
        assert_eq!(snapshot.stats().expect("counted").entries, 0);
    }

    #[test]
    fn a_file_that_stays_is_whole_at_its_end() {
        let dir = tempfile::tempdir().expect("folder");
        let [path, link, none] = ["a.csv", "b.csv", "c.csv"].map(|name| dir.path().join(name));
        let [skip, follow] = [Links::Skip, Links::Follow].map(Shape::File);
        let with_companions = with_companions();
        fs::write(&path, "content").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("made");

        for (path, shape) in [(&path, &skip), (&path, &with_companions), (&link, &follow)] {
            let mut reading = FileReading::open(path, shape)
                .expect("read")
                .expect("one file");
            let mut content = String::new();
            assert!(!reading.is_whole());
            reading.read_to_string(&mut content).expect("unchanged");
            assert!(content == "content" && reading.is_whole());
            assert_eq!(reading.read(&mut [0; 9]).expect("still its end"), 0);
        }
        assert!(FileReading::open(&link, &skip).expect("read").is_none());
        assert!(FileReading::open(&none, &skip).expect("read").is_none());
        assert!(
            FileReading::open(dir.path(), &Shape::Folder)
                .expect("read")
                .is_none()
        );
        fs::write(dir.path().join("a.txt"), "companion").expect("written");
        assert!(
            FileReading::open(&path, &with_companions)
                .expect("read")
                .is_none()
        );
    }
}
