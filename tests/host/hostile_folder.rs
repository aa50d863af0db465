//! Tests a host whose watch folders are written to by an attacker.
//!
//! A host runs over several watch folders while random trees, links, pipes and renames are dropped
//! into them. Everything outside the configured folders must stay unchanged, and nothing from there
//! may be archived or moved.
//!
//! `ANNALS_DROP_SECONDS=600` runs longer, `ANNALS_DROP_SEED=7` chooses another sequence.
#![cfg(all(feature = "cli", unix))]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::plant::Host;
use annals::archive::{Archive, Options};
use annals::event::Actor;
use annals::query::{Filter, Purged, Query};

/// Text that files outside contain, and no file in a watch folder.
const SECRET: &str = "of-nobodys-business";
/// The number of hosts that run one after the other.
const LIVES: u32 = 3;
/// The setting for the converted files of each watch folder.
const LINES: [(&str, &str); 6] = [
    (
        "archived",
        "archive_enabled = true\npost_process = \"archive\"",
    ),
    (
        "moved",
        "archive_enabled = true\npost_process = \"move\"\ndone_folder = \"done\"",
    ),
    (
        "zipped",
        "archive_enabled = true\npost_process = \"zip\"\ndone_folder = \"zips\"",
    ),
    (
        "deleted",
        "archive_enabled = true\npost_process = \"delete\"",
    ),
    (
        "deep",
        "archive_enabled = true\npost_process = \"move\"\ndone_folder = \"depth\"\nrecursive = true",
    ),
    (
        "units",
        "archive_enabled = true\npost_process = \"archive\"\ncomplete_marker = \"DONE\"",
    ),
];

struct Plant {
    base: crate::plant::Plant,
}

impl std::ops::Deref for Plant {
    type Target = crate::plant::Plant;

    fn deref(&self) -> &crate::plant::Plant {
        &self.base
    }
}

impl Plant {
    fn new() -> Self {
        let plant = Self {
            base: crate::plant::Plant::empty(),
        };
        let mut config = String::from(
            "[store]\npath = \"store\"\n[host]\nmin_free_disk_gb = 0\nscan_every_s = 0.1\n\
             [defaults]\nsettle_s = 0\nerror_folder = \"error\"\nenvironment = \"sh\"\n",
        );
        for (name, settings) in LINES {
            write!(
                config,
                "[[converter]]\nname = \"{name}\"\nwatch_folder = \"{name}\"\n{settings}\n\
                 command = [\"sh\", \"-c\", \"echo {{}}\", \"{{input}}\"]\n"
            )
            .expect("into a text");
            fs::create_dir(plant.path(name)).expect("made");
        }
        plant.write("host.toml", &config);
        let outside = plant.path("outside");
        fs::create_dir_all(outside.join("folder/inner")).expect("made");
        for name in [
            "DONE",
            "1.csv",
            "folder/DONE",
            "folder/1.csv",
            "folder/inner/2.csv",
        ] {
            fs::write(outside.join(name), format!("{SECRET}: {name}")).expect("written");
        }
        plant.annals(&["init", "store"], 0);
        plant
    }

