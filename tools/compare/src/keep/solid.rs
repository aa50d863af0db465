//! The two ends of compression: everything in one stream, and every file by itself.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::backup::{missing, run};
use super::{Ingested, Keeper};
use crate::Result;
use crate::files::Set;
use crate::measure::fresh_dir;

/// `tar | zstd`: nothing can be read without what stands before it.
pub(crate) struct Solid {
    /// What zstd is told.
    pub(crate) level: &'static str,
}

impl Solid {
    pub(crate) const FAST: Self = Self { level: "-3" };
    pub(crate) const SMALL: Self = Self {
        level: "-19 --long=27",
    };
}

impl Keeper for Solid {
    fn name(&self) -> String {
        format!("tar, zstd {}", self.level)
    }

    fn how(&self) -> String {
        "one stream, no access to a single file".to_owned()
    }

    fn missing(&self) -> Option<String> {
        missing("zstd")
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let began = Instant::now();
        let script = format!(
            r#"set -o pipefail; tar -C "$1" --sort=name -cf - . | zstd -q {} -o "$2"; sync "$2""#,
            self.level
        );
        run(Command::new("bash")
            .args(["-ec", &script, "bash"])
            .arg(&set.root)
            .arg(dir.join("all.tar.zst")))?;
        let took = began.elapsed();
        Ok(Ingested {
            acknowledged: took,
            settled: took,
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let out = fresh_dir(&dir.join("out"))?;
        run(Command::new("bash")
            .args([
                "-ec",
                r#"set -o pipefail; zstd -q -dc --long=27 "$1" | tar -C "$2" -xf -"#,
            ])
            .arg("bash")
            .arg(dir.join("all.tar.zst"))
            .arg(&out))?;
        set.compare_folder(&out)?;
        fs::remove_dir_all(out)?;
        Ok(())
    }
}

/// Every file compressed by itself with zstd 19, in one file without any frame: the least that is
/// possible without knowing other files.
pub(crate) struct Alone;

const ALONE_LEVEL: i32 = 19;

impl Keeper for Alone {
    fn name(&self) -> String {
        format!("each file alone, zstd {ALONE_LEVEL}")
    }

    fn how(&self) -> String {
        "no dictionary, no names, no index: not a store, but what one without dictionaries cannot beat"
            .to_owned()
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let began = Instant::now();
        let mut all = Vec::new();
        let mut compressor = zstd::bulk::Compressor::new(ALONE_LEVEL)?;
        for file in &set.files {
            all.extend(compressor.compress(&fs::read(&file.path)?)?);
        }
        fs::write(dir.join("all"), all)?;
        let took = began.elapsed();
        Ok(Ingested {
            acknowledged: took,
            settled: took,
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        // The frames stand one behind the other, and so do the contents.
        let mut all = zstd::stream::decode_all(fs::File::open(dir.join("all"))?)?;
        for (nth, file) in set.files.iter().enumerate() {
            let rest = all.split_off(usize::try_from(file.bytes)?);
            set.compare(nth, &all)?;
            all = rest;
        }
        if all.is_empty() {
            Ok(())
        } else {
            Err("more came back than went in".into())
        }
    }
}
