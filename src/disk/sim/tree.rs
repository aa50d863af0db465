//! The content of a simulated disk: files as shared pages, directories as shared name tables.
//!
//! Everything is copied on write, so a crash image of a whole store costs only a few reference
//! counts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, OnceLock};

/// Length of one page: the unit of copying and of counting space.
pub(super) const PAGE_BYTES: u64 = 4096;

/// The largest file. A wild offset becomes an error instead of using up the memory.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 31;

const PAGE: usize = 4096;

/// A file or a directory, independent of its current name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(pub(super) u64);

/// The root directory.
pub(super) const ROOT: Node = Node(0);

/// The names of one directory.
pub(super) type Names = BTreeMap<Arc<str>, Node>;

struct Page {
    bytes: [u8; PAGE],
    digest: OnceLock<u128>,
}

impl Page {
    const fn zero() -> Self {
        Self {
            bytes: [0; PAGE],
            digest: OnceLock::new(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8; PAGE] {
        self.digest.take();
        &mut self.bytes
    }

    fn digest(&self) -> u128 {
        *self
            .digest
            .get_or_init(|| first_half(blake3::Hasher::new().update(&self.bytes)))
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes,
            digest: OnceLock::new(),
        }
    }
}

/// The bytes of a file. Pages never written are holes and read as zeros.
#[derive(Clone, Default)]
pub(super) struct Content {
    pages: Arc<Vec<Option<Arc<Page>>>>,
    len: u64,
}

impl Content {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(bytes, 0);
        content
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Reads bytes from `offset` on. Returns false when the file ends before `out` is full; then
    /// the content of `out` is undefined.
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> bool {
        let Some(end) = offset.checked_add(out.len() as u64) else {
            return false;
        };
        if end > self.len {
            return false;
        }
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let (page, start) = place(at);
            let take = rest.len().min(PAGE - start);
            let (now, later) = rest.split_at_mut(take);
            match self.pages.get(page) {
                Some(Some(page)) => now.copy_from_slice(&page.bytes[start..start + take]),
                _ => now.fill(0),
            }
            at += take as u64;
            rest = later;
        }
        true
    }

    /// Writes bytes. The caller must have checked [`FILE_BYTES_MAX`].
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        self.fill(bytes.len(), offset, |out, from| {
            out.copy_from_slice(&bytes[from..from + out.len()]);
        });
    }

    pub(super) fn write_zeros(&mut self, len: usize, offset: u64) {
        self.fill(len, offset, |out, _| out.fill(0));
    }

    fn fill(&mut self, len: usize, offset: u64, fill: impl Fn(&mut [u8], usize)) {
        if len == 0 {
            return;
        }
        let pages = Arc::make_mut(&mut self.pages);
        let mut done = 0;
        while done < len {
            let (page, start) = place(offset + done as u64);
            let take = (len - done).min(PAGE - start);
            if pages.len() <= page {
                pages.resize(page + 1, None);
            }
            let page = pages[page].get_or_insert_with(|| Arc::new(Page::zero()));
            fill(
                &mut Arc::make_mut(page).bytes_mut()[start..start + take],
                done,
            );
            done += take;
        }
        self.len = self.len.max(offset + len as u64);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let (page, start) = place(len);
            let pages = Arc::make_mut(&mut self.pages);
            pages.truncate(page + usize::from(start > 0));
            if let Some(Some(last)) = pages.get_mut(page) {
                // Truncated bytes must read as zeros if the file grows again.
                Arc::make_mut(last).bytes_mut()[start..].fill(0);
            }
        }
        self.len = len;
    }

    /// Makes zeros of the bytes from `from` to `to`, and holes of the whole pages among them.
    pub(super) fn release(&mut self, from: u64, to: u64) {
        let pages = Arc::make_mut(&mut self.pages);
        let mut at = from;
        while at < to {
            let (page, start) = place(at);
            let take = to_index(to - at).min(PAGE - start);
            if let Some(held) = pages.get_mut(page) {
                if take == PAGE {
                    *held = None;
                } else if let Some(held) = held {
                    Arc::make_mut(held).bytes_mut()[start..start + take].fill(0);
                }
            }
            at += take as u64;
        }
    }

    /// Returns how many of the pages for the first `len` bytes are missing.
    pub(super) fn holes(&self, len: u64) -> u64 {
        let pages = to_index(len.div_ceil(PAGE_BYTES));
        let held = self.pages.iter().take(pages).flatten().count();
        (pages - held) as u64
    }

    /// Makes pages of zeros of the holes below `len`, and extends a shorter file to `len`.
    pub(super) fn fill_holes(&mut self, len: u64) {
        let end = to_index(len.div_ceil(PAGE_BYTES));
        let pages = Arc::make_mut(&mut self.pages);
        if pages.len() < end {
            pages.resize(end, None);
        }
        for page in &mut pages[..end] {
            page.get_or_insert_with(|| Arc::new(Page::zero()));
        }
        self.len = self.len.max(len);
    }

    /// Returns the number of pages that hold bytes. Holes are not counted.
    pub(super) fn pages_held(&self) -> u64 {
        self.pages.iter().flatten().count() as u64
    }

    /// Returns how many of `len` bytes at `offset` fit when `free` more pages are available.
    pub(super) fn fitting(&self, len: usize, offset: u64, mut free: u64) -> usize {
        let mut fits = 0;
        while fits < len {
            let (page, start) = place(offset + fits as u64);
            if !matches!(self.pages.get(page), Some(Some(_))) {
                if free == 0 {
                    break;
                }
                free -= 1;
            }
            fits += (len - fits).min(PAGE - start);
        }
        fits
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; to_index(self.len)];
        self.read(&mut out, 0);
        out
    }

    fn digest(&self) -> u128 {
        let mut sum = u128::from(self.len);
        for (at, page) in (1_u128..).zip(self.pages.iter()) {
            if let Some(page) = page {
                // Torn images move pages, so the sum must depend on the position of each page.
                sum = sum.wrapping_add(page.digest().wrapping_mul(2 * at + 1));
            }
        }
        sum
    }
}