    fn host(&self) -> Host {
        let log = fs::File::create(self.path("log")).expect("made");
        let mut command = self.command(&["host", "run", "host.toml"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Host(command.stderr(log).spawn().expect("started"))
    }

    /// Returns everything outside: name, identity, rights, times and content.
    fn outside(&self) -> BTreeMap<PathBuf, (u64, u32, i64, i64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path("outside")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("listed") {
                let path = entry.expect("an entry").path();
                let meta = fs::symlink_metadata(&path).expect("there");
                let content = if meta.is_dir() {
                    folders.push(path.clone());
                    Vec::new()
                } else {
                    fs::read(&path).expect("read")
                };
                let (modified, changed) = (meta.mtime_nsec(), meta.ctime_nsec());
                found.insert(path, (meta.ino(), meta.mode(), modified, changed, content));
            }
        }
        found
    }

    /// Checks every archived entry. Returns their number.
    fn check_archive(&self) -> usize {
        let options = Options::default().actor(Actor::system());
        let archive = Archive::open(self.path("store"), options).expect("opens");
        let snapshot = archive.snapshot().expect("a snapshot");
        let query = Query::default().filter(Filter::default().purged(Purged::Include));
        let entries = snapshot.query(&query).expect("answered").entries;
        for entry in &entries {
            let content = archive.read_all(&entry.blake3, 1 << 20).expect("readable");
            check_bytes(&content, &entry.source_path);
        }
        entries.len()
    }

    /// Checks what the host has moved or made.
    fn check_folders(&self) {
        for name in ["done", "zips", "error"] {
            for file in fs::read_dir(self.path(name)).into_iter().flatten() {
                let path = file.expect("an entry").path();
                let meta = fs::symlink_metadata(&path).expect("there");
                if meta.is_file() {
                    let content = fs::read(&path).expect("read");
                    check_bytes(&content, &path.display().to_string());
                }
            }
        }
    }
}

fn check_bytes(content: &[u8], of: &str) {
    let found = content
        .windows(SECRET.len())
        .any(|bytes| bytes == SECRET.as_bytes());
    assert!(!found, "{of}: holds what lay outside of the watch folders");
}

/// A seeded generator of random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Drops things into watch folders. A failed operation means that the host was faster, which is
/// allowed.
struct Dropper<'a> {
    plant: &'a Plant,
    dice: Dice,
    made: u64,
}

impl Dropper<'_> {
    fn drop_one(&mut self) {
        self.made += 1;
        let line = usize::try_from(self.dice.roll(LINES.len() as u64)).expect("small");
        let folder = self.plant.path(LINES[line].0);
        let name = match self.dice.roll(12) {
            0 => "x".repeat(250) + ".csv",
            1 => format!("a\nb\u{1b}[2J{}.csv", self.dice.roll(20)),
            2 => ".annals-0123456789abcdef.removing".to_owned(),
            3 => format!(".annals-{:016x}.partial", self.dice.roll(4)),
            _ => format!("{}.csv", self.dice.roll(20)),
        };
        let path = if self.dice.roll(20) == 0 {
            folder.join(OsStr::from_bytes(b"SN\xff.csv"))
        } else {
            folder.join(name)
        };
        let outside = self.plant.path("outside");
        let _ = match self.dice.roll(13) {
            0 => write(&path, &format!("unit {}", self.made)),
            1 => self.by_renaming(&path, |at| fs::write(at, "unit")),
            // A file that the host has seen becomes a link to another file.
            2 | 3 => write(&path, "unit").and_then(|()| {
                std::thread::sleep(Duration::from_micros(self.dice.roll(3000)));
                self.by_renaming(&path, |at| symlink(outside.join("1.csv"), at))
            }),
            4 => symlink(outside.join("1.csv"), &path),
            5 => symlink(&outside, &path),
            6 => rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RWXU,
                0,
            )
            .map_err(Into::into),
            7 => self.tree(&path),
            // A complete folder is replaced by a link to a folder outside.
            8 => self.tree(&path).and_then(|()| {
                std::thread::sleep(Duration::from_micros(self.dice.roll(20_000)));
                let aside = self.plant.path(format!("aside-{}", self.made));
                fs::rename(&path, &aside)
                    .and_then(|()| symlink(outside.join("folder"), &path))
                    .and_then(|()| fs::remove_dir_all(aside))
            }),
            // A folder inside a folder is replaced by a link.
            9 => self.tree(&path).and_then(|()| {
                std::thread::sleep(Duration::from_micros(self.dice.roll(20_000)));
                let aside = self.plant.path(format!("aside-{}", self.made));
                fs::rename(path.join("inner"), &aside)
                    .and_then(|()| symlink(outside.join("folder/inner"), path.join("inner")))
                    .and_then(|()| fs::remove_dir_all(aside))
            }),
            10 => self.planted(&path),
            // Names become free again.
            _ => fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)),
        };
    }

    fn by_renaming(
        &self,
        path: &Path,
        make: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let new = self.plant.path(format!("new-{}", self.made));
        make(&new)?;
        fs::rename(new, path)
    }

    /// Adds a complete folder in one step, so that no part of it is written through a link.
    fn tree(&mut self, path: &Path) -> std::io::Result<()> {
        let new = self.plant.path(format!("new-{}", self.made));
        fs::create_dir_all(new.join("inner"))?;
        fs::write(new.join("1.csv"), "unit")?;
        fs::write(new.join("inner/2.csv"), "unit")?;
        if self.dice.roll(4) == 0 {
            symlink(self.plant.path("outside/1.csv"), new.join("3.csv"))?;
        }
        fs::write(new.join("DONE"), "")?;
        if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_dir()) {
            fs::remove_file(path)?;
        }
        fs::rename(&new, path).or_else(|_| fs::remove_dir_all(new))
    }

    /// Plants what an earlier version left when it was killed during a removal: a list of what to
    /// remove, and a folder to put back. One variant would put a folder outside, the other would
    /// remove a known file outside.
    fn planted(&mut self, path: &Path) -> std::io::Result<()> {
        let number = self.dice.roll(1000);
        // Only folders of complete units were cleared away in this way.
        let units = self
            .plant
            .path("units")
            .join(path.file_name().unwrap_or_default());
        let folder = units.with_file_name(format!(".annals-fedcba98765{number:05}.removing"));
        let outside = self.plant.path("outside");
        fs::create_dir(&folder)?;
        let list = if self.dice.roll(2) == 0 {
            fs::write(folder.join("folder"), "of the dropper")?;
            format!("{}/planted\0DONE\0", outside.display())
        } else {
            symlink(outside.join("folder"), folder.join("folder"))?;
            let known = blake3::hash(format!("{SECRET}: folder/1.csv").as_bytes());
            format!("x\0DONE\0{}\x001.csv\0", known.to_hex())
        };
        fs::write(folder.join("list"), list)
    }
}

