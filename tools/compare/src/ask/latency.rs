//! B. How long one caller waits for one file, beside an append of the same bytes and its fdatasync.

use std::path::Path;
use std::time::Instant;

use annals::Archive;
use annals::archive::Options;
use annals::id::EventSeq;

use super::Answer;
use super::ingest::LEVEL;
use crate::Result;
use crate::bare::ZeroedFile;
use crate::figures::{median, ms, percentile, seconds};
use crate::files::{Set, Source};
use crate::keep::annals::{blob, entry};
use crate::keep::{Embedded, Fjall, Promise, Redb, Table, sqlite::Sqlite, unpack};
use crate::measure::{fresh_dir, settle};
use crate::reports::Format;
use crate::settings::Settings;

const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// Somebody who takes one file at a time.
trait Taker {
    fn name(&self) -> String;
    fn take(&mut self, nth: usize, file: &Source, content: &[u8]) -> Result<()>;
    fn give(&mut self, nth: usize, file: &Source) -> Result<Vec<u8>>;
}

struct Ours {
    archive: Archive,
    /// Bytes of content and of facts that the newest file came to.
    newest_bytes: u64,
}

impl Taker for Ours {
    fn name(&self) -> String {
        "annals".to_owned()
    }

    fn take(&mut self, _nth: usize, file: &Source, content: &[u8]) -> Result<()> {
        let mut new = entry(file);
        new.source.name = file
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let archived = self.archive.put(new, content)?;
        self.newest_bytes = archived.stored_size;
        Ok(())
    }

    fn give(&mut self, _nth: usize, file: &Source) -> Result<Vec<u8>> {
        Ok(self.archive.read_all(&blob(file), CONTENT_BYTES_MAX)?)
    }
}

struct Theirs {
    name: String,
    table: Box<dyn Table>,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Theirs {
    fn open(dir: &Path, keeper: &Embedded) -> Result<Box<dyn Taker>> {
        Ok(Box::new(Self {
            name: keeper.name.to_owned(),
            table: (keeper.open)(&fresh_dir(dir)?)?,
            compressor: zstd::bulk::Compressor::new(keeper.level)?,
        }))
    }
}

impl Taker for Theirs {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn take(&mut self, nth: usize, file: &Source, content: &[u8]) -> Result<()> {
        let record = crate::keep::record(nth, &file.path, content, &mut self.compressor)?;
        self.table.commit(&[record])
    }

    fn give(&mut self, nth: usize, file: &Source) -> Result<Vec<u8>> {
        unpack(&self.table.get(nth as u64)?, file.bytes)
    }
}

struct Planned(crate::keep::OpenFolders);

impl Taker for Planned {
    fn name(&self) -> String {
        "the plan, made durable".to_owned()
    }

    fn take(&mut self, nth: usize, file: &Source, content: &[u8]) -> Result<()> {
        self.0.put(nth, &file.path, content)
    }

    fn give(&mut self, nth: usize, _file: &Source) -> Result<Vec<u8>> {
        self.0.get(nth)
    }
}

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&["who", "p50", "of the append", "p99", "of the append"]);
    let dir = &settings.dir;
    let per_round = settings.size.pick(400, 100);
    let set = Set::generated(dir, Format::Csv, settings.seed, settings.files)?;
    // By round, for everybody: the bare append comes first.
    let mut names = Vec::new();
    let (mut p50, mut p99): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        let archive = Archive::create(fresh_dir(&dir.join("one-annals"))?, Options::default())?;
        let mut floor = ZeroedFile::create(&dir.join("floor"), 32 << 20)?;
        let mut ours = Ours {
            archive: archive.clone(),
            newest_bytes: 0,
        };
        let mut others = vec![
            Theirs::open(&dir.join("one-sqlite"), &Sqlite::keeper(1, LEVEL, 0))?,
            Theirs::open(&dir.join("one-redb"), &Redb::keeper(1, LEVEL, 0))?,
            Theirs::open(&dir.join("one-fjall"), &Fjall::keeper(1, LEVEL, 0))?,
            Box::new(Planned(crate::keep::OpenFolders::open(
                &fresh_dir(&dir.join("one-plan"))?,
                Promise::RowAndFile,
            )?)),
        ];
        let mut times = vec![Vec::new(); 2 + others.len()];
        let from = round * per_round;
        settle(dir)?;
        for nth in 0..per_round {
            let file = &set.files[(from + nth) % set.files.len()];
            let content = std::fs::read(&file.path)?;
            times[1].push(timed(|| ours.take(nth, file, &content))?);
            let fact = archive.events(EventSeq(archive.newest().0), None)?.next();
            let fact_bytes = fact.transpose()?.map_or(0, |leaf| leaf.line.len());
            let same = vec![0xa5; usize::try_from(ours.newest_bytes)? + fact_bytes];
            times[0].push(timed(|| {
                floor.append(&same)?;
                floor.sync()?;
                Ok(())
            })?);
            for (taker, times) in others.iter_mut().zip(&mut times[2..]) {
                times.push(timed(|| taker.take(nth, file, &content))?);
            }
        }
        names = std::iter::once(ours.name())
            .chain(others.iter().map(|taker| taker.name()))
            .collect();
        for taker in std::iter::once(&mut ours as &mut dyn Taker)
            .chain(others.iter_mut().map(|taker| &mut **taker))
        {
            for nth in 0..per_round {
                let at = (from + nth) % set.files.len();
                let content = taker.give(nth, &set.files[at])?;
                set.compare(at, &content)?;
            }
        }
        drop(ours);
        archive.close()?;
        p50.push(
            times
                .iter_mut()
                .map(|times| percentile(times, 50))
                .collect(),
        );
        p99.push(
            times
                .iter_mut()
                .map(|times| percentile(times, 99))
                .collect(),
        );
    }
    let of = |rounds: &[Vec<f64>], nth: usize| {
        median(&mut rounds.iter().map(|round| round[nth]).collect::<Vec<f64>>())
    };
    let (bare50, bare99) = (of(&p50, 0), of(&p99, 0));
    names.insert(0, "append of the same bytes, fdatasync".to_owned());
    for (nth, name) in names.iter().enumerate() {
        let (half, slow) = (of(&p50, nth), of(&p99, nth));
        answer.row([
            name.clone(),
            ms(half),
            format!("{:.2}", half / bare50),
            ms(slow),
            format!("{:.2}", slow / bare99),
        ]);
    }
    answer.note(format!(
        "{per_round} files a round; every file goes to each of them before the next file comes. The append writes what annals \
         came to for that file, compressed content and facts, over zeros, and does not read, hash or compress."
    ));
    // Everybody's multiple of the append in the same run, so that the disk drops out.
    let fjall = names
        .iter()
        .position(|name| name == "fjall")
        .ok_or("fjall did not take part")?;
    for (what, times, bare) in [("p50", &p50, bare50), ("p99", &p99, bare99)] {
        let (ours, theirs) = (of(times, 1) / bare, of(times, fjall) / bare);
        answer
            .at_most(
                &format!("one caller, {what} as a multiple of the plain append's: of fjall's"),
                ours / theirs,
                1.0,
            )
            .of(
                format!("{ours:.2} x {}", ms(bare)),
                format!("fjall {theirs:.2} x"),
            );
    }
    Ok(answer)
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(seconds(began.elapsed()))
}
