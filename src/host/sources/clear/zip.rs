//! Zip files, deflated: the record layout of PKWARE's APPNOTE 6.3, without its 64-bit extension.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::time::SystemTime;

use chrono::{Datelike, Local, Timelike};
use flate2::read::DeflateDecoder;
use flate2::{Compression, Crc, write::DeflateEncoder};

use crate::time::Timestamp;

/// Without the 64-bit extension sizes and offsets are 32 bits; what is left pays for the headers.
const ZIP_BYTES_MAX: u64 = (1 << 32) - (1 << 20);
const LOCAL_HEADER_BYTES: usize = 30;
/// What a reader must know to read it: deflate, since version 2.0.
const NEEDS_VERSION: u16 = 20;
/// The system whose permissions the members carry: Unix.
const MADE_ON_UNIX: u16 = 3 << 8;
/// What kind of file a Unix mode is of.
const REGULAR_FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
/// How DOS says that a member is a folder.
const DOS_DIRECTORY: u32 = 1 << 4;
/// General purpose flag 11: the name is UTF-8.
const UTF8_NAME: u16 = 1 << 11;
const DEFLATED: u16 = 8;

const STORED: u16 = 0;

/// A zip file being written. It is none before [`Writer::finish`].
pub(in crate::host) struct Writer<'a> {
    out: &'a mut File,
    directory: Vec<u8>,
    members: u16,
}

impl<'a> Writer<'a> {
    pub(in crate::host) fn new(out: &'a mut File) -> Self {
        Self {
            out,
            directory: Vec::new(),
            members: 0,
        }
    }

    /// Writes `source` as a member called `name`, with the permissions in `mode`. Answers where its
    /// content begins, for [`content`].
    ///
    /// # Errors
    /// `FileTooLarge` for a zip file near or above 4 GiB or of more than 65,535 members, `InvalidInput` for a name above 64 KiB.
    pub(in crate::host) fn add(
        &mut self,
        mut source: impl Read,
        name: &str,
        modified: SystemTime,
        mode: u32,
    ) -> io::Result<u64> {
        let header_at = self.out.stream_position()?;
        // The sums are known only afterwards; their place is kept.
        let begun = Header::new(name, DEFLATED, modified)?;
        self.out.write_all(&begun.local(name))?;
        let content_at = self.out.stream_position()?;
        let mut crc = Crc::new();
        let mut size = 0_u64;
        let mut encoder = DeflateEncoder::new(&mut *self.out, Compression::default());
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            size += read as u64;
            if size > ZIP_BYTES_MAX {
                return Err(too_large());
            }
            crc.update(&buffer[..read]);
            encoder.write_all(&buffer[..read])?;
        }
        encoder.finish()?;
        let end = self.out.stream_position()?;
        let header = Header {
            crc: crc.sum(),
            packed: narrow(end - content_at)?,
            size: narrow(size)?,
            ..begun
        };
        self.out.seek(SeekFrom::Start(header_at))?;
        self.out.write_all(&header.local(name))?;
        self.out.seek(SeekFrom::Start(end))?;
        self.enter(&header, name, header_at, (REGULAR_FILE | mode) << 16)?;
        Ok(content_at)
    }

    /// Writes a folder, which is a member without content.
    pub(in crate::host) fn add_folder(
        &mut self,
        name: &str,
        modified: SystemTime,
        mode: u32,
    ) -> io::Result<()> {
        let name = format!("{name}/");
        let header_at = self.out.stream_position()?;
        let header = Header::new(&name, STORED, modified)?;
        self.out.write_all(&header.local(&name))?;
        let attributes = ((DIRECTORY | mode) << 16) | DOS_DIRECTORY;
        self.enter(&header, &name, header_at, attributes)
    }

    fn enter(
        &mut self,
        header: &Header,
        name: &str,
        header_at: u64,
        attributes: u32,
    ) -> io::Result<()> {
        if header_at > ZIP_BYTES_MAX {
            return Err(too_large());
        }
        self.members = self.members.checked_add(1).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                "more than 65,535 files cannot be zipped; use \"move\"",
            )
        })?;
        self.directory.extend(b"PK\x01\x02");
        let made_by = MADE_ON_UNIX | NEEDS_VERSION;
        self.directory.extend(made_by.to_le_bytes());
        self.directory.extend(header.fields());
        // Comment length, disk, internal attributes.
        self.directory.extend([0; 2 * 3]);
        self.directory.extend(attributes.to_le_bytes());
        self.directory.extend(narrow(header_at)?.to_le_bytes());
        self.directory.extend(name.as_bytes());
        Ok(())
    }

    /// Writes the directory. The file is not synced.
    pub(in crate::host) fn finish(self) -> io::Result<()> {
        let directory_at = self.out.stream_position()?;
        let mut end = b"PK\x05\x06".to_vec();
        // This disk, the directory's disk; members on this disk, members in all.
        for field in [0, 0, self.members, self.members] {
            end.extend(field.to_le_bytes());
        }
        end.extend(narrow(self.directory.len() as u64)?.to_le_bytes());
        end.extend(narrow(directory_at)?.to_le_bytes());
        end.extend(0_u16.to_le_bytes());
        self.out.write_all(&self.directory)?;
        self.out.write_all(&end)
    }
}

