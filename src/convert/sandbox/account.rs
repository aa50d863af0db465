//! Finds the account that a converter runs as, changes to it for good, and gives it access to
//! files.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getuid};
use rustix::thread::{
    CapabilitySet, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::convert::converter::RunAs;

/// The number that means "do not change it" in every system call that changes a user or a group.
const UNCHANGED: u32 = u32::MAX;

/// Capabilities that the host needs: to change the user, to hand over files, to kill that user's
/// processes, and to delete their files.
const NEEDED: [(CapabilitySet, &str); 5] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
];

/// An account of this machine, by its numbers. It has no supplementary groups, and neither number
/// is root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::convert) struct Account {
    uid: u32,
    gid: u32,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl Account {
    /// Parses what `to_string` wrote.
    pub(super) fn from_numbers(text: &str) -> Option<Self> {
        let (uid, gid) = text.split_once(':')?;
        let number = |text: &str| text.parse().ok().filter(|n| *n != 0 && *n != UNCHANGED);
        Some(Self {
            uid: number(uid)?,
            gid: number(gid)?,
        })
    }

    /// Finds the account that `run_as` names, or returns why no converter can run as it.
    pub(in crate::convert) fn find(run_as: &RunAs) -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let account = Self::listed(run_as, &passwd, &groups)?;
        if !geteuid().is_root() {
            return Err(
                "only a host that runs as root can change to another user: run the host as that user \
                 itself and leave run_as out"
                    .to_owned(),
            );
        }
        let held =
            capabilities(None).map_err(|error| format!("cannot ask for capabilities: {error}"))?;
        if let Some((_, name)) = NEEDED
            .iter()
            .find(|(one, _)| !held.effective.contains(*one))
        {
            return Err(format!(
                "the host runs as root, but without {name}: the service manager must leave it that"
            ));
        }
        Ok(account)
    }

    /// Finds an account in the system's lists of users and groups.
    fn listed(run_as: &RunAs, passwd: &str, groups: &str) -> Result<Self, String> {
        let user = find_line(passwd, &run_as.user);
        let number = run_as.user.parse().ok();
        let uid = match &user {
            Some(fields) => fields.get(2).and_then(|uid| uid.parse().ok()),
            // A user number needs no entry in the list if the group is configured.
            None => number.filter(|_| run_as.group.is_some()),
        };
        let Some(uid) = uid else {
            return Err(format!("there is no user '{}' in /etc/passwd", run_as.user));
        };
        let gid = match &run_as.group {
            None => user.and_then(|fields| fields.get(3)?.parse().ok()),
            Some(group) => match find_line(groups, group) {
                Some(fields) => fields.get(2).and_then(|gid| gid.parse().ok()),
                None => group.parse().ok(),
            },
        };
        let Some(gid) = gid else {
            let group = run_as.group.as_deref().unwrap_or_default();
            return Err(format!("there is no group '{group}' in /etc/group"));
        };
        if uid == UNCHANGED || gid == UNCHANGED {
            return Err(format!("{UNCHANGED} is the number of no user and no group"));
        }
        if uid == 0 {
            return Err(
                "a converter that runs as root, as the host does, gains everything: name a user of its own"
                    .to_owned(),
            );
        }
        if gid == 0 {
            return Err(
                "a converter in the group of root reads what only root should: name a group of its own"
                    .to_owned(),
            );
        }
        Ok(Self { uid, gid })
    }

    /// Changes this process to the account.
    ///
    /// The process must have a single thread, because the calls change one thread only.
    pub(super) fn become_it(self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&[gid])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }

    /// Fails unless this process runs as the account and cannot change to another.
    pub(super) fn verify(self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let is_it = [getuid(), geteuid()] == [uid; 2] && [getgid(), getegid()] == [gid; 2];
        let (root, wheel) = (Uid::ROOT, Gid::ROOT);
        let undone = [
            set_thread_res_uid(root, root, root),
            set_thread_res_uid(None, root, None),
            set_thread_res_gid(wheel, wheel, wheel),
            set_thread_groups(&[wheel]),
        ];
        if is_it && undone.iter().all(|undone| *undone == Err(Errno::PERM)) {
            Ok(())
        } else {
            Err(Errno::NOTRECOVERABLE.into())
        }
    }

    /// Gives a folder with its content to the account alone. Nobody else may be able to enter it
    /// yet.
    pub(super) fn hand_over(self, folder: &Path) -> io::Result<()> {
        let mut left = vec![folder.to_owned()];
        while let Some(path) = left.pop() {
            if fs::symlink_metadata(&path)?.is_dir() {
                for item in fs::read_dir(&path)? {
                    left.push(item?.path());
                }
            }
            lchown(&path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// Lets the account read and execute the content of a folder, but not change it.
    pub(super) fn let_read(self, folder: &Path) -> io::Result<()> {
        let mut left = vec![folder.to_owned()];
        while let Some(path) = left.pop() {
            if fs::symlink_metadata(&path)?.is_dir() {
                for item in fs::read_dir(&path)? {
                    left.push(item?.path());
                }
            }
            lchown(&path, None, Some(self.gid))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o750))?;
        }
        Ok(())
    }
}

/// Returns the fields of the line for a name or number in a list such as `/etc/passwd`. A name
/// takes precedence over a number.
fn find_line<'l>(list: &'l str, wanted: &str) -> Option<Vec<&'l str>> {
    let lines = || list.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let named = lines().find(|fields| fields.first() == Some(&wanted));
    let number: Option<u32> = wanted.parse().ok();
    named.or_else(|| {
        let is_it = |field: &&str| field.parse().ok() == number;
        lines().find(|fields| number.is_some() && fields.get(2).is_some_and(is_it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0::/root:/bin/sh\nconv:x:997:996::/:/bin/false\ntoor:x:0:5::/:/bin/sh\n";
    const GROUPS: &str = "root:x:0:\nconv:x:996:\nplant:x:50:conv\n";

    fn listed(text: &str) -> Result<(u32, u32), String> {
        let run_as = text.parse().expect("an account");
        Account::listed(&run_as, PASSWD, GROUPS).map(|account| (account.uid, account.gid))
    }

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        for (text, found) in [
            ("conv", (997, 996)),
            ("997", (997, 996)),
            ("conv:plant", (997, 50)),
            ("997:50", (997, 50)),
            ("1234:4321", (1234, 4321)),
        ] {
            assert_eq!(listed(text), Ok(found), "{text}");
        }
    }

    /// The number that means "unchanged" would leave the converter the host's account (compare
    /// CVE-2019-14287 in `sudo`).
    #[test]
    fn an_account_by_which_nothing_is_held_is_refused() {
        for (text, why) in [
            ("nobody-here", "there is no user 'nobody-here'"),
            ("1234", "there is no user '1234'"),
            ("conv:none", "there is no group 'none'"),
            ("root", "as root"),
            ("0:50", "as root"),
            ("toor", "as root"),
            ("conv:root", "group of root"),
            ("conv:0", "group of root"),
            ("4294967295:50", "the number of no user"),
            ("conv:4294967295", "the number of no user"),
            ("4294967296:50", "there is no user"),
            ("-1:50", "there is no user"),
            ("#997:50", "there is no user"),
        ] {
            let refused = listed(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
        for text in ["", ":", "conv:", ":50", "conv:50:1", "a/b", "a\nb", "a\0"] {
            assert!(text.parse::<RunAs>().is_err(), "{text:?}");
        }
    }
}
