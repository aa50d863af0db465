//! The unit file for systemd that belongs to a configuration.

use std::path::Path;

use crate::cli::store::keys::OwnFolders;

/// The unit that the documents describe.
const UNIT: &str = include_str!("../../../../../docs/annals.service");

/// What of a machine a unit file names.
pub(super) struct Places<'a> {
    /// The account that owns the store; `None` for root, which no host should run as.
    pub(super) account: Option<&'a str>,
    pub(super) program: &'a Path,
    pub(super) config: &'a Path,
    /// The folders that the host writes: the store and the watch folder.
    pub(super) written: [&'a Path; 2],
    /// The folders of the account's keys and of the checkpoints that it keeps, if it has a home.
    pub(super) own: Option<&'a OwnFolders>,
}

/// Returns the unit file for a host with this program, configuration and folders.
pub(super) fn unit(places: &Places<'_>) -> String {
    let Places {
        account,
        program,
        config,
        written,
        own,
    } = places;
    let mut all = vec![*program, *config, written[0], written[1]];
    all.extend(own.iter().map(|own| own.keys.as_path()));
    let is_in = |folders: &[&str]| {
        let mut found = all
            .iter()
            .flat_map(|path| folders.iter().map(move |top| (path, top)));
        found.any(|(path, top)| path.starts_with(top))
    };
    let start = format!("ExecStart={} host run {}", quoted(program), quoted(config));
    let user = account.map(|account| format!("User={account}"));
    let mut folders = format!(
        "ReadWritePaths={} {}",
        quoted(written[0]),
        quoted(written[1])
    );
    if let Some(own) = own {
        // It is made with the first checkpoint, so it may be missing.
        let may_be_missing = format!("-{}", own.checkpoints.display());
        folders = format!("{folders} {}", quoted(Path::new(&may_be_missing)));
    }
    let mut lines: Vec<&str> = Vec::new();
    for line in UNIT.lines() {
        lines.push(match line {
            _ if line.starts_with("ExecStart=") => &start,
            _ if line.starts_with("ReadWritePaths=") => &folders,
            _ if line.starts_with("User=") => user.as_deref().unwrap_or(line),
            // What lies there would not be seen otherwise.
            "ProtectHome=true" if is_in(&["/home", "/root", "/run/user"]) => {
                "ProtectHome=read-only"
            }
            "PrivateTmp=true" if is_in(&["/tmp", "/var/tmp"]) => "PrivateTmp=false",
            line => line,
        });
    }
    lines.join("\n") + "\n"
}

/// Returns a path as a unit file takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%");
    if text.contains([' ', '"', '\'', '\\']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit of the documents changes. What is put into it must still find its places.
    #[test]
    fn a_unit_names_the_program_the_file_and_the_folders() {
        let unit = unit(&Places {
            account: Some("mia"),
            program: Path::new("/opt/annals"),
            config: Path::new("/home/line 3/host.toml"),
            written: [Path::new("/srv/store"), Path::new("/tmp/100%")],
            own: None,
        });
        for line in [
            "ExecStart=/opt/annals host run \"/home/line 3/host.toml\"",
            "ReadWritePaths=/srv/store /tmp/100%%",
            "ProtectHome=read-only",
            "PrivateTmp=false",
            "User=mia",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line} in {unit}");
        }
    }

    /// Program, configuration and store lay in /opt and /srv, so the unit hid the home folder, and
    /// with it the key: the host signed nothing.
    #[test]
    fn a_unit_does_not_hide_the_key_of_the_account() {
        let own = OwnFolders {
            keys: "/home/mia/.local/share/annals/keys".into(),
            checkpoints: "/home/mia/.local/state/annals/checkpoints".into(),
        };
        let srv = Path::new("/srv/line");
        let unit = unit(&Places {
            account: Some("mia"),
            program: Path::new("/opt/annals"),
            config: srv,
            written: [srv, srv],
            own: Some(&own),
        });
        for line in [
            "ProtectHome=read-only",
            "ReadWritePaths=/srv/line /srv/line -/home/mia/.local/state/annals/checkpoints",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line} in {unit}");
        }
    }
}
