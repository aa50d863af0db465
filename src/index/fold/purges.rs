//! Folds purges of entries and of their parts.

use super::state::{Change, Fold};
use crate::entry::Part;
use crate::event::{Event, PurgedEntries};
use crate::id::{BlobId, EntryId};
use crate::index::error::IndexError;
use crate::index::overlay::QueuePlace;
use crate::index::rows::{self, EntryRow};

impl Fold<'_> {
    pub(super) fn purged(&mut self, event: &Event, body: &PurgedEntries) -> Result<(), IndexError> {
        let part = body.what();
        for id in self.possible(&body.entries)? {
            let Some(stored) = self.entry(id)? else {
                continue;
            };
            let row: EntryRow<'_> = rows::decode(&stored)?;
            if row.head.purged_at.is_none() {
                self.purge(id, row, part, event, &body.rule)?;
            }
        }
        Ok(())
    }

    fn purge<'a>(
        &mut self,
        id: EntryId,
        mut row: EntryRow<'a>,
        part: Part,
        event: &Event,
        rule: &'a str,
    ) -> Result<(), IndexError> {
        let takes_source = matches!(part, Part::Entry | Part::Source) && !row.source_is_gone();
        let going = row.attempts_going(part);
        if part != Part::Entry && !takes_source && going.is_empty() {
            return Ok(());
        }
        let mut contents = Vec::new();
        if takes_source {
            contents.push(BlobId::from_bytes(*row.blake3.0));
        }
        for attempt in &mut row.attempts[going] {
            let converter = attempt.converter(&row.head);
            for (number, report) in (0..).zip(&mut attempt.reports) {
                contents.push(BlobId::from_bytes(*report.blake3.0));
                if let Some(queued) = report.queued() {
                    report.submission = None;
                    let place = QueuePlace {
                        queued,
                        report: number,
                    };
                    self.dequeue(converter, place)?;
                }
            }
        }
        let stays = row.part_gone(part, event.time, rule);
        if !stays {
            self.count(&row, Change::Less)?;
            row.head.purged_at = Some(event.time);
            row.purged_by = Some(rule);
            self.count(&row, Change::More)?;
        }
        self.top.put_entry(id, rows::encode(&row));
        for content in contents {
            self.change_blob(content, None, Change::Less)?;
        }
        if stays {
            Ok(())
        } else {
            self.forget_purged(id, event.seq)
        }
    }
}
