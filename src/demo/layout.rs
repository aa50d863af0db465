//! Writes the plant into a folder: the stations' files, the converters, the configuration.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use crate::{Error, ErrorKind, Result};

use super::converters::{FOLDER, PYTHON_FILES, Runner};
use super::plant::{self, FIRMWARE_FOLDER, FUNCTIONAL_FOLDER, ICT_FOLDER, PlantFile};
use super::story::{CONFIG, host_toml};

/// The numbers of files and bytes that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Laid {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// Makes a plant of `units` units in `dir`, which must be empty or not exist yet.
///
/// Nothing is synced, because the plant can be made again.
pub(crate) fn lay_out(dir: &Path, runner: &Runner, seed: u64, units: usize) -> Result<Laid> {
    fs::create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
    let mut inside = fs::read_dir(dir).map_err(|error| Error::io("read", dir, error))?;
    if inside.next().is_some() {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{} is not empty", dir.display()),
        )
        .hint("name a folder that does not exist yet"));
    }
    for folder in [ICT_FOLDER, FUNCTIONAL_FOLDER, FIRMWARE_FOLDER] {
        let station = folder.trim_end_matches("/in");
        for folder in [
            folder,
            &format!("{station}/done"),
            &format!("{station}/error"),
        ] {
            create(&dir.join(folder))?;
        }
    }
    if matches!(runner, Runner::Python(_)) {
        let folder = dir.join(FOLDER);
        create(&folder)?;
        for (name, text) in PYTHON_FILES {
            write(&folder.join(name), text.as_bytes(), None)?;
        }
    }
    write(&dir.join(CONFIG), host_toml(runner).as_bytes(), None)?;
    let mut laid = Laid { files: 0, bytes: 0 };
    for file in plant::plant(seed, units) {
        let PlantFile {
            folder,
            name,
            bytes,
            modified,
        } = file;
        write(&dir.join(folder).join(name), &bytes, Some(modified))?;
        laid.files += 1;
        laid.bytes += bytes.len() as u64;
    }
    Ok(laid)
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
}

fn write(path: &Path, content: &[u8], modified: Option<SystemTime>) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(content)?;
        modified.map_or(Ok(()), |modified| file.set_modified(modified))
    });
    written.map_err(|error| Error::io("write", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let runner = Runner::BuiltIn("annals".to_owned());
        let plant = dir.path().join("plant");
        let laid = lay_out(&plant, &runner, 1, 20).expect("an empty folder");
        let files = plant::plant(1, 20);
        assert_eq!(laid.files, files.len());
        for file in &files {
            let path = plant.join(file.folder).join(&file.name);
            let modified = fs::metadata(&path).and_then(|found| found.modified());
            assert_eq!(modified.expect("it is there"), file.modified);
        }
        let again = lay_out(&plant, &runner, 1, 20).expect_err("it is not empty now");
        assert_eq!(again.kind(), ErrorKind::Refused);
    }
}
