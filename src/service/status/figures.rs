//! The figures of a store, read from the counters of its index: none needs a walk over entries.

use super::forecast::{Forecast, RateOrWhy, forecast};
use super::span::{Span, last_days};
use crate::Result;
use crate::archive::{
    Archive, Bin, FailureGroup, PendingSubmission, PendingSubmissions, Snapshot, Stats,
};
use crate::event::Verified;
use crate::host::Config;
use crate::id::EventSeq;
use crate::query::{Filter, Held, Purged};
use crate::service::desk::Desk;
use crate::service::objects::Doubts;
use crate::time::Timestamp;

/// Full days that rates are measured over at most, and today.
const RATE_DAYS: u16 = 29;

/// Waiting reports that are named.
const OUTBOX_SHOWN: usize = 20;

/// The figures of a store at one moment.
#[derive(Debug)]
pub struct Figures {
    /// When they were read.
    pub read_at: Timestamp,
    /// Why the store takes nothing more, or which damage is known.
    pub trouble: Option<String>,
    /// Totals.
    pub stats: Stats,
    /// What may have to be made again.
    pub doubts: Doubts,
    /// What went wrong, the most frequent cause first.
    pub failures: Vec<FailureGroup>,
    /// What was archived in each period of a span, empty ones among them.
    pub bins: Vec<Bin>,
    /// Reports that wait to be sent.
    pub waiting: PendingSubmissions,
    /// The first of them.
    pub outbox: Vec<PendingSubmission>,
    /// Holds.
    pub held: HeldFigures,
    /// The last check for damage that is on record.
    pub verified: Option<(Timestamp, Verified)>,
    /// When the newest signed checkpoint was made.
    pub checkpoint: Option<(EventSeq, Timestamp)>,
    /// When the disk is full.
    pub disk: Option<LimitForecast>,
    /// When converters reach the size that they may have.
    pub quotas: Vec<QuotaForecast>,
}

/// Holds in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldFigures {
    /// How many there are.
    pub holds: u64,
    /// How many of them should have been looked at.
    pub overdue: u64,
    /// How many entries they are on.
    pub entries: u64,
}

/// When a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitForecast {
    /// Bytes that are free on the disk.
    pub free: u64,
    /// Bytes that must stay free.
    pub keep_free: u64,
    /// How much is archived in a day.
    pub rate: RateOrWhy,
    /// When the rest is used up.
    pub forecast: Forecast,
}

/// When a converter reaches the size after which its oldest entries may go.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaForecast {
    /// The converter.
    pub converter: String,
    /// About how many bytes it takes on disk.
    pub used: u64,
    /// How many it may take.
    pub limit: u64,
    /// How much is archived in a day.
    pub rate: RateOrWhy,
    /// When it takes them.
    pub forecast: Forecast,
}

impl Figures {
    /// Reads the figures of a store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(desk: &Desk, span: Span) -> Result<Self> {
        let archive = &desk.archive;
        let snapshot = archive.snapshot()?;
        let stats = snapshot.stats()?;
        let all = Filter::default();
        let config = desk.host.as_ref().map(|host| host.config());
        let config = config.as_ref().or_else(|| desk.config());
        let on_disk = on_disk(&stats);
        let rate = rate(&snapshot, desk, &stats, all.clone())?;
        Ok(Self {
            read_at: desk.now,
            trouble: trouble(archive),
            doubts: Doubts::of(desk, &snapshot)?,
            failures: snapshot.failures(&all)?,
            bins: snapshot.counts_by(&all, &span.edges(desk.now, &desk.zone))?,
            waiting: snapshot.pending_submissions()?,
            outbox: outbox(&snapshot)?,
            held: held(archive, &snapshot, desk.now)?,
            verified: archive.newest_verification()?,
            checkpoint: newest_checkpoint(archive)?,
            disk: disk(archive, config, rate, desk.now),
            quotas: quotas(config, &snapshot, desk, &stats, on_disk)?,
            stats,
        })
    }

    /// Returns how many entries failed.
    pub fn failed(&self) -> u64 {
        let statuses = self.stats.statuses.iter();
        statuses.map(|group| group.failed).sum()
    }
}

/// Returns how many bytes of a hundred of the sources and reports, each content once, the store
/// saves; `None` without content.
pub fn saved_per_cent(stats: &Stats) -> Option<u64> {
    saved(stats.unique_bytes, stats.stored_bytes)
}

fn saved(content: u64, stored: u64) -> Option<u64> {
    let saved = u128::from(content.saturating_sub(stored)) * 100;
    let per_cent = saved.checked_div(u128::from(content))?;
    u64::try_from(per_cent).ok()
}