fn place(offset: u64) -> (usize, usize) {
    (to_index(offset / PAGE_BYTES), to_index(offset % PAGE_BYTES))
}

fn to_index(offset: u64) -> usize {
    usize::try_from(offset).expect("offsets are bounded by FILE_BYTES_MAX")
}

fn first_half(hasher: &blake3::Hasher) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(half)
}

/// All files and directories, with and without names.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<Node, Content>,
    pub(super) dirs: BTreeMap<Node, Arc<Names>>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            dirs: BTreeMap::from([(ROOT, Arc::default())]),
        }
    }

    /// Returns the node at `path`, or an error of kind `NotFound`.
    pub(super) fn find(&self, path: &Path) -> io::Result<Node> {
        let mut node = ROOT;
        for component in path.components() {
            let name = match component {
                Component::CurDir => continue,
                Component::Normal(name) => name.to_str().ok_or(io::ErrorKind::InvalidInput)?,
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            };
            let names = self.names(node)?;
            node = *names.get(name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Node> {
        let node = self.find(path)?;
        if self.files.contains_key(&node) {
            Ok(node)
        } else {
            Err(io::ErrorKind::IsADirectory.into())
        }
    }

    /// Returns the directory that contains, or would contain, the last name of `path`.
    pub(super) fn find_parent(&self, path: &Path) -> io::Result<(Node, Arc<str>)> {
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => name.to_str().ok_or(io::ErrorKind::InvalidInput)?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let dir = self.find(path.parent().unwrap_or(Path::new("")))?;
        self.names(dir)?;
        Ok((dir, name.into()))
    }

    pub(super) fn names(&self, dir: Node) -> io::Result<&Names> {
        match self.dirs.get(&dir) {
            Some(names) => Ok(names),
            None => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn get(&self, dir: Node, name: &str) -> Option<Node> {
        self.dirs.get(&dir)?.get(name).copied()
    }

    pub(super) fn link(&mut self, dir: Node, name: &Arc<str>, node: Node) {
        if let Some(names) = self.dirs.get_mut(&dir) {
            Arc::make_mut(names).insert(Arc::clone(name), node);
        }
    }

    /// Removes the name if it still refers to `node`.
    pub(super) fn unlink(&mut self, dir: Node, name: &str, node: Node) {
        if self.get(dir, name) == Some(node)
            && let Some(names) = self.dirs.get_mut(&dir)
        {
            Arc::make_mut(names).remove(name);
        }
    }

    pub(super) fn content_mut(&mut self, file: Node) -> &mut Content {
        self.files.entry(file).or_default()
    }

    /// Calls `visit` with every file that has a name.
    pub(super) fn each_file(&self, mut visit: impl FnMut(&str, &Content)) {
        self.walk(ROOT, &mut String::new(), &mut |path, content| {
            if let Some(content) = content {
                visit(path, content);
            }
        });
    }

    /// Calls `visit` with everything that has a name. A directory has no content, and its path ends
    /// in `/`.
    fn walk(&self, dir: Node, path: &mut String, visit: &mut impl FnMut(&str, Option<&Content>)) {
        let Some(names) = self.dirs.get(&dir) else {
            return;
        };
        let parent = path.len();
        for (name, node) in names.iter() {
            path.push_str(name);
            if let Some(content) = self.files.get(node) {
                visit(path, Some(content));
            } else {
                path.push('/');
                visit(path, None);
                self.walk(*node, path, visit);
            }
            path.truncate(parent);
        }
    }

    pub(super) fn pages_held(&self) -> u64 {
        let mut pages = 0;
        self.each_file(|_, content| pages += content.pages_held());
        pages
    }

    /// Returns a number that is equal for equal names and bytes, and in practice only for those.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut hasher = blake3::Hasher::new();
        self.walk(ROOT, &mut String::new(), &mut |path, content| {
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            if let Some(content) = content {
                hasher.update(&content.digest().to_le_bytes());
            }
        });
        first_half(&hasher)
    }
}
