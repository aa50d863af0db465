//! Many similar small files: what they take with and without dictionaries, how fast they are sealed
//! and read back, beside a solid archive of the same files.
//!
//! `cargo bench --bench similar [-- FOLDER...]`; every file below 1 MiB in a folder is archived, by
//! its extension. `LEVEL=1` to `9` in the environment is the level it is archived with.

#[path = "../src/demo/plant/mod.rs"]
#[allow(dead_code, reason = "only the endless plant is asked for files here")]
mod plant;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use annals::Archive;
use annals::archive::{NewEntry, Options};
use annals::id::BlobId;
use tempfile::TempDir;

type Files = Vec<(String, Vec<u8>)>;
/// Makes the file of one unit.
type Make = fn(usize) -> Vec<u8>;

const FILES: usize = 3_000;

fn main() {
    println!(
        "| files | bytes | without | with | tar, zstd -3 | tar, zstd -19 | sealed, files/s without | with | read, us |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    let made: [(&str, Make); 4] = [("csv", csv), ("xml", xml), ("json", json), ("ict", ict)];
    let folders: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    for (name, make) in made.into_iter().filter(|_| folders.is_empty()) {
        let files = (0..FILES).map(|nth| (format!("{nth}.{name}"), make(nth)));
        measure(name, &files.collect());
    }
    for folder in folders {
        let mut files = Vec::new();
        gather(Path::new(&folder), &mut files);
        let name = Path::new(&folder).file_name().unwrap_or_default();
        measure(&name.to_string_lossy(), &files);
    }
}

fn measure(name: &str, files: &Files) {
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let level: Option<u8> = std::env::var("LEVEL")
        .ok()
        .and_then(|level| level.parse().ok());
    let (without, slow, _) = store(&dir.path().join("without"), files, u64::MAX, level);
    let (with, fast, read) = store(&dir.path().join("with"), files, 64 << 10, level);
    let solid =
        |level: &str| solid(dir.path(), files, level).map_or("-".into(), |bytes| bytes.to_string());
    let rate = |time: Duration| files.len() as f64 / time.as_secs_f64();
    println!(
        "| {} {name} | {bytes} | {without} | {with} | {} | {} | {:.0} | {:.0} | {:.1} |",
        files.len(),
        solid("-3"),
        solid("-19"),
        rate(slow),
        rate(fast),
        read.as_secs_f64() * 1e6
    );
}

/// Bytes of the packs, how long sealing took, and how long one content takes to read when its pack
/// is open.
fn store(
    dir: &Path,
    files: &Files,
    dictionary_from: u64,
    level: Option<u8>,
) -> (u64, Duration, Duration) {
    let options = Options::default().dictionary_from(dictionary_from);
    let archive = Archive::create(dir, options).expect("a store");
    let callers = 16;
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let archive = &archive;
            scope.spawn(move || {
                for (name, content) in files.iter().skip(caller).step_by(callers) {
                    let mut new = {
                        let mut new = NewEntry::new("bench");
                        new.compression_level = level;
                        new
                    };
                    new.source.name.clone_from(name);
                    archive.put(new, content.as_slice()).expect("archived");
                }
            });
        }
    });
    let begun = Instant::now();
    archive.seal().expect("sealed");
    let sealed = begun.elapsed();
    let ids: Vec<BlobId> = files
        .iter()
        .map(|(_, content)| BlobId::of(content))
        .collect();
    let read_all = || {
        let begun = Instant::now();
        for (id, (_, content)) in ids.iter().zip(files) {
            assert_eq!(
                archive.read_all(id, 1 << 20).expect("readable").len(),
                content.len()
            );
        }
        begun.elapsed() / u32::try_from(ids.len()).expect("few").max(1)
    };
    read_all();
    let read = read_all();
    let stats = archive.snapshot().expect("there").stats().expect("counted");
    (stats.stored_bytes, sealed, read)
}