/// Returns why a store takes nothing more, or which damage of it is known.
fn trouble(archive: &Archive) -> Option<String> {
    if let Err(error) = archive.can_write() {
        return Some(error.message().to_owned());
    }
    match archive.known_damage() {
        Ok(known) => known.log.first().or(known.content.first()).cloned(),
        Err(error) => Some(error.message().to_owned()),
    }
    .or_else(|| archive.signing_failure())
}

/// Returns the first reports that wait, converter by converter.
fn outbox(snapshot: &Snapshot) -> Result<Vec<PendingSubmission>> {
    let mut first = Vec::new();
    for converter in snapshot.converters_with_pending()? {
        let room = OUTBOX_SHOWN - first.len();
        if room == 0 {
            break;
        }
        first.extend(snapshot.pending_of(&converter, None, room)?);
    }
    Ok(first)
}

pub(super) fn held(archive: &Archive, snapshot: &Snapshot, now: Timestamp) -> Result<HeldFigures> {
    let holds = archive.hold_dates()?;
    let any = Filter {
        hold: Some(Held::from("*".to_owned())),
        ..Filter::default()
    };
    Ok(HeldFigures {
        holds: holds.len() as u64,
        overdue: holds.iter().filter(|hold| hold.is_overdue(now)).count() as u64,
        entries: snapshot.count(&any)?,
    })
}

fn newest_checkpoint(archive: &Archive) -> Result<Option<(EventSeq, Timestamp)>> {
    let Some(newest) = archive.newest_checkpoint()? else {
        return Ok(None);
    };
    let leaf = archive.events(newest.event, Some(newest.event))?.next();
    let event = leaf.transpose()?.and_then(|leaf| leaf.event().ok());
    Ok(event.map(|event| (newest.event, event.time)))
}

/// Returns how many bytes a byte of a source takes on disk, with its reports.
fn on_disk(stats: &Stats) -> f64 {
    if stats.sources_bytes == 0 {
        1.0
    } else {
        stats.stored_bytes as f64 / stats.sources_bytes as f64
    }
}

/// Measures how much is archived in a day. What was purged since took room, too.
fn rate(snapshot: &Snapshot, desk: &Desk, stats: &Stats, filter: Filter) -> Result<RateOrWhy> {
    let mut edges = last_days(RATE_DAYS, desk.now, &desk.zone);
    // Today is not over.
    edges.pop();
    let filter = Filter {
        purged: Purged::Include,
        ..filter
    };
    let days = snapshot.counts_by(&filter, &edges)?;
    // What a retention of a few days has purged was measured all the same.
    let created = desk.archive.events(EventSeq(1), Some(EventSeq(1)))?.next();
    let created = created.transpose()?.and_then(|leaf| leaf.event().ok());
    let begun = created
        .map(|event| event.time)
        .into_iter()
        .chain(stats.oldest);
    let begun = begun.min_by_key(|time| time.micros());
    Ok(RateOrWhy::of(&days, begun, on_disk(stats)))
}

fn disk(
    archive: &Archive,
    config: Option<&Config>,
    rate: RateOrWhy,
    now: Timestamp,
) -> Option<LimitForecast> {
    let free = archive.free_bytes()?;
    let keep_free = config.map_or(0, |config| config.min_free_disk);
    Some(LimitForecast {
        free,
        keep_free,
        rate,
        forecast: forecast(free.saturating_sub(keep_free), rate, now),
    })
}

fn quotas(
    config: Option<&Config>,
    snapshot: &Snapshot,
    desk: &Desk,
    stats: &Stats,
    on_disk: f64,
) -> Result<Vec<QuotaForecast>> {
    let mut quotas = Vec::new();
    for converter in config.iter().flat_map(|config| &config.converters) {
        let Some(limit) = converter.archive.max_size else {
            continue;
        };
        let name = &converter.converter.name;
        let group = stats.converters.iter().find(|group| group.name == *name);
        let sources = group.map_or(0, |group| group.sources_bytes);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, and casts of floats stop at the ends"
        )]
        let used = (sources as f64 * on_disk) as u64;
        let own = Filter::default().converter(name.clone());
        let rate = rate(snapshot, desk, stats, own)?;
        quotas.push(QuotaForecast {
            converter: name.clone(),
            used,
            limit,
            rate,
            forecast: forecast(limit.saturating_sub(used), rate, desk.now),
        });
    }
    Ok(quotas)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elsewhere, "100 %" meant that nothing was saved, and an empty store divided by nothing.
    #[test]
    fn what_is_saved_is_a_part_of_what_there_is() {
        assert_eq!(saved(0, 0), None);
        assert_eq!(saved(1_000, 1_000), Some(0));
        assert_eq!(
            saved(1_000, 1_200),
            Some(0),
            "small content can take more than it is"
        );
        assert_eq!(saved(1_000, 250), Some(75));
        assert_eq!(saved(u64::MAX, 1), Some(99));
    }
}
