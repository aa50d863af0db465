//! What a run knows about the caller's process: its folder, some variables, its terminal, its zone.
//!
//! Verbs read nothing else about a process. So a verb that runs in the owner of the store gives the
//! answer that it would give in the caller's process.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::service::time::Zone;

/// The variables that verbs read.
const VARIABLES: [&str; 12] = [
    "ANNALS_CONFIG",
    "ANNALS_STORE",
    "COLUMNS",
    "HOME",
    "LOCALAPPDATA",
    "LOGNAME",
    "NO_COLOR",
    "TERM",
    "USER",
    "USERNAME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// The environment of the caller: this process, or a client of the owner.
#[derive(Debug, Clone)]
pub(in crate::cli) struct CallerEnv {
    /// The current folder; `None` when it was removed.
    pub(in crate::cli) folder: Option<PathBuf>,
    /// Those of [`VARIABLES`] that are set and not empty.
    pub(in crate::cli) variables: Vec<(String, OsString)>,
    /// Columns of the terminal that stdout is shown in.
    pub(in crate::cli) window: Option<u32>,
    zone: Zone,
    account: Account,
}

/// The account that a run is recorded under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    /// The account of this process.
    Own,
    /// The user id of a client, as the operating system reported it.
    Proven(u32),
}

impl CallerEnv {
    /// Reads the environment of this process.
    pub(in crate::cli) fn of_process() -> Self {
        let set = |name: &&str| Some(((*name).to_owned(), variable(name)?));
        Self {
            folder: std::env::current_dir().ok(),
            variables: VARIABLES.iter().filter_map(set).collect(),
            window: window_columns(),
            zone: Zone::of_tz(zone_name().as_deref()),
            account: Account::Own,
        }
    }

    /// Returns the environment that a client of user `uid` sent. `zone` is the client's variable
    /// TZ.
    pub(in crate::cli) fn of_client(
        folder: Option<PathBuf>,
        variables: Vec<(String, OsString)>,
        window: Option<u32>,
        zone: Option<&OsStr>,
        uid: Option<u32>,
    ) -> Self {
        Self {
            folder,
            variables,
            window,
            zone: Zone::of_tz(zone),
            account: uid.map_or(Account::Own, Account::Proven),
        }
    }

    /// Returns the value of a variable; an empty one counts as unset.
    pub(in crate::cli) fn variable(&self, name: &str) -> Option<&OsStr> {
        debug_assert!(
            VARIABLES.contains(&name),
            "{name} is not handed to an owner"
        );
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// Returns the zone in which times are shown.
    pub(in crate::cli) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns `given` as an absolute path, resolved against the caller's folder.
    pub(in crate::cli) fn path(&self, given: &Path) -> PathBuf {
        let Some(folder) = self
            .folder
            .as_deref()
            .filter(|_| !given.as_os_str().is_empty())
        else {
            return given.to_owned();
        };
        let full = folder.join(given);
        std::path::absolute(&full).unwrap_or(full)
    }

    /// Returns the account that the run is recorded under.
    ///
    /// A client may claim any name. When the machine's list of users does not confirm the name, the
    /// user id is recorded as well.
    pub(in crate::cli) fn account(&self) -> String {
        let claimed = ["USER", "LOGNAME", "USERNAME"]
            .into_iter()
            .find_map(|name| self.variable(name)?.to_str().map(str::to_owned));
        match (claimed, self.account) {
            (Some(claimed), Account::Own) => claimed,
            (None, Account::Own) => own_number(),
            (Some(claimed), Account::Proven(uid)) => {
                let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
                proven(&claimed, uid, &accounts)
            }
            (None, Account::Proven(uid)) => format!("uid:{uid}"),
        }
    }
}

/// Returns the value of a variable of this process; an empty one counts as unset.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the value of this process's variable TZ, even when it is empty.
pub(in crate::cli) fn zone_name() -> Option<OsString> {
    std::env::var_os("TZ")
}

/// Returns the account name to record when user `uid` claims the name `claimed`.
fn proven(claimed: &str, uid: u32, accounts: &str) -> String {
    let number = uid.to_string();
    let is_so = accounts.lines().any(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(claimed) && fields.nth(1) == Some(&number)
    });
    if is_so {
        claimed.to_owned()
    } else {
        format!("{claimed} (uid:{uid})")
    }
}

#[cfg(unix)]
fn window_columns() -> Option<u32> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(u32::from(size.ws_col))
}

// The width of a Windows console is available only through a further dependency. There COLUMNS or
// the assumed width is used.
#[cfg(not(unix))]
fn window_columns() -> Option<u32> {
    None
}

#[cfg(unix)]
fn own_number() -> String {
    format!("uid:{}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn own_number() -> String {
    "unknown".to_owned()
}

/// Returns `path` as an absolute path, or unchanged when the current folder was removed.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn of(folder: &str, zone: &str, user: &str, uid: u32) -> CallerEnv {
        let variables = vec![("USER".to_owned(), OsString::from(user))];
        let folder = Some(PathBuf::from(folder));
        CallerEnv::of_client(folder, variables, None, Some(OsStr::new(zone)), Some(uid))
    }

    #[test]
    fn a_path_means_what_it_meant_where_it_was_given() {
        let asked = of("/data/in", "UTC", "mia", 7);
        for (given, meant) in [
            ("a.csv", "/data/in/a.csv"),
            ("./b", "/data/in/b"),
            ("/c", "/c"),
            ("", ""),
        ] {
            assert_eq!(asked.path(Path::new(given)), Path::new(meant));
        }
    }

    #[test]
    fn the_zone_is_that_of_who_asks_by_name_by_rule_or_by_file() {
        let noon: Timestamp = "2026-07-01T12:00:00Z".parse().expect("valid");
        for (zone, told) in [
            ("UTC", "2026-07-01 12:00:00 +00:00"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-07-01 08:00:00 -04:00"),
            ("no such zone", "2026-07-01 12:00:00 +00:00"),
        ] {
            assert_eq!(of("/", zone, "mia", 7).zone().long(noon), told, "{zone}");
        }
        if Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
            for zone in [
                "Asia/Tokyo",
                ":Asia/Tokyo",
                "/usr/share/zoneinfo/Asia/Tokyo",
            ] {
                let told = of("/", zone, "mia", 7).zone().long(noon);
                assert_eq!(told, "2026-07-01 21:00:00 +09:00", "{zone}");
            }
        }
    }

    #[test]
    fn a_name_that_the_machine_does_not_bear_out_is_recorded_with_the_number_it_does() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nmia:x:1007:1007::/home/mia:/bin/sh\n";
        assert_eq!(proven("mia", 1007, accounts), "mia");
        assert_eq!(proven("mia", 0, accounts), "mia (uid:0)");
        assert_eq!(proven("x", 1007, accounts), "x (uid:1007)");
    }
}
