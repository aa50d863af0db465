//! What becomes of a converted file: a decision, as a value.

use std::path::PathBuf;

use super::source::Fingerprint;
use crate::convert::PostAction;
use crate::entry::Outcome;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposed {
    /// It stays where it is.
    Kept,
    /// It was removed, and no archive holds it.
    Deleted,
    /// It was removed; the archive holds it.
    Archived,
    /// It is now here.
    Moved(PathBuf),
    /// It is now inside this zip file.
    Zipped(PathBuf),
}

/// Where the source is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safety {
    /// In the archive, acknowledged.
    Archived,
    /// Nowhere else, and that is what the configuration says.
    NotWanted,
    /// Nowhere else, against what the configuration says.
    ArchiveFailed,
}

/// What is to become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It stays, to be tried again.
    Retry,
    /// It stays, and is done with.
    Stay,
    /// Off to the error folder.
    ToError,
    Post(PostAction),
}

/// What a disposition depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) outcome: Outcome,
    pub(super) safety: Safety,
    pub(super) configured: PostAction,
    /// What the converter asked for.
    pub(super) requested: Option<PostAction>,
    pub(super) may_retry: bool,
    pub(super) has_done_folder: bool,
    pub(super) has_error_folder: bool,
}

impl Disposition {
    /// True when the file does not stay where it is.
    pub(super) fn clears(self) -> bool {
        match self {
            Self::Retry | Self::Stay | Self::Post(PostAction::Keep) => false,
            Self::ToError | Self::Post(_) => true,
        }
    }
}

impl Case {
    /// Has an empty file stay: a station that writes it later must not write into the error folder,
    /// where nobody looks for sources.
    pub(super) fn of(self, seen: &Fingerprint) -> Self {
        Self {
            has_error_folder: self.has_error_folder && !seen.look.is_empty_file(),
            ..self
        }
    }

    pub(super) fn decide(self) -> Disposition {
        let aside = if self.has_error_folder {
            Disposition::ToError
        } else {
            Disposition::Stay
        };
        match self.outcome {
            Outcome::Suspended => Disposition::Retry,
            Outcome::Failed if self.may_retry => Disposition::Retry,
            Outcome::Failed | Outcome::Rejected => aside,
            Outcome::Success | Outcome::Skipped if self.safety == Safety::ArchiveFailed => aside,
            Outcome::Success | Outcome::Skipped => {
                let possible = |action: PostAction| match action {
                    PostAction::Archive => self.safety == Safety::Archived,
                    PostAction::Move | PostAction::Zip => self.has_done_folder,
                    PostAction::Delete | PostAction::Keep => true,
                };
                let action = self.requested.filter(|action| possible(*action));
                match action.unwrap_or(self.configured) {
                    action if possible(action) => Disposition::Post(action),
                    _ => Disposition::Stay,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_file_follows_from_how_its_conversion_ended() {
        use Disposition::{Post, Retry, Stay, ToError};
        use Outcome::{Failed, Rejected, Skipped, Success, Suspended};
        use PostAction::{Archive, Delete, Keep, Move, Zip};
        let case = |outcome, safety, configured, requested, may_retry| Case {
            outcome,
            safety,
            configured,
            requested,
            may_retry,
            has_done_folder: configured != Delete,
            has_error_folder: configured != Keep,
        };
        let (kept, unwanted, lost) = (Safety::Archived, Safety::NotWanted, Safety::ArchiveFailed);
        for (given, expected) in [
            (case(Success, kept, Archive, None, false), Post(Archive)),
            (case(Skipped, unwanted, Move, None, false), Post(Move)),
            (case(Success, unwanted, Delete, None, false), Post(Delete)),
            // The converter may ask for something else, if it is possible.
            (
                case(Success, kept, Move, Some(Archive), false),
                Post(Archive),
            ),
            (
                case(Success, unwanted, Move, Some(Archive), false),
                Post(Move),
            ),
            (
                case(Success, unwanted, Delete, Some(Zip), false),
                Post(Delete),
            ),
            // Failures are never deleted.
            (case(Failed, unwanted, Delete, Some(Delete), false), ToError),
            (case(Failed, unwanted, Delete, None, true), Retry),
            (case(Rejected, unwanted, Delete, None, true), ToError),
            (case(Failed, kept, Keep, None, false), Stay),
            (case(Suspended, kept, Archive, None, false), Retry),
            // Nor is what should be in the archive and is not.
            (case(Success, lost, Archive, None, false), ToError),
            (case(Success, lost, Delete, None, false), ToError),
            (case(Success, lost, Keep, Some(Delete), false), Stay),
        ] {
            assert_eq!(given.decide(), expected, "{given:?}");
        }
    }
}
