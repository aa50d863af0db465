//! A zip file of one member, deflated: the record layout of PKWARE's APPNOTE 6.3, without its 64-bit extension.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::SystemTime;

use chrono::{DateTime, Datelike, Local, Timelike};
use flate2::read::DeflateDecoder;
use flate2::{Compression, Crc, write::DeflateEncoder};

/// Without the 64-bit extension sizes and offsets are 32 bits; what is left pays for the headers.
const SOURCE_BYTES_MAX: u64 = (1 << 32) - (1 << 20);
const LOCAL_HEADER_BYTES: usize = 30;
/// What a reader must know to read it: deflate, since version 2.0.
const NEEDS_VERSION: u16 = 20;
/// General purpose flag 11: the name is UTF-8.
const UTF8_NAME: u16 = 1 << 11;
const DEFLATED: u16 = 8;

/// Writes a zip file with `source` as its one member, called `name`. The file is not synced.
///
/// # Errors
/// `FileTooLarge` for a source near or above 4 GiB, `InvalidInput` for a name above 64 KiB.
pub(super) fn write(
    mut source: impl Read,
    name: &str,
    modified: SystemTime,
    out: &mut File,
) -> io::Result<()> {
    let name_bytes = u16::try_from(name.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the name is too long to zip"))?;
    let (time, date) = dos_time(modified);
    let header = |crc: u32, packed: u32, size: u32| {
        let mut fields = Vec::with_capacity(LOCAL_HEADER_BYTES - 4);
        for field in [NEEDS_VERSION, UTF8_NAME, DEFLATED, time, date] {
            fields.extend(field.to_le_bytes());
        }
        for field in [crc, packed, size] {
            fields.extend(field.to_le_bytes());
        }
        fields.extend(name_bytes.to_le_bytes());
        fields.extend(0_u16.to_le_bytes());
        fields
    };
    let local = |fields: &[u8]| [b"PK\x03\x04", fields, name.as_bytes()].concat();

    // The sums are known only afterwards; their place is kept.
    out.write_all(&local(&header(0, 0, 0)))?;
    let data_at = out.stream_position()?;
    let mut crc = Crc::new();
    let mut size = 0_u64;
    let mut encoder = DeflateEncoder::new(&mut *out, Compression::default());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        size += read as u64;
        if size > SOURCE_BYTES_MAX {
            return Err(too_large());
        }
        crc.update(&buffer[..read]);
        encoder.write_all(&buffer[..read])?;
    }
    encoder.finish()?;
    let directory_at = out.stream_position()?;
    let narrow = |number: u64| u32::try_from(number).map_err(|_| too_large());
    let fields = header(crc.sum(), narrow(directory_at - data_at)?, narrow(size)?);

    let mut directory = b"PK\x01\x02".to_vec();
    // Made by version 2.0 for DOS: no permissions to put back.
    directory.extend(NEEDS_VERSION.to_le_bytes());
    directory.extend(&fields);
    // Comment length, disk, internal attributes; external attributes; offset of the local header.
    directory.extend([0; 2 * 3 + 4 + 4]);
    directory.extend(name.as_bytes());
    let directory_bytes = narrow(directory.len() as u64)?;

    let mut end = b"PK\x05\x06".to_vec();
    // This disk, the directory's disk; members on this disk, members in all.
    for field in [0_u16, 0, 1, 1] {
        end.extend(field.to_le_bytes());
    }
    end.extend(directory_bytes.to_le_bytes());
    end.extend(narrow(directory_at)?.to_le_bytes());
    end.extend(0_u16.to_le_bytes());
    out.write_all(&directory)?;
    out.write_all(&end)?;
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&local(&fields))
}

/// The content of the one member of a zip file written by [`write`], to check it.
pub(super) fn member(mut zip: File, name: &str) -> io::Result<impl Read> {
    zip.seek(SeekFrom::Start((LOCAL_HEADER_BYTES + name.len()) as u64))?;
    Ok(DeflateDecoder::new(zip))
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "files of 4 GiB and more cannot be zipped; use \"move\"",
    )
}

/// Local time in two-second steps since 1980, as zip tells it.
fn dos_time(time: SystemTime) -> (u16, u16) {
    let time = DateTime::<Local>::from(time);
    let years = u16::try_from(time.year() - 1980).unwrap_or(0).min(127);
    let part = |number: u32| u16::try_from(number).unwrap_or(0);
    (
        (part(time.hour()) << 11) | (part(time.minute()) << 5) | (part(time.second()) / 2),
        (years << 9) | (part(time.month()) << 5) | part(time.day()),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_program_finds_the_member_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.zip");
        let content = "SN1;PASS\n".repeat(10_000);
        let mut file = File::create_new(&path).expect("made");
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_750_000_000);
        write(content.as_bytes(), "Prüfling.csv", time, &mut file).expect("written");
        assert!(file.metadata().expect("there").len() < 2000);

        let mut back = String::new();
        let zip = File::open(&path).expect("there");
        member(zip, "Prüfling.csv")
            .and_then(|mut member| member.read_to_string(&mut back))
            .expect("read");
        assert_eq!(back, content);

        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      i = z.infolist()[0]\n\
                      print(i.filename, i.file_size, i.date_time[0])";
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
            "Prüfling.csv 90000 2025",
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }

    #[test]
    fn a_time_before_1980_is_told_as_best_it_can() {
        let (_, date) = dos_time(SystemTime::UNIX_EPOCH);
        assert_eq!(date >> 9, 0);
    }
}
