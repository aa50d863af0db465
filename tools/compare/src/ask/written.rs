//! G. What the device gets to write until everything lies where it stays, by the byte that is kept.

use super::Answer;
use super::ingest::LEVEL;
use crate::Result;
use crate::figures::{count, median, mib};
use crate::files::Set;
use crate::keep::annals::Annals;
use crate::keep::{Fjall, Folders, Keeper, Promise, Redb, sqlite::Sqlite};
use crate::measure::{device_written_bytes, fresh_dir};
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

fn keepers(settings: &Settings) -> Vec<Box<dyn Keeper>> {
    let all = usize::MAX;
    let one_by_one = settings.size.pick(2_000, 300);
    vec![
        Box::new(Annals {
            callers: CALLERS,
            files_max: all,
        }),
        Box::new(Annals {
            callers: 1,
            files_max: one_by_one,
        }),
        Box::new(Sqlite::keeper(64, LEVEL, all)),
        Box::new(Sqlite::keeper(1, LEVEL, one_by_one)),
        Box::new(Redb::keeper(64, LEVEL, all)),
        Box::new(Redb::keeper(1, LEVEL, one_by_one)),
        Box::new(Fjall::keeper(64, LEVEL, all)),
        Box::new(Fjall::keeper(1, LEVEL, one_by_one)),
        Box::new(Folders {
            promise: Promise::RowAndFile,
            files_max: one_by_one,
        }),
    ]
}

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&[
        "who",
        "files",
        "source",
        "written",
        "kept",
        "written by kept byte",
        "written by source byte",
    ]);
    let set = Set::generated(&settings.dir, Format::Csv, settings.seed, settings.files)?;
    let dir = settings.alone.as_ref().unwrap_or(&settings.dir);
    for keeper in keepers(settings) {
        let part = set.first(keeper.files_max());
        let (mut written, mut kept) = (Vec::new(), Vec::new());
        for round in 0..settings.rounds {
            let store = fresh_dir(&dir.join("written"))?;
            let before = device_written_bytes(&store)?;
            keeper.ingest(&store, &part)?;
            written.push((device_written_bytes(&store)? - before) as f64);
            kept.push(keeper.size(&store)?.kept.length as f64);
            if round == 0 {
                keeper.check(&store, &part)?;
            }
            std::fs::remove_dir_all(store)?;
        }
        let (written, kept) = (median(&mut written), median(&mut kept));
        let source = part.bytes() as f64;
        answer.row([
            keeper.name(),
            count(part.files.len() as f64),
            mib(source),
            mib(written),
            mib(kept),
            format!("{:.2}", written / kept),
            format!("{:.3}", written / source),
        ]);
        if keeper.name().starts_with("annals, 64") {
            answer.at_most(
                "bytes written by kept byte, 64 callers",
                written / kept,
                3.0,
            );
        }
    }
    answer.note(
        "From an empty folder through ingest, background work, checkpoint and close: sectors that the device was given, the file \
         system's own journal included. annals: zeros are written ahead of what goes into a new journal file, which is in it, and is \
         paid once; index and journal are not in what is kept.",
    );
    if settings.alone.is_none() {
        answer.note("**Others write to this device, too**, and that is in the numbers: a device of its own needs root, mkfs.ext4 and mount.");
    }
    Ok(answer)
}