/// What is said of a member, before its content and in the directory.
#[derive(Clone, Copy)]
struct Header {
    method: u16,
    time: u16,
    date: u16,
    crc: u32,
    packed: u32,
    size: u32,
    name_bytes: u16,
}

impl Header {
    fn new(name: &str, method: u16, modified: SystemTime) -> io::Result<Self> {
        let name_bytes = u16::try_from(name.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "the name is too long to zip")
        })?;
        let (time, date) = dos_time(modified);
        Ok(Self {
            method,
            time,
            date,
            crc: 0,
            packed: 0,
            size: 0,
            name_bytes,
        })
    }

    fn fields(&self) -> Vec<u8> {
        let mut fields = Vec::with_capacity(LOCAL_HEADER_BYTES - 4);
        for field in [NEEDS_VERSION, UTF8_NAME, self.method, self.time, self.date] {
            fields.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.packed, self.size] {
            fields.extend(field.to_le_bytes());
        }
        fields.extend(self.name_bytes.to_le_bytes());
        fields.extend(0_u16.to_le_bytes());
        fields
    }

    fn local(&self, name: &str) -> Vec<u8> {
        [b"PK\x03\x04", &self.fields()[..], name.as_bytes()].concat()
    }
}

/// The content of a member of a zip file that [`Writer`] wrote, to check it.
pub(in crate::host) fn content(mut zip: File, at: u64) -> io::Result<impl Read> {
    zip.seek(SeekFrom::Start(at))?;
    Ok(DeflateDecoder::new(zip))
}

/// The content of the first member, whose name it is.
pub(in crate::host) fn first(zip: File, name: &str) -> io::Result<impl Read> {
    content(zip, (LOCAL_HEADER_BYTES + name.len()) as u64)
}

fn narrow(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "what comes to 4 GiB and more cannot be zipped; use \"move\"",
    )
}

/// Local time in two-second steps, as zip tells it: from 1980 to 2107, and what lies outside is
/// told as the nearest of these.
fn dos_time(time: SystemTime) -> (u16, u16) {
    const YEARS: RangeInclusive<i32> = 1980..=2107;
    // chrono's own conversion panics on times that some file systems hold.
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
    let part = |number: u32| u16::try_from(number).unwrap_or(0);
    let years = year.clamp(*YEARS.start(), *YEARS.end()) - YEARS.start();
    let years = u16::try_from(years).unwrap_or(0);
    (
        (part(hour) << 11) | (part(minute) << 5) | (part(second) / 2),
        (years << 9) | (part(month) << 5) | part(day),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn another_program_finds_the_member_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.zip");
        let content = "SN1;PASS\n".repeat(10_000);
        let mut file = File::create_new(&path).expect("made");
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_750_000_000);
        let mut writer = Writer::new(&mut file);
        writer
            .add(&b"before"[..], "a.txt", time, 0o640)
            .expect("written");
        writer.add_folder("empty", time, 0o750).expect("written");
        let at = writer.add(content.as_bytes(), "Prüfling.csv", time, 0o600);
        writer.finish().expect("written");
        assert!(file.metadata().expect("there").len() < 2000);

        let mut back = String::new();
        let zip = File::open(&path).expect("there");
        super::content(zip, at.expect("written"))
            .and_then(|mut member| member.read_to_string(&mut back))
            .expect("read");
        assert_eq!(back, content);

        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      i = z.infolist()[2]\n\
                      modes = [oct(i.external_attr >> 16) for i in z.infolist()]\n\
                      print(i.filename, i.file_size, i.date_time[0], z.namelist()[:2], *modes)";
        let Ok(said) = Command::new("python3")
            .env("PYTHONIOENCODING", "utf-8")
            .args(["-c", script])
            .arg(&path)
            .output()
        else {
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&said.stdout).trim(),
            "Prüfling.csv 90000 2025 ['a.txt', 'empty/'] 0o100640 0o40750 0o100600",
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }

    /// A file of July 1979 was told to be of July 1980: the year alone was moved.
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
            let (time, date) = dos_time(at(seconds));
            (
                1980 + (date >> 9),
                (date >> 5) & 15,
                date & 31,
                time >> 11,
                (time >> 5) & 63,
                (time & 31) * 2,
            )
        };
        let (first, last) = ((1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58));
        // 5 July 1979, 1970, 1811, and before any calendar.
        for seconds in [299_980_800, 0, -5_017_593_600, -8_000_000_000_000_000] {
            assert_eq!(told(seconds), first, "{seconds}");
        }
        // 2108, 2255, and after any calendar.
        for seconds in [4_360_000_000, 9_000_000_000, 8_000_000_000_000_000] {
            assert_eq!(told(seconds), last, "{seconds}");
        }
        assert_eq!(told(1_750_000_000).0, 2025);
    }
}