/// Writes in place, as a tester does. If the name is a pipe by now, the write fails instead of
/// blocking.
fn write(path: &Path, content: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let nonblocking = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(i32::try_from(nonblocking.bits()).expect("flags"))
        .open(path)?
        .write_all(content.as_bytes())
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn nothing_outside_of_the_configured_folders_is_read_written_renamed_or_removed() {
    let plant = Plant::new();
    let seed = number("ANNALS_DROP_SEED", 2026);
    let seconds = number("ANNALS_DROP_SECONDS", 4);
    let before = plant.outside();
    let mut dropper = Dropper {
        plant: &plant,
        dice: Dice(seed | 1),
        made: 0,
    };
    // Two hosts are killed while they work, and the next one continues.
    for life in 1..=LIVES {
        let mut host = plant.host();
        let until = Instant::now() + Duration::from_secs(seconds) / LIVES;
        while Instant::now() < until {
            dropper.drop_one();
            if let Some(status) = host.0.try_wait().expect("asked") {
                let log = fs::read_to_string(plant.path("log")).unwrap_or_default();
                panic!("seed {seed}: the host ended with {status}: {log}");
            }
        }
        if life < LIVES {
            crate::plant::ending::kill(&mut host.0);
        }
    }
    let dropped = dropper.made;
    let after = plant.outside();
    let names = before.keys().chain(after.keys());
    let changed: BTreeSet<&PathBuf> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .collect();
    assert!(changed.is_empty(), "seed {seed}: {changed:?}");
    let archived = plant.check_archive();
    plant.check_folders();
    println!("seed {seed}: dropped {dropped}, archived {archived}");
    assert!(archived > 20, "seed {seed}: only {archived} were archived");
}
