//! F. Everything read and compared, beside a loop that reads, unpacks and hashes the same content.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use annals::Archive;
use annals::archive::{Depth, Options};
use sha2::{Digest, Sha256};

use super::Answer;
use crate::Result;
use crate::bare::Hashes;
use crate::figures::{median, seconds};
use crate::files::Set;
use crate::keep::Keeper;
use crate::keep::annals::Annals;
use crate::measure::fresh_dir;
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

/// As annals compresses what is sealed.
const SEALED_LEVEL: i32 = 6;

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&["who", "content", "of the loop", "how"]);
    let dir = &settings.dir;
    let set = Set::generated(dir, Format::Csv, settings.seed, settings.files)?;
    let store = fresh_dir(&dir.join("verify"))?;
    Annals {
        callers: CALLERS,
        files_max: usize::MAX,
    }
    .ingest(&store, &set)?;
    let bare = dir.join("verify-bare");
    pack(&set, &bare)?;
    let archive = Archive::open(&store, Options::default())?;
    let (mut ours, mut one, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        one.push(unpack(&set, &bare, Hashes::Blake3)?);
        both.push(unpack(&set, &bare, Hashes::Blake3AndSha256)?);
        let began = Instant::now();
        let report = archive.verify(Depth::Deep)?;
        ours.push(set.bytes() as f64 / seconds(began.elapsed()));
        if !report.ok || report.blobs != set.files.len() as u64 {
            return Err(format!("verify looked at something else: {report:?}").into());
        }
    }
    archive.close()?;
    let (ours, one, both) = (median(&mut ours), median(&mut one), median(&mut both));
    for (name, rate, how) in [
        (
            "the loop",
            one,
            "read one file in a row, unpack, BLAKE3; one thread",
        ),
        (
            "the loop with SHA-256",
            both,
            "the same, and the hash for auditors",
        ),
        (
            "annals, verify --deep",
            ours,
            "all events, the tree over them, all content against both hashes, the index against the log",
        ),
    ] {
        answer.row([
            name.to_owned(),
            format!("{:.0} MB/s", rate / 1e6),
            format!("{:.2}", rate / one),
            how.to_owned(),
        ]);
    }
    answer.note(format!(
        "MB/s of plain content, {} files. The loop's file is compressed with zstd {SEALED_LEVEL}, as sealed content is.",
        crate::figures::count(set.files.len() as f64)
    ));
    answer.at_least("`verify --deep`: of the loop", ours / one, 0.7);
    answer.at_least(
        "`verify --deep`: of the loop that does both hashes",
        ours / both,
        0.7,
    );
    std::fs::remove_dir_all(store)?;
    std::fs::remove_file(bare)?;
    Ok(answer)
}

/// Every file compressed, one behind the other, each after its length.
fn pack(set: &Set, path: &Path) -> Result<()> {
    let mut compressor = zstd::bulk::Compressor::new(SEALED_LEVEL)?;
    let mut out = BufWriter::new(File::create(path)?);
    for file in &set.files {
        let compressed = compressor.compress(&std::fs::read(&file.path)?)?;
        out.write_all(&u32::try_from(compressed.len())?.to_le_bytes())?;
        out.write_all(&compressed)?;
    }
    out.flush()?;
    Ok(())
}

/// Bytes of content a second.
fn unpack(set: &Set, path: &Path, hashes: Hashes) -> Result<f64> {
    let began = Instant::now();
    let mut from = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut decompressor = zstd::bulk::Decompressor::new()?;
    let mut compressed = Vec::new();
    for (nth, file) in set.files.iter().enumerate() {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        compressed.resize(u32::from_le_bytes(length) as usize, 0);
        from.read_exact(&mut compressed)?;
        let content = decompressor.decompress(&compressed, usize::try_from(file.bytes)?)?;
        set.compare(nth, &content)?;
        if hashes == Hashes::Blake3AndSha256 {
            std::hint::black_box(Sha256::digest(&content));
        }
    }
    Ok(set.bytes() as f64 / seconds(began.elapsed()))
}
