//! Stage 3: records a conversion's outcome, and sends the reports that no store keeps.

use std::sync::Arc;

use super::converting::{direct, terms};
use super::disposition::{Disposition, Suspicion, case};
use super::files::{ArchivedFile, Cleanup, ConvertedFile, LOOK_AGAIN, StageResult, TakenFile};
use super::history::{entry, is_failure, key, tried_by};
use super::worker::FileWorker;
use crate::Result;
use crate::convert::{self, Conversion, Converter, Runner, Session};
use crate::entry::Outcome;
use crate::host::config::endpoint::Submit;
use crate::host::observe::notice::Notice;
use crate::host::observe::stuck::StuckAt;
use crate::host::panics::caught;
use crate::host::submit::outbox::Delivered;

impl FileWorker {
    pub(super) fn record_one(&self, ran: ConvertedFile) {
        let ConvertedFile {
            ready,
            recorder,
            conversion,
        } = ran;
        match caught(|| self.record(&ready, recorder, conversion)) {
            Ok(StageResult::Next(cleanup) | StageResult::CleanUp(cleanup)) => {
                self.passed(&ready.taken, StuckAt::Recording);
                self.push_to_clear(ready.taken, cleanup);
            }
            Ok(StageResult::Left(why)) => self.leave(&ready.taken, why),
            Err(error) => self.fail(&ready.taken, StuckAt::Recording, &error),
        }
    }

    fn record(
        &self,
        ready: &ArchivedFile,
        recorder: Option<(Arc<Runner>, Arc<Session>)>,
        mut conversion: Conversion,
    ) -> Result<StageResult<Box<Cleanup>>> {
        let taken = &ready.taken;
        let path = &taken.candidate.path;
        let config = taken.config();
        self.examine(ready, &mut conversion)?;
        let mut submit = config.submit.as_ref().map(Submit::endpoint);
        if let Some(direct) = direct(config, ready.entry) {
            submit = None;
            let seen = &ready.seen;
            let intake = key(&config.converter.name, path, &seen.meta, &seen.content);
            if !self.deliver(taken, direct, &intake, &mut conversion) {
                self.wait(taken, config.retry.delay.min(LOOK_AGAIN), taken.failures);
                return Ok(StageResult::Left("its report could not be sent now"));
            }
        }
        let mut by = None;
        let (tried, conversion) = match (ready.entry, recorder) {
            (Some(id), Some((runner, session))) => {
                let archive = self.host.archive_of(config)?;
                let terms = terms(config);
                let recorded =
                    convert::record(archive, &runner, &session, id, terms, conversion, submit)?;
                if let Some(submit) = &config.submit {
                    taken.active.outbox.ring(submit);
                }
                by = Some(recorded.converter_id);
                (tried_by(&entry(archive, id)?, by), recorded.conversion)
            }
            _ => (taken.failures + 1, conversion),
        };
        self.host
            .counters
            .converted(&config.converter.name, conversion.outcome);
        if !conversion.suspicious.is_empty() {
            self.host.counters.suspicious(&config.converter.name);
        }
        (self.hooks.notice)(&Notice::Converted {
            path,
            converter: &config.converter.name,
            entry: ready.entry,
            conversion: &conversion,
        });
        let may_retry = tried < config.retry.max_attempts;
        let suspicion = Suspicion::of(config, &conversion.suspicious);
        let ended = case(
            config,
            conversion.outcome,
            ready.safety,
            conversion.post_action,
            may_retry,
            suspicion,
        )
        .of(&ready.seen);
        let disposition = ended.decide();
        if disposition == Disposition::Retry {
            let wait = conversion.retry_after.unwrap_or(config.retry.delay);
            self.wait(taken, wait, tried);
            return Ok(StageResult::Left("it is to be tried again"));
        }
        Ok(StageResult::Next(Box::new(Cleanup {
            seen: ready.seen.clone(),
            disposition,
            entry: ready.entry,
            failed_by: by
                .filter(|_| is_failure(conversion.outcome) || suspicion.keeps(ready.safety)),
        })))
    }

    /// Notes in a result why it is suspicious, if it is.
    fn examine(&self, ready: &ArchivedFile, conversion: &mut Conversion) -> Result<()> {
        let config = ready.taken.config();
        let Converter { name, expect, .. } = &config.converter;
        match ready.entry {
            Some(id) => {
                let archive = self.host.archive_of(config)?;
                convert::examine(archive, &entry(archive, id)?, name, expect, conversion)
            }
            None => convert::examine_alone(expect, conversion),
        }
    }

    /// Sends the reports of a conversion that no store keeps.
    ///
    /// A refusal by the server becomes the conversion's outcome. Returns false when the reports
    /// could not be sent now; then nothing of the conversion may be recorded.
    fn deliver(
        &self,
        taken: &TakenFile,
        submit: &Submit,
        intake: &str,
        conversion: &mut Conversion,
    ) -> bool {
        if conversion.outcome != Outcome::Success {
            return true;
        }
        let key = |report: u32| {
            let mut hasher =
                blake3::Hasher::new_derive_key("annals 2026-11 direct submission key v1");
            hasher.update(intake.as_bytes());
            hasher.update(&report.to_le_bytes());
            hasher.finalize().to_hex().to_string()
        };
        let (reports, cancel) = (&conversion.reports, self.stop.at_once_cancel());
        let outbox = &taken.active.outbox;
        match outbox.deliver(submit, key, reports, cancel, &*self.hooks.notice) {
            Delivered::Taken => true,
            Delivered::Refused(why) => {
                conversion.outcome = Outcome::Rejected;
                conversion.error = Some(why);
                true
            }
            Delivered::NotYet(_) | Delivered::Cancelled => false,
        }
    }
}
