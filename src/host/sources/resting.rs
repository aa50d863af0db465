//! Remembers the watch folders that need not be scanned: nothing in them waits, and the system
//! tells when something appears.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::watcher::Told;

/// The longest time between two scans of a folder at rest.
///
/// A scan finds what no event told of: another folder took its place together with the folder
/// around it.
const REST_MAX: Duration = Duration::from_secs(60);

/// The watch folders at rest.
#[derive(Default)]
pub(in crate::host) struct RestingFolders(HashMap<PathBuf, Rest>);

struct Rest {
    /// The time until the next scan, doubled with each scan that finds nothing new.
    pause: Duration,
    until: Instant,
    /// Number of finished files that lie in the folder.
    known: usize,
    /// False once it is to be scanned, and not found at rest again yet.
    rests: bool,
}

impl RestingFolders {
    /// Returns true for a folder that need not be scanned now.
    pub(in crate::host) fn rests(&self, folder: &Path) -> bool {
        self.0.get(folder).is_some_and(|rest| rest.rests)
    }

    /// Returns the number of finished files in all folders at rest.
    pub(in crate::host) fn known(&self) -> usize {
        let resting = self.0.values().filter(|rest| rest.rests);
        resting.map(|rest| rest.known).sum()
    }

    /// Ends the rest of folders where something may have appeared, and of those whose time is over.
    pub(in crate::host) fn wake(&mut self, told: &Told, now: Instant) {
        match told {
            Told::Anywhere => self.0.clear(),
            Told::Folders(folders) => {
                self.0.retain(|folder, _| !folders.contains(folder));
                for rest in self.0.values_mut() {
                    rest.rests &= now < rest.until;
                }
            }
        }
    }

    /// Ends the rest of the folders for which `may` returns false.
    pub(in crate::host) fn retain(&mut self, may: impl Fn(&Path) -> bool) {
        self.0.retain(|folder, _| may(folder));
    }

    /// Lets a folder rest that was just scanned, with `known` finished files in it.
    pub(in crate::host) fn rest(
        &mut self,
        folder: &Path,
        known: usize,
        scan_every: Duration,
        now: Instant,
    ) {
        let before = self.0.get(folder).map(|rest| rest.pause * 2);
        let pause = before.unwrap_or(scan_every);
        let pause = pause.clamp(scan_every, REST_MAX.max(scan_every));
        let rest = Rest {
            pause,
            until: now + pause,
            known,
            rests: true,
        };
        self.0.insert(folder.to_owned(), rest);
    }

    /// Ends the rest of a folder that was scanned and has something that waits.
    pub(in crate::host) fn end(&mut self, folder: &Path) {
        self.0.remove(folder);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Twenty empty folders must not be listed twenty times a second, and each of them still must
    /// be listed now and then.
    #[test]
    fn a_folder_rests_longer_each_time_until_something_is_told_of_it() {
        let (folder, other) = (Path::new("in"), Path::new("other"));
        let mut resting = RestingFolders::default();
        let second = Duration::from_secs(1);
        let mut now = Instant::now();
        let nothing = Told::Folders(HashSet::new());
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            resting.rest(folder, 3, second, now);
            resting.wake(
                &nothing,
                now + (second * pause).saturating_sub(Duration::from_millis(1)),
            );
            assert!(resting.rests(folder), "{pause}");
            assert_eq!(resting.known(), 3);
            now += second * pause;
            resting.wake(&nothing, now);
            assert!(!resting.rests(folder), "{pause}");
            assert_eq!(resting.known(), 0);
        }
        resting.rest(folder, 0, second, now);
        resting.rest(other, 0, second, now);
        resting.wake(&Told::Folders(HashSet::from([folder.to_owned()])), now);
        assert!(!resting.rests(folder));
        assert!(resting.rests(other));
        resting.rest(folder, 0, second, now);
        resting.wake(&nothing, now + second);
        assert!(!resting.rests(folder), "it begins with the shortest pause");
        resting.rest(folder, 0, second * 600, now);
        resting.wake(&nothing, now + second * 500);
        assert!(
            resting.rests(folder),
            "never scanned more often than asked for"
        );
        resting.wake(&Told::Anywhere, now);
        assert!(!resting.rests(other));
    }
}
