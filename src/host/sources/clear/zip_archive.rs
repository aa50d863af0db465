//! Writes and reads zip files of sources: deflated, with time and permissions of each file, of any
//! size.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::time::SystemTime;

use chrono::{Datelike, Local, Timelike};
use flate2::read::DeflateDecoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::time::Timestamp;

/// Files of at least this size are written with 64-bit sizes.
///
/// The margin below 4 GiB allows for content that grows when it is deflated.
const LARGE_BYTES: u64 = (1 << 32) - (1 << 28);

/// Metadata of a file or folder in a zip file.
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) modified: SystemTime,
    /// Unix permission bits.
    pub(super) mode: u32,
}

impl Member<'_> {
    fn options(&self) -> SimpleFileOptions {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip_time(self.modified))
            .unix_permissions(self.mode)
    }
}

/// A zip file that is being written. It is not readable before [`Writer::finish`].
pub(super) struct Writer<'a> {
    zip: ZipWriter<BufWriter<&'a File>>,
    names: HashSet<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a File) -> Self {
        Self {
            zip: ZipWriter::new(BufWriter::new(out)),
            names: HashSet::new(),
        }
    }

    /// Writes a file of about `size` bytes. Returns its number, for [`Reader::content`].
    pub(super) fn add(
        &mut self,
        mut content: impl Read,
        size: u64,
        member: &Member<'_>,
    ) -> io::Result<usize> {
        let options = member.options().large_file(size >= LARGE_BYTES);
        let name = self.free_name(member.name);
        self.zip.start_file(name, options)?;
        io::copy(&mut content, &mut self.zip)?;
        Ok(self.names.len() - 1)
    }

    /// Writes a folder, which has no content.
    pub(super) fn add_folder(&mut self, member: &Member<'_>) -> io::Result<()> {
        let name = self.free_name(member.name);
        Ok(self.zip.add_directory(name, member.options())?)
    }

    /// Writes the directory of the zip file. The file is not flushed.
    pub(super) fn finish(self) -> io::Result<()> {
        let out = self.zip.finish()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(())
    }

    /// Returns a distinct name, with a number if needed.
    ///
    /// Names that differ only in bytes that are not UTF-8 would otherwise become equal.
    fn free_name(&mut self, name: &str) -> String {
        let numbered = (2_u64..).map(|number| format!("{name} ({number})"));
        let mut names = [name.to_owned()].into_iter().chain(numbered);
        let free = names.find(|name| !self.names.contains(name));
        let free = free.unwrap_or_default();
        self.names.insert(free.clone());
        free
    }
}

/// A zip file that is being read.
pub(super) struct Reader {
    file: File,
    zip: ZipArchive<File>,
}

impl Reader {
    pub(super) fn new(file: File) -> io::Result<Self> {
        Ok(Self {
            zip: ZipArchive::new(file.try_clone()?)?,
            file,
        })
    }

