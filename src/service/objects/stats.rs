//! How much is archived, as one object.

use serde::Serialize;

use crate::Result;
use crate::archive::{Bin, Group, MakerGroup, Snapshot, Stats};
use crate::entry::Status;
use crate::query::{Filter, Suspicious};
use crate::service::desk::Desk;
use crate::service::entries::current_identities;
use crate::service::time::{Every, Zone};
use crate::time::Timestamp;

/// What totals are broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The converter that entries were archived for
    Converter,
    /// What became of them
    Status,
    /// Hours of your own zone, or of UTC with --utc
    Hour,
    /// Days of your own zone, or of UTC with --utc
    Day,
    /// Weeks from Monday on
    Week,
    /// Months
    Month,
}

impl By {
    /// Returns the groups of totals: those of `stats`, or counts over time in `zone`. `filter`
    /// says when they were archived.
    pub fn groups(
        self,
        stats: &Stats,
        snapshot: &Snapshot,
        filter: &Filter,
        zone: &Zone,
    ) -> Result<Vec<Group>> {
        let is_whole = filter.from.is_none() && filter.to.is_none();
        let every = match self {
            Self::Converter if is_whole => return Ok(stats.converters.clone()),
            Self::Status if is_whole => return Ok(stats.statuses.clone()),
            Self::Converter => {
                let names = stats.converters.iter().map(|group| group.name.clone());
                let own = |name: String| (name.clone(), filter.clone().converter(name));
                return counted(snapshot, names.map(own));
            }
            Self::Status => {
                let own =
                    |status: Status| (status.name().to_owned(), filter.clone().status(status));
                return counted(snapshot, Status::ALL.into_iter().map(own));
            }
            Self::Hour => Every::Hour,
            Self::Day => Every::Day,
            Self::Week => Every::Week,
            Self::Month => Every::Month,
        };
        let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) else {
            return Ok(Vec::new());
        };
        let oldest = filter.from.map_or(oldest, |from| from.max(oldest));
        let newest = filter.to.map_or(newest, |to| to.min(newest));
        if newest.micros() < oldest.micros() {
            return Ok(Vec::new());
        }
        let edges = every.edges(oldest, newest, zone);
        let bins = snapshot.counts_by(filter, &edges)?.into_iter();
        let bins = bins.filter(|bin| bin.entries > 0);
        Ok(bins
            .map(|bin| group(every.name(bin.from, zone), &bin))
            .collect())
    }
}

/// Returns the groups that filters select, without those that are empty.
fn counted(
    snapshot: &Snapshot,
    filters: impl Iterator<Item = (String, Filter)>,
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for (name, filter) in filters {
        let bins = snapshot.counts_by(&filter, &[Timestamp::MIN, Timestamp::MAX])?;
        let filled = bins.iter().filter(|bin| bin.entries > 0);
        groups.extend(filled.map(|bin| group(name.clone(), bin)));
    }
    Ok(groups)
}

fn group(name: String, bin: &Bin) -> Group {
    Group {
        name,
        entries: bin.entries,
        sources_bytes: bin.bytes,
        success: bin.success,
        failed: bin.failed,
        pending: bin.pending,
        other: bin.other,
    }
}

/// Entries whose reports may have to be made again.
#[derive(Debug, Default)]
pub struct Doubts {
    /// With a suspicious last result.
    pub suspicious: u64,
    /// Whose last success another identity of the converter made, by that identity.
    pub outdated: Vec<MakerGroup>,
    /// The configuration that is named, for the commands.
    pub config: Option<String>,
}

impl Doubts {
    /// Counts them.
    pub fn of(desk: &Desk, snapshot: &Snapshot) -> Result<Self> {
        let suspicious = Filter::default().suspicious(Suspicious::Only);
        let current = current_identities(desk)?;
        Ok(Self {
            config: desk.config_text(),
            suspicious: snapshot.count(&suspicious)?,
            outdated: snapshot.outdated(&Filter::default(), &current)?,
        })
    }
}

/// What a group is as JSON, for the description of the API.
#[cfg(feature = "serve")]
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
struct GroupObject {
    /// A converter's name, a period, or a status.
    name: String,
    /// How many entries.
    entries: u64,
    /// Bytes of their sources.
    sources_bytes: u64,
    /// How many of them succeeded.
    success: u64,
    /// How many of them failed.
    failed: u64,
    /// How many of them were not converted yet.
    pending: u64,
    /// How many of them were suspended, skipped or rejected.
    other: u64,
}

/// The totals, and at most one breakdown, because the one by day may have thousands of rows.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct StatsObject<'a> {
    /// Entries that are not purged.
    entries: u64,
    /// Entries whose bytes were purged.
    purged: u64,
    /// Purged entries whose purge can still be undone.
    pending: u64,
    /// Entries of which only facts are kept.
    facts_only: u64,
    /// Bytes of all sources.
    sources_bytes: u64,
    /// Bytes of all sources, each content once.
    unique_bytes: u64,
    /// Bytes that contents take in the store.
    stored_bytes: u64,
    /// Bytes of the log.
    log_bytes: u64,
    /// Bytes of the index.
    index_bytes: u64,
    /// Bytes that nothing needs and that can be freed.
    reclaimable_bytes: u64,
    /// Bytes that get smaller when the host is idle.
    quickly_packed_bytes: u64,
    /// Bytes of sources for each stored byte.
    ratio: f64,
    /// When the oldest entry was archived.
    #[cfg_attr(feature = "serve", schema(value_type = Option<String>, format = DateTime))]
    oldest: Option<Timestamp>,
    /// When the newest entry was archived.
    #[cfg_attr(feature = "serve", schema(value_type = Option<String>, format = DateTime))]
    newest: Option<Timestamp>,
    /// Entries with a suspicious last result.
    suspicious: u64,
    /// Entries that another identity of their converter made, by that identity.
    #[cfg_attr(feature = "serve", schema(value_type = Vec<Object>))]
    outdated: &'a [MakerGroup],
    /// The totals of each converter.
    #[cfg_attr(feature = "serve", schema(value_type = Vec<GroupObject>))]
    converters: &'a [Group],
    /// What the groups are.
    by: Option<By>,
    /// The totals of each group, if a breakdown was asked for.
    #[cfg_attr(feature = "serve", schema(value_type = Option<Vec<GroupObject>>))]
    groups: Option<&'a [Group]>,
}

impl<'a> StatsObject<'a> {
    /// Returns the object of totals and one breakdown, with times in `zone`.
    pub fn new(
        stats: &'a Stats,
        doubts: &'a Doubts,
        broken_down: Option<(By, &'a [Group])>,
        zone: &Zone,
    ) -> Self {
        Self {
            entries: stats.entries,
            purged: stats.purged,
            pending: stats.pending,
            facts_only: stats.facts_only,
            sources_bytes: stats.sources_bytes,
            unique_bytes: stats.unique_bytes,
            stored_bytes: stats.stored_bytes,
            log_bytes: stats.log_bytes,
            index_bytes: stats.index_bytes,
            reclaimable_bytes: stats.reclaimable_bytes,
            quickly_packed_bytes: stats.quickly_packed_bytes,
            ratio: stats.ratio,
            oldest: stats.oldest.map(|time| zone.exact(time)),
            newest: stats.newest.map(|time| zone.exact(time)),
            suspicious: doubts.suspicious,
            outdated: &doubts.outdated,
            converters: &stats.converters,
            by: broken_down.map(|(by, _)| by),
            groups: broken_down.map(|(_, groups)| groups),
        }
    }
}
