//! Reads the files of a simulated disk, and damages them without the store's knowledge.

use super::crash::Op;
use super::disk::{SimDisk, bounded, text};
use super::tree::Content;
use std::io;
use std::path::Path;

impl SimDisk {
    /// Returns all files with their lengths, sorted by path.
    pub fn files(&self) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        self.state()
            .live
            .each_file(|path, content| files.push((path.to_owned(), content.len())));
        files.sort();
        files
    }

    /// Returns the content of a file.
    pub fn content(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let state = self.state();
        let file = state.live.find_file(path.as_ref())?;
        Ok(state
            .live
            .files
            .get(&file)
            .map_or_else(Vec::new, Content::to_vec))
    }

    /// Damages a file: flips a bit, counted from the lowest bit of the first byte.
    pub fn flip_bit(&self, path: impl AsRef<Path>, bit: u64) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            let mut byte = [0];
            if !content.read(&mut byte, bit / 8) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            content.write(&[byte[0] ^ (1 << (bit % 8))], bit / 8);
            Ok(())
        })
    }

    /// Damages a file: truncates it, or extends it with zeros.
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            bounded(len, 0)?;
            content.set_len(len);
            Ok(())
        })
    }

    /// Damages a file: replaces the bytes at `offset`, even past its end.
    pub fn overwrite(&self, path: impl AsRef<Path>, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.damage(path.as_ref(), |content| {
            bounded(offset, bytes.len())?;
            content.write(bytes, offset);
            Ok(())
        })
    }

    /// Creates or replaces a file with this content. Open handles keep the old file.
    pub fn plant(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        bounded(0, bytes.len())?;
        self.state().plant(path.as_ref(), None, Content::new(bytes))
    }

    /// Copies a file, and creates or replaces the target.
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(from.as_ref())?;
        let content = state.live.content_mut(file).clone();
        state.plant(to.as_ref(), None, content)
    }

    /// Removes a file.
    pub fn lose(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(path.as_ref())?;
        let (dir, name) = state.live.find_parent(path.as_ref())?;
        state.live.unlink(dir, &name, file);
        state.log(&text(path.as_ref())?, Op::Uproot { dir, name, file });
        Ok(())
    }

    fn damage(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Content) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.state();
        let file = state.live.find_file(path)?;
        let mut content = state.live.content_mut(file).clone();
        change(&mut content)?;
        state.plant(path, Some(file), content)
    }
}