    /// Returns the content of the first file if it has this name.
    pub(super) fn first(&mut self, name: &str) -> io::Result<impl Read + use<>> {
        if self.zip.name_for_index(0).is_none_or(|first| first != name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.content(0)
    }

    /// Returns the content of the file with this number. Only one may be read at a time.
    pub(super) fn content(&mut self, number: usize) -> io::Result<impl Read + use<>> {
        let member = self.zip.by_index_raw(number)?;
        let bytes = member.compressed_size();
        let deflated = member.compression() == CompressionMethod::Deflated;
        let start = member.data_start().filter(|_| deflated);
        let start = start.ok_or(io::ErrorKind::InvalidData)?;
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(DeflateDecoder::new(file.take(bytes)))
    }
}

/// Converts a time to zip's local time in two-second steps.
///
/// Zip covers 1980 to 2107; a time outside becomes the nearest one inside.
fn zip_time(time: SystemTime) -> DateTime {
    const YEARS: RangeInclusive<i32> = 1980..=2107;
    // chrono's own conversion panics for times that some file systems hold.
    let time = Timestamp::from(time).to_chrono().with_timezone(&Local);
    let year = time.year();
    let [month, day, hour, minute, second] = if YEARS.contains(&year) {
        [
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
        ]
    } else if year < *YEARS.start() {
        [1, 1, 0, 0, 0]
    } else {
        [12, 31, 23, 59, 59]
    };
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(year.clamp(*YEARS.start(), *YEARS.end())).unwrap_or_default();
    let time = DateTime::from_date_and_time(
        year,
        part(month),
        part(day),
        part(hour),
        part(minute),
        part(second),
    );
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    const SECONDS: u64 = 1_750_000_000;

    fn member(name: &str, mode: u32) -> Member<'_> {
        Member {
            name,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS),
            mode,
        }
    }

    /// Runs Python over a zip file. Returns `None` where there is no Python.
    fn python(script: &str, zip: &std::path::Path) -> Option<String> {
        let ran = Command::new("python3")
            .env("PYTHONIOENCODING", "utf-8")
            .args(["-c", script])
            .arg(zip)
            .output()
            .ok()?;
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        Some(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    }

    #[test]
    fn another_program_reads_names_modes_and_content_are_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.zip");
        let content = "SN1;PASS\n".repeat(10_000);
        let file = File::create_new(&path).expect("made");
        let mut writer = Writer::new(&file);
        writer
            .add(&b"before"[..], 6, &member("a.txt", 0o640))
            .expect("written");
        writer.add_folder(&member("empty", 0o750)).expect("written");
        let number = writer
            .add(content.as_bytes(), 90_000, &member("Prüfling.csv", 0o600))
            .expect("written");
        writer.finish().expect("written");
        assert!(file.metadata().expect("there").len() < 2000);

        let mut back = String::new();
        let zip = File::open(&path).expect("there");
        let mut reader = Reader::new(zip).expect("a zip file");
        let mut member = reader.content(number).expect("there");
        member.read_to_string(&mut back).expect("read");
        assert_eq!(back, content);
        assert!(reader.first("b.txt").is_err());
        assert!(reader.first("a.txt").is_ok());

        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      i = z.infolist()[2]\n\
                      modes = [oct(i.external_attr >> 16) for i in z.infolist()]\n\
                      print(i.filename, i.file_size, i.date_time[0], z.namelist()[:2], *modes)";
        if let Some(said) = python(script, &path) {
            assert_eq!(
                said,
                "Prüfling.csv 90000 2025 ['a.txt', 'empty/'] 0o100640 0o40750 0o100600"
            );
        }
    }

    /// The original zip format counts up to 65,535 files and supports sizes below 4 GiB.
    #[test]
    fn seventy_thousand_members_and_64_bit_sizes_other_programs_read_all() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.zip");
        let file = File::create_new(&path).expect("made");
        let mut writer = Writer::new(&file);
        for number in 1..70_000 {
            let name = number.to_string();
            writer.add_folder(&member(&name, 0o700)).expect("written");
        }
        let large = member("large", 0o600);
        let number = writer.add(&b"content"[..], LARGE_BYTES, &large);
        writer.finish().expect("written");

        let mut reader = Reader::new(File::open(&path).expect("there")).expect("a zip file");
        let mut back = String::new();
        let mut member = reader.content(number.expect("written")).expect("there");
        member.read_to_string(&mut back).expect("read");
        assert_eq!(back, "content");

        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      i = z.infolist()[-1]\n\
                      print(len(z.namelist()), i.filename, z.read(i).decode(), oct(i.external_attr >> 16))";
        if let Some(said) = python(script, &path) {
            assert_eq!(said, "70000 large content 0o100600");
        }
        if let Ok(tested) = Command::new("unzip").arg("-tqq").arg(&path).status() {
            assert!(tested.success());
        }
    }

    #[test]
    fn names_that_become_equal_as_text_both_are_kept() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.zip");
        let file = File::create_new(&path).expect("made");
        let mut writer = Writer::new(&file);
        for content in ["one", "two"] {
            let same = member("\u{fffd}.csv", 0o600);
            writer.add(content.as_bytes(), 3, &same).expect("written");
        }
        writer.finish().expect("written");
        let mut reader = Reader::new(File::open(&path).expect("there")).expect("a zip file");
        for (number, content) in ["one", "two"].into_iter().enumerate() {
            let mut back = String::new();
            let mut member = reader.content(number).expect("there");
            member.read_to_string(&mut back).expect("read");
            assert_eq!(back, content);
        }
    }

    /// A time outside of zip's range becomes its first or last time as a whole, not only by its
    /// year.
    #[test]
    fn a_time_that_zip_cannot_tell_is_the_first_or_last_that_it_can() {
        let at = |seconds: i64| {
            let span = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 {
                SystemTime::UNIX_EPOCH - span
            } else {
                SystemTime::UNIX_EPOCH + span
            }
        };
        let told = |seconds| {
            let time = zip_time(at(seconds));
            let (hour, minute, second) = (time.hour(), time.minute(), time.second());
            (time.year(), time.month(), time.day(), hour, minute, second)
        };
        let (first, last) = ((1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58));
        // 5 July 1979, 1970, 1811, and a time before any calendar.
        for seconds in [299_980_800, 0, -5_017_593_600, -8_000_000_000_000_000] {
            assert_eq!(told(seconds), first, "{seconds}");
        }
        // 2108, 2255, and a time after any calendar.
        for seconds in [4_360_000_000, 9_000_000_000, 8_000_000_000_000_000] {
            assert_eq!(told(seconds), last, "{seconds}");
        }
        assert_eq!(told(1_750_000_000).0, 2025);
    }
}
