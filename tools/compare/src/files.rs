//! The files that are kept: generated ones, the same for a seed on every machine, and real ones
//! from a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::measure::{below, fresh_dir};
use crate::reports::Format;

/// A folder with files, each known by its hash before anybody keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Source>,
}

/// One file of a set.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) hash: blake3::Hash,
    /// Who would convert it: in a mixed folder, the name of the subfolder.
    pub(crate) converter: String,
}

impl Set {
    /// Writes `count` files unless they are there.
    pub(crate) fn generated(dir: &Path, format: Format, seed: u64, count: usize) -> Result<Self> {
        let extension = format.extension();
        let root = dir.join(format!("files-{extension}-{seed}-{count}"));
        if !root.exists() {
            let half_made = fresh_dir(&dir.join(format!("files-{extension}-half-made")))?;
            for nth in 0..count {
                let path = half_made.join(format!("{nth:06}.{extension}"));
                fs::write(path, format.file(seed, nth))?;
            }
            fs::rename(half_made, &root)?;
        }
        Self::read(format!("generated {}", extension.to_uppercase()), root)
    }

    /// The files of a folder, copied so that nothing else can lie beside them.
    pub(crate) fn copied(dir: &Path, name: &str, from: &Path, formats: &[PathBuf]) -> Result<Self> {
        let root = fresh_dir(&dir.join(format!("files-{name}")))?;
        for format in formats {
            for file in below(format)? {
                let to = root.join(file.strip_prefix(from)?);
                fs::create_dir_all(to.parent().ok_or("a file without a folder")?)?;
                fs::copy(&file, &to)?;
            }
        }
        Self::read(name.to_owned(), root)
    }

    fn read(name: String, root: PathBuf) -> Result<Self> {
        let mut files = Vec::new();
        for path in below(&root)? {
            let content = fs::read(&path)?;
            let inner = path.strip_prefix(&root)?;
            let converter = match inner.components().next() {
                Some(first) if inner.components().count() > 1 => {
                    first.as_os_str().to_string_lossy().into_owned()
                }
                _ => name.clone(),
            };
            files.push(Source {
                bytes: content.len() as u64,
                hash: blake3::hash(&content),
                converter,
                path,
            });
        }
        Ok(Self { name, root, files })
    }

    /// Reads every file, so that whoever comes next finds it in the page cache: borg asks the
    /// system to forget what it read.
    pub(crate) fn warm(&self) -> Result<()> {
        for file in &self.files {
            std::fs::read(&file.path)?;
        }
        Ok(())
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The first files of it. Only for who takes files one by one: the folder still holds all.
    pub(crate) fn first(&self, count: usize) -> Self {
        Self {
            files: self.files.iter().take(count).cloned().collect(),
            ..self.clone()
        }
    }

    /// Complains unless `content` is what the nth file holds.
    pub(crate) fn compare(&self, nth: usize, content: &[u8]) -> Result<()> {
        if self.files[nth].hash == blake3::hash(content) {
            Ok(())
        } else {
            Err(format!("{} came back changed", self.files[nth].path.display()).into())
        }
    }

    /// Complains unless the files below `root` are these, whatever their names.
    pub(crate) fn compare_folder(&self, root: &Path) -> Result<()> {
        let mut came = Vec::new();
        for path in below(root)? {
            came.push(*blake3::hash(&fs::read(path)?).as_bytes());
        }
        let mut wanted: Vec<[u8; 32]> = self
            .files
            .iter()
            .map(|file| *file.hash.as_bytes())
            .collect();
        came.sort_unstable();
        wanted.sort_unstable();
        if came == wanted {
            Ok(())
        } else {
            Err(format!("{} of {}: other files came back", came.len(), wanted.len()).into())
        }
    }
}