/// Bytes of a solid archive; `None` where the tools are missing.
fn solid(dir: &Path, files: &Files, level: &str) -> Option<usize> {
    let folder = dir.join(format!("solid{level}"));
    std::fs::create_dir_all(&folder).ok()?;
    for (nth, (name, content)) in files.iter().enumerate() {
        let flat = name.replace('/', "_");
        std::fs::write(folder.join(format!("{nth:05}-{flat}")), content).ok()?;
    }
    let mut tar = Command::new("tar")
        .args(["--sort=name", "-cf", "-", "."])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let zstd = Command::new("zstd")
        .args([level, "-c"])
        .stdin(tar.stdout.take()?)
        .output()
        .ok()?;
    tar.wait().ok()?;
    Some(zstd.stdout.len())
}

fn gather(dir: &Path, files: &mut Files) {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            gather(&path, files);
        } else {
            let content = std::fs::read(&path).expect("readable");
            if content.len() < 1 << 20 {
                let name = path.file_name().unwrap_or_default();
                files.push((name.to_string_lossy().into_owned(), content));
            }
        }
    }
}

fn ict(nth: usize) -> Vec<u8> {
    plant::ict_file(1, nth)
}

/// Numbers that look measured, the same for the same unit.
struct Measured(u64);

impl Measured {
    fn of(unit: usize) -> Self {
        Self((unit as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A value within 2.5 % of what is expected in this row, and what that is.
    fn row(&mut self, row: usize) -> (f64, f64) {
        let nominal = (row * 37 % 100) as f64 / 7.0 + 1.0;
        let off = self.below(2_000) as f64 - 1_000.0;
        (nominal * (1.0 + off / 40_000.0), nominal)
    }

    fn start(&mut self, unit: usize) -> String {
        let day = 1 + unit % 28;
        format!(
            "2026-03-{day:02}T{:02}:{:02}:{:02}",
            self.below(24),
            self.below(60),
            self.below(60)
        )
    }
}

fn csv(unit: usize) -> Vec<u8> {
    let mut measured = Measured::of(unit);
    let start = measured.start(unit);
    let mut text = format!(
        "# Station;FCT-{:02}\n# Serial;SN{:07}\n# Start;{start}\nStep;Name;Value;Unit;Low;High;Status\n",
        unit % 4,
        unit * 7
    );
    for row in 0..128 {
        let (value, nominal) = measured.row(row);
        let (low, high) = (nominal * 0.95, nominal * 1.05);
        let _ = writeln!(
            text,
            "{row};Measure R{row:03} resistance net N{};{value:.5};Ohm;{low:.3};{high:.3};PASS",
            row * 13 % 97
        );
    }
    text.into_bytes()
}

fn xml(unit: usize) -> Vec<u8> {
    let mut measured = Measured::of(unit);
    let start = measured.start(unit);
    let mut text = format!(
        "<?xml version=\"1.0\"?>\n<Report serial=\"SN{:07}\" station=\"FCT-{:02}\" start=\"{start}\">\n",
        unit * 7,
        unit % 4
    );
    for row in 0..75 {
        let (value, nominal) = measured.row(row);
        let (low, high) = (nominal * 0.95, nominal * 1.05);
        let _ = writeln!(
            text,
            "  <Step id=\"{row}\" name=\"Voltage rail {}\"><Value unit=\"V\">{value:.5}</Value><Limit low=\"{low:.3}\" high=\"{high:.3}\"/></Step>",
            row * 13 % 97
        );
    }
    text.push_str("</Report>\n");
    text.into_bytes()
}

fn json(unit: usize) -> Vec<u8> {
    let mut measured = Measured::of(unit);
    let start = measured.start(unit);
    let mut text = format!(
        "{{\"serial\":\"SN{:07}\",\"station\":\"FCT-{:02}\",\"start\":\"{start}\",\"steps\":[",
        unit * 7,
        unit % 4
    );
    for row in 0..85 {
        let (value, nominal) = measured.row(row);
        let (low, high) = (nominal * 0.95, nominal * 1.05);
        let _ = write!(
            text,
            "{{\"id\":{row},\"name\":\"rail {}\",\"value\":{value:.5},\"low\":{low:.3},\"high\":{high:.3},\"unit\":\"V\",\"status\":\"passed\"}},",
            row * 13 % 97
        );
    }
    text.push_str("null]}\n");
    text.into_bytes()
}
