//! Decides how a converted file is cleared away. It touches no file.

use crate::convert::{OnSuspicious, PostAction};
use crate::entry::Outcome;
use crate::host::config::settings::ConverterConfig;
use crate::host::sources::fingerprint::Fingerprint;

/// Whether the source has a safe copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Safety {
    /// The source is in the archive, durably.
    Archived,
    /// There is no copy, as the configuration says.
    NotWanted,
    /// There is no copy, although the configuration requires one.
    ArchiveFailed,
    /// Only facts are kept of it. It is never removed, unless the configuration says so.
    FactsOnly(FactsOnly),
}

/// What the configuration says of sources of which only facts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum FactsOnly {
    /// They may be removed.
    MayGo,
    /// They stay, or are moved.
    Stays,
}

/// Whether a success is suspicious, and what that means for its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Suspicion {
    None,
    /// The source is cleared away if the archive has it.
    Flagged,
    /// The source is kept.
    Keeps,
}

impl Suspicion {
    pub(super) fn of(config: &ConverterConfig, suspicious: &[String]) -> Self {
        match config.converter.expect.on_suspicious {
            _ if suspicious.is_empty() => Self::None,
            OnSuspicious::Keep => Self::Keeps,
            OnSuspicious::Warn | OnSuspicious::Fail => Self::Flagged,
        }
    }

    /// Returns true when the source is kept although the outcome is a success.
    pub(super) fn keeps(self, safety: Safety) -> bool {
        match self {
            Self::None => false,
            Self::Flagged => safety != Safety::Archived,
            Self::Keeps => true,
        }
    }
}

/// How a file is cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Disposition {
    /// The file stays, to be tried again.
    Retry,
    /// The file stays, and is finished.
    Stay,
    /// The file goes to the error folder.
    ToError,
    Post(PostAction),
}

/// Everything that a disposition depends on.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) struct Case {
    pub(in crate::host) outcome: Outcome,
    pub(super) safety: Safety,
    pub(in crate::host) configured: PostAction,
    /// The action that the converter asked for.
    pub(in crate::host) requested: Option<PostAction>,
    pub(super) may_retry: bool,
    /// Whether the result is suspicious although it is a success.
    pub(super) suspicion: Suspicion,
    pub(in crate::host) has_done_folder: bool,
    pub(in crate::host) has_error_folder: bool,
}

impl Disposition {
    /// Returns true when the file does not stay where it is.
    pub(super) fn clears(self) -> bool {
        match self {
            Self::Retry | Self::Stay | Self::Post(PostAction::Keep) => false,
            Self::ToError | Self::Post(_) => true,
        }
    }
}

impl Case {
    /// Keeps an empty file in its folder: a station that writes to it later must not write into the
    /// error folder.
    pub(in crate::host) fn of(self, seen: &Fingerprint) -> Self {
        Self {
            has_error_folder: self.has_error_folder && !seen.meta.is_empty_file(),
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
            Outcome::Success | Outcome::Skipped
                if self.safety == Safety::ArchiveFailed || self.suspicion.keeps(self.safety) =>
            {
                aside
            }
            Outcome::Success | Outcome::Skipped => {
                let may_go = self.safety != Safety::FactsOnly(FactsOnly::Stays);
                let is_safe = match self.safety {
                    Safety::Archived => true,
                    Safety::FactsOnly(_) => may_go,
                    Safety::NotWanted | Safety::ArchiveFailed => false,
                };
                let possible = |action: PostAction| match action {
                    PostAction::Archive => is_safe,
                    PostAction::Move | PostAction::Zip => self.has_done_folder,
                    PostAction::Delete => may_go,
                    PostAction::Keep => true,
                };
                let action = self.requested.filter(|action| possible(*action));
                match action.unwrap_or(self.configured) {
                    action if possible(action) => Disposition::Post(action),
                    // What must not be removed is out of the way there.
                    _ if !may_go && self.has_done_folder => Disposition::Post(PostAction::Move),
                    _ => Disposition::Stay,
                }
            }
        }
    }
}

