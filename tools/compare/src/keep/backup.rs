//! Backup programs, as subprocesses: restic, borg, git.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::{Ingested, Keeper, Size};
use crate::Result;
use crate::files::Set;
use crate::measure::{fresh_dir, taken};

/// How files are handed to a backup program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// One backup of the whole folder: its good case.
    AllAtOnce,
    /// One backup for each file as it comes: what acknowledging a file means here. A sample of this
    /// many.
    FileByFile(usize),
}

impl Batch {
    const fn files_max(self) -> usize {
        match self {
            Self::AllAtOnce => usize::MAX,
            Self::FileByFile(files) => files,
        }
    }

    fn name(self, program: &str) -> String {
        match self {
            Self::AllAtOnce => format!("{program}, all at once"),
            Self::FileByFile(_) => format!("{program}, a backup for each file"),
        }
    }
}

/// Runs a program to its end; what it said on stderr is the error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let done = command.output()?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&done.stderr);
        Err(format!("{command:?}: {}: {said}", done.status).into())
    }
}

/// Why a program cannot be used here, if so.
pub(crate) fn missing(program: &str) -> Option<String> {
    let asked = Command::new(program).arg("--version").output();
    asked.is_err().then(|| format!("no {program} here"))
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Ingested> {
    let began = Instant::now();
    work()?;
    let took = began.elapsed();
    Ok(Ingested {
        acknowledged: took,
        settled: took,
    })
}

/// restic, which always encrypts.
pub(crate) struct Restic {
    pub(crate) batch: Batch,
    /// `auto` or `max`.
    pub(crate) compression: &'static str,
}

impl Restic {
    fn command(dir: &Path) -> Command {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD", "compare")
            .env("RESTIC_REPOSITORY", dir.join("repository"))
            .args(["--no-cache", "-q"]);
        command
    }
}

impl Keeper for Restic {
    fn name(&self) -> String {
        self.batch.name("restic")
    }

    fn how(&self) -> String {
        format!(
            "restic backup, repository version 2, --compression {}; encrypts; includes the start of its process",
            self.compression
        )
    }

    fn missing(&self) -> Option<String> {
        // It knows no --version, and says so.
        missing("restic")
    }

    fn files_max(&self) -> usize {
        self.batch.files_max()
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        run(Self::command(dir).args(["init", "--repository-version", "2"]))?;
        let backup = |path: &Path| {
            run(Self::command(dir)
                .current_dir(&set.root)
                .args(["backup", "--compression", self.compression])
                .arg(path))
        };
        timed(|| {
            match self.batch {
                Batch::AllAtOnce => {
                    backup(Path::new("."))?;
                }
                Batch::FileByFile(_) => {
                    for file in &set.files {
                        backup(&file.path)?;
                    }
                }
            }
            Ok(())
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let listed = run(Self::command(dir).args(["snapshots", "--json"]))?;
        let out = fresh_dir(&dir.join("out"))?;
        for snapshot in listed
            .split("\"short_id\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let target = out.join(snapshot);
            run(Self::command(dir)
                .args(["restore", snapshot, "--target"])
                .arg(target))?;
        }
        set.compare_folder(&out)?;
        std::fs::remove_dir_all(out)?;
        Ok(())
    }
}

/// borg without encryption.
pub(crate) struct Borg {
    pub(crate) batch: Batch,
    /// As borg writes it: `zstd,3`.
    pub(crate) compression: &'static str,
}

impl Borg {
    fn command(dir: &Path) -> Command {
        let mut command = Command::new("borg");
        command
            .env("BORG_BASE_DIR", dir.with_extension("borg-home"))
            .env("BORG_REPO", dir.join("repository"))
            .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
            .env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
        command
    }
}

impl Keeper for Borg {
    fn name(&self) -> String {
        self.batch.name("borg")
    }

    fn how(&self) -> String {
        format!(
            "borg create -C {}, no encryption, no files cache; includes the start of its process",
            self.compression
        )
    }

    fn missing(&self) -> Option<String> {
        missing("borg")
    }

    fn files_max(&self) -> usize {
        self.batch.files_max()
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        fresh_dir(&dir.with_extension("borg-home"))?;
        run(Self::command(dir).args(["init", "-e", "none"]))?;
        let create = |name: String, path: &Path| {
            run(Self::command(dir)
                .current_dir(&set.root)
                .args([
                    "create",
                    "-C",
                    self.compression,
                    "--files-cache",
                    "disabled",
                ])
                .arg(format!("::{name}"))
                .arg(path))
        };
        timed(|| {
            match self.batch {
                Batch::AllAtOnce => {
                    create("all".to_owned(), Path::new("."))?;
                }
                Batch::FileByFile(_) => {
                    for (nth, file) in set.files.iter().enumerate() {
                        create(nth.to_string(), &file.path)?;
                    }
                }
            }
            Ok(())
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let out = fresh_dir(&dir.join("out"))?;
        for archive in run(Self::command(dir).args(["list", "--short"]))?.lines() {
            run(Self::command(dir)
                .current_dir(&out)
                .arg("extract")
                .arg(format!("::{archive}")))?;
        }
        set.compare_folder(&out)?;
        std::fs::remove_dir_all(out)?;
        std::fs::remove_dir_all(dir.with_extension("borg-home"))?;
        Ok(())
    }
}

/// git, with every file in one commit and deltas between them.
pub(crate) struct Git;

impl Git {
    fn command(dir: &Path, tree: &Path) -> Command {
        let mut command = Command::new("git");
        command
            .env("GIT_DIR", dir.join("repository"))
            .env("GIT_WORK_TREE", tree)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["-c", "core.autocrlf=false", "-c", "user.name=compare"])
            .args(["-c", "user.email=compare@localhost", "-c", "gc.auto=0"]);
        command
    }
}

impl Keeper for Git {
    fn name(&self) -> String {
        "git, repacked".to_owned()
    }

    fn how(&self) -> String {
        "add, commit, repack -adf --depth 50 --window 50; one file is read through up to 50 deltas"
            .to_owned()
    }

    fn missing(&self) -> Option<String> {
        missing("git")
    }

    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested> {
        let git = |words: &[&str]| run(Self::command(dir, &set.root).args(words));
        git(&["init", "-q", "--template="])?;
        timed(|| {
            git(&["add", "-A", "-f", "."])?;
            git(&["commit", "-q", "-m", "all"])?;
            git(&["repack", "-adfq", "--depth", "50", "--window", "50"])?;
            git(&["prune-packed", "-q"])?;
            Ok(())
        })
    }

    fn check(&self, dir: &Path, set: &Set) -> Result<()> {
        let out = fresh_dir(&dir.join("out"))?;
        run(Self::command(dir, &out).args(["checkout-index", "-a", "-f"]))?;
        set.compare_folder(&out)?;
        std::fs::remove_dir_all(out)?;
        Ok(())
    }
    fn size(&self, dir: &Path) -> Result<Size> {
        let is_index = |path: &Path| path == dir.join("repository/index");
        Ok(Size {
            kept: taken(dir, &|path| !is_index(path))?,
            index: taken(dir, &is_index)?,
            ..Size::default()
        })
    }
}
