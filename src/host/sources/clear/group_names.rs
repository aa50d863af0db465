//! Gives a main file and its companions, gathered in a folder, their names there or elsewhere.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

use super::dir::{Dir, Kind};
use super::name::{distinct, first_free_number, shortened};
use crate::{Error, ErrorKind, Result};

/// The folder inside a holder that contains a main file and its companions.
pub(super) const GROUP: &str = "group";

/// Maximum number of tries for free names while other programs keep taking them.
const TRIES_MAX: u32 = 1000;

/// The result of naming a group.
pub(super) struct Placed {
    /// The previous name of the main file.
    pub(super) was: OsString,
    /// The current path of the main file.
    pub(super) now: PathBuf,
    pub(super) is_under_its_names: bool,
}

/// Gives the members of a holder's group their names in `folder`.
///
/// If some names are taken, all members get one common number, so that they still belong together.
/// The main file is named last, so that a program that waits for it finds all of them. If the main
/// file is not known, the last of the files counts as main file.
pub(in crate::host) fn place(holder: &Dir, folder: &Dir, main: Option<&OsStr>) -> Result<Placed> {
    let name = OsStr::new(GROUP);
    let failed = |error| Error::io("read", holder.at(name), error);
    let group = holder.open_folder(name).map_err(failed)?;
    let names = Names::of(&group, folder, main).map_err(failed)?;
    let mut number = 1;
    let mut placed = Placed {
        was: main.unwrap_or_default().to_owned(),
        now: folder.at(main.unwrap_or_default()),
        is_under_its_names: true,
    };
    for member in &names.members {
        let given = names.give(member, &group, folder, &mut number)?;
        placed.is_under_its_names &= given == member.name;
        placed.was.clone_from(&member.name);
        placed.now = folder.at(&given);
    }
    let removed = holder.remove_folder(name);
    removed.map_err(|error| Error::io("remove", holder.at(name), error))?;
    folder.make_durable()?;
    Ok(placed)
}

/// A member of a group.
struct Member {
    name: OsString,
    kind: Kind,
    /// Maximum bytes of a name like this one.
    bytes_max: usize,
}

/// The members of a group, in the order in which they get their names.
struct Names {
    members: Vec<Member>,
}

impl Names {
    fn of(group: &Dir, folder: &Dir, main: Option<&OsStr>) -> io::Result<Self> {
        let mut members = Vec::new();
        for name in group.names()? {
            let kind = group.look(&name)?.map_or(Kind::Other, |seen| seen.kind);
            members.push(Member {
                bytes_max: folder.name_bytes_max(&name),
                name,
                kind,
            });
        }
        members.sort_by_key(|member| {
            let is_main = main == Some(&*member.name);
            (is_main, member.kind != Kind::Folder, member.name.clone())
        });
        Ok(Self { members })
    }

    /// Returns a numbered name: `unit (2).csv` and its folder `unit (2)`.
    ///
    /// If names are too long for the folder, all are cut by as many bytes as the longest one needs,
    /// so that a common stem stays common.
    fn numbered(&self, member: &Member, number: u64) -> OsString {
        let addition = match number {
            1 => String::new(),
            number => format!(" ({number})"),
        };
        let too_long = |member: &Member| {
            let length = member.name.len() + addition.len();
            length.saturating_sub(member.bytes_max)
        };
        let cut = self.members.iter().map(too_long).max().unwrap_or(0);
        let room = member.name.len().saturating_sub(cut);
        if member.kind != Kind::Folder {
            return distinct(&member.name, number, room + addition.len());
        }
        let mut out = shortened(&member.name, room);
        out.push(addition);
        out
    }

    /// Gives a member its name with `number`, or with a greater one if others take it meanwhile.
    fn give(
        &self,
        member: &Member,
        group: &Dir,
        folder: &Dir,
        number: &mut u64,
    ) -> Result<OsString> {
        let is_taken = |number: u64| -> io::Result<bool> {
            for member in &self.members {
                // Members that already have their names do not count as taken.
                let waits = group.has(&member.name)?;
                if waits && folder.has(&self.numbered(member, number))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        for _ in 0..TRIES_MAX {
            *number = first_free_number(*number, is_taken)
                .map_err(|error| Error::io("look into", folder.path(), error))?;
            let to = self.numbered(member, *number);
            match group.rename_free(&member.name, folder, &to) {
                Ok(()) => return Ok(to),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => *number += 1,
                Err(error) => return Err(Error::io("create", folder.at(&to), error)),
            }
        }
        let message = format!(
            "other programs take every name like {} in {}",
            member.name.display(),
            folder.path().display()
        );
        Err(Error::new(ErrorKind::Refused, message).hint("see which program writes there"))
    }
}