pub(in crate::host) fn case(
    config: &ConverterConfig,
    outcome: Outcome,
    safety: Safety,
    requested: Option<PostAction>,
    may_retry: bool,
    suspicion: Suspicion,
) -> Case {
    Case {
        outcome,
        safety,
        configured: config.post_process,
        requested,
        may_retry,
        suspicion,
        has_done_folder: config.done_folder.is_some(),
        has_error_folder: config.error_folder.is_some(),
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
            suspicion: Suspicion::None,
            has_done_folder: configured != Delete,
            has_error_folder: configured != Keep,
        };
        let (kept, unwanted, lost) = (Safety::Archived, Safety::NotWanted, Safety::ArchiveFailed);
        for (given, expected) in [
            (case(Success, kept, Archive, None, false), Post(Archive)),
            (case(Skipped, unwanted, Move, None, false), Post(Move)),
            (case(Success, unwanted, Delete, None, false), Post(Delete)),
            // The converter may ask for another action, if that action is possible.
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
            // A source of which only facts are kept is its only copy.
            (
                case(
                    Success,
                    Safety::FactsOnly(FactsOnly::Stays),
                    Delete,
                    None,
                    false,
                ),
                Stay,
            ),
            (
                case(
                    Success,
                    Safety::FactsOnly(FactsOnly::Stays),
                    Archive,
                    None,
                    false,
                ),
                Post(Move),
            ),
            (
                case(
                    Success,
                    Safety::FactsOnly(FactsOnly::Stays),
                    Zip,
                    Some(Delete),
                    false,
                ),
                Post(Zip),
            ),
            (
                case(
                    Success,
                    Safety::FactsOnly(FactsOnly::MayGo),
                    Delete,
                    None,
                    false,
                ),
                Post(Delete),
            ),
            (
                case(
                    Success,
                    Safety::FactsOnly(FactsOnly::MayGo),
                    Archive,
                    None,
                    false,
                ),
                Post(Archive),
            ),
            // Failed sources are never deleted.
            (case(Failed, unwanted, Delete, Some(Delete), false), ToError),
            (case(Failed, unwanted, Delete, None, true), Retry),
            (case(Rejected, unwanted, Delete, None, true), ToError),
            (case(Failed, kept, Keep, None, false), Stay),
            (case(Suspended, kept, Archive, None, false), Retry),
            // Sources that should be in the archive and are not are never deleted either.
            (case(Success, lost, Archive, None, false), ToError),
            (case(Success, lost, Delete, None, false), ToError),
            (case(Success, lost, Keep, Some(Delete), false), Stay),
        ] {
            assert_eq!(given.decide(), expected, "{given:?}");
        }
    }

    /// A converter loses most of a file and says success. The file must not go before somebody has
    /// looked, unless the archive has it.
    #[test]
    fn a_suspicious_success_removes_no_only_copy() {
        let decide = |safety, suspicion, has_error_folder| {
            let case = Case {
                outcome: Outcome::Success,
                safety,
                configured: PostAction::Delete,
                requested: None,
                may_retry: false,
                suspicion,
                has_done_folder: true,
                has_error_folder,
            };
            case.decide()
        };
        let (flagged, keeps) = (Suspicion::Flagged, Suspicion::Keeps);
        let delete = Disposition::Post(PostAction::Delete);
        assert_eq!(decide(Safety::Archived, flagged, true), delete);
        assert_eq!(
            decide(Safety::NotWanted, flagged, true),
            Disposition::ToError
        );
        assert_eq!(decide(Safety::NotWanted, flagged, false), Disposition::Stay);
        assert_eq!(decide(Safety::Archived, keeps, true), Disposition::ToError);
        assert_eq!(decide(Safety::Archived, keeps, false), Disposition::Stay);
    }
}
