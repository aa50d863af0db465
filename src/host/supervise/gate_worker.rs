//! Watches for new identities of converters whose promotions are gated, tests them in the
//! background, and promotes those that break nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{bounded, select_biased};

use crate::archive::Archive;
use crate::convert::{Cancel, GateOptions, GateReport, Selection, Waivers, gate, register, select};
use crate::host::active_config::ActiveConfig;
use crate::host::config::promotion::{GateOver, GateSettings, Promotion};
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::observe::status::PromotionStatus;
use crate::host::pipeline::host::Host;
use crate::id::{ConverterId, EventSeq};
use crate::query::Filter;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, Result};

/// How often the identities of converters are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time until a test is made again that could try nothing, or whose result could not be recorded.
const AGAIN_AFTER_MICROS: i64 = 60_000_000;
/// Broken entries that the status names.
const BROKEN_TOLD: usize = 20;

/// What a test depends on: when any of it changes, the new identity is tested again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tested {
    candidate: ConverterId,
    current: ConverterId,
    waivers: Vec<EventSeq>,
    settings: GateSettings,
}

/// What was told and tested, by converter.
#[derive(Default)]
struct Memory {
    told: BTreeMap<String, ConverterId>,
    tested: BTreeMap<String, Tested>,
    /// When a test that came to nothing is made again.
    again_at: BTreeMap<String, Timestamp>,
    troubles: BTreeMap<String, String>,
}

impl Memory {
    /// Lets the next test of a converter wait.
    fn wait(&mut self, name: &str) {
        let again = SystemClock.now().plus_micros(AGAIN_AFTER_MICROS);
        self.again_at.insert(name.to_owned(), again);
    }
}

impl Host {
    /// Looks at the identities of converters whose promotions are gated, until `over`.
    pub(super) fn gate_loop(&self, over: &Cancel, hooks: &Hooks) {
        let mut memory = Memory::default();
        while !over.is_cancelled() {
            let active = self.active();
            let gated = || {
                let all = active.config.converters.iter().enumerate();
                all.filter(|(_, config)| config.promotion.is_gated())
            };
            self.gates
                .retain(|name| gated().any(|(_, config)| config.converter.name == name));
            for (at, config) in gated() {
                let name = &config.converter.name;
                match self.look_at_identity(&active, at, &mut memory, over, hooks) {
                    Ok(()) => drop(memory.troubles.remove(name)),
                    Err(error) => {
                        memory.wait(name);
                        self.tell_gate_trouble(name, &error, &mut memory, hooks);
                    }
                }
            }
            let wait = if gated().next().is_some() {
                LOOK_EVERY
            } else {
                Duration::MAX
            };
            select_biased! {
                recv(over.cancelled()) -> _ => return,
                recv(active.replaced.cancelled()) -> _ => {}
                default(wait) => {}
            }
        }
    }

    fn look_at_identity(
        &self,
        active: &Arc<ActiveConfig>,
        at: usize,
        memory: &mut Memory,
        over: &Cancel,
        hooks: &Hooks,
    ) -> Result<()> {
        let config = &active.config.converters[at];
        let name = &config.converter.name;
        let archive = self.archive_of(config)?;
        let Some(current) = archive.promoted(name)? else {
            // Makes the first identity current, also when no file has come yet.
            return self.live_runner(active, at).map(drop);
        };
        let candidate = active.runner(at, &self.scratch)?.converter_id()?;
        if candidate == current {
            memory.told.remove(name);
            memory.tested.remove(name);
            self.gates.set(name, PromotionStatus::settled(current));
            return Ok(());
        }
        if memory.told.insert(name.clone(), candidate) != Some(candidate) {
            let status = PromotionStatus::waiting(current, candidate, SystemClock.now());
            self.gates.set(name, status);
            (hooks.notice)(&Notice::CandidateWaits {
                converter: name,
                current,
                candidate,
            });
        }
        let Promotion::Gated(Some(settings)) = config.promotion else {
            return Ok(());
        };
        let now = SystemClock.now();
        let waivers = archive.waivers(name)?.into_iter();
        let in_force = waivers.filter(|waiver| waiver.is_in_force(candidate, now));
        let tested = Tested {
            candidate,
            current,
            waivers: in_force.map(|waiver| waiver.event).collect(),
            settings,
        };
        let is_due = memory.again_at.get(name).is_none_or(|again| *again <= now);
        if !is_due || memory.tested.get(name) == Some(&tested) {
            return Ok(());
        }
        let cancel = UntilReplaced { over, active };
        let Some(report) = self.test(archive, at, &tested, cancel)? else {
            return Ok(());
        };
        self.conclude(archive, active, at, &report, hooks)?;
        // An interpreter that is missing may be installed yet.
        if report.evidence.tried > 0 {
            memory.tested.insert(name.clone(), tested);
        } else {
            memory.wait(name);
        }
        Ok(())
    }

    /// Runs the gate over the stated selection. Returns `None` when the host stops, or when another
    /// configuration is active.
    fn test(
        &self,
        archive: &Archive,
        at: usize,
        tested: &Tested,
        until: UntilReplaced<'_>,
    ) -> Result<Option<GateReport>> {
        let config = &until.active.config.converters[at];
        let name = &config.converter.name;
        let now = SystemClock.now();
        let selection = selection(archive, name, tested.settings.over, now)?;
        let options = GateOptions {
            sample: Some(tested.settings.sample),
            jobs: 1,
            rate: None,
            waivers: Waivers::on_record(archive, name, tested.candidate, now)?,
            scratch: self.scratch.clone(),
        };
        if let Some(mut status) = self.gates.of(name) {
            status.testing = true;
            self.gates.set(name, status);
        }
        let (converter, current) = (&config.converter, Some(tested.current));
        let report = until.run(|cancel| {
            gate(
                archive,
                converter,
                current,
                &selection,
                &options,
                cancel,
                &|_| {},
            )
        });
        if let Some(mut status) = self.gates.of(name) {
            status.testing = false;
            self.gates.set(name, status);
        }
        report
    }

    /// Promotes a new identity that may be, and says what became of the test.
    fn conclude(
        &self,
        archive: &Archive,
        active: &ActiveConfig,
        at: usize,
        report: &GateReport,
        hooks: &Hooks,
    ) -> Result<()> {
        let config = &active.config.converters[at].converter;
        let name = &config.name;
        let mut status = PromotionStatus::settled(report.candidate);
        if let Some(promotion) = report.promotion() {
            // The files are recorded first, because a current identity must be runnable for good.
            register(archive, config, Some(report.candidate), &self.scratch)?;
            archive.promote(promotion)?;
            self.stopped.forget();
            (hooks.notice)(&Notice::Promoted { report });
        } else {
            let since = self.gates.of(name).and_then(|status| status.since);
            let since = since.unwrap_or_else(|| SystemClock.now());
            if let Some(current) = report.current {
                status = PromotionStatus::waiting(current, report.candidate, since);
            }
            status.verdict = Some(report.verdict.to_string());
            status.evidence = Some(report.evidence.clone());
            let unwaived = report.broken.iter().filter(|entry| !entry.waived);
            status.broken = unwaived.take(BROKEN_TOLD).map(|entry| entry.id).collect();
            (hooks.notice)(&Notice::PromotionRefused { report });
        }
        self.gates.set(name, status);
        Ok(())
    }

    /// Tells a trouble once, until it is another one.
    fn tell_gate_trouble(&self, name: &str, error: &Error, memory: &mut Memory, hooks: &Hooks) {
        let told = error.to_string();
        if memory.troubles.get(name) == Some(&told) {
            return;
        }
        let error = Error::new(error.kind(), format!("promotion of '{name}': {told}"));
        let path = &self.active().config.path;
        self.counters.trouble(path, &error);
        (hooks.notice)(&Notice::Trouble {
            path,
            error: &error,
        });
        memory.troubles.insert(name.to_owned(), told);
    }
}

/// Returns the entries of a converter that were archived so long ago at the most.
fn selection(
    archive: &Archive,
    converter: &str,
    over: GateOver,
    now: Timestamp,
) -> Result<Selection> {
    let mut filter = Filter::default().converter(converter);
    if let GateOver::Last(over) = over {
        let micros = i64::try_from(over.as_micros()).unwrap_or(i64::MAX);
        filter = filter.from(Timestamp::from_micros(now.micros().saturating_sub(micros)));
    }
    select(archive, &filter)
}

/// Cancels work when the host stops, or when another configuration is active.
struct UntilReplaced<'a> {
    over: &'a Cancel,
    active: &'a Arc<ActiveConfig>,
}

impl UntilReplaced<'_> {
    fn run<T>(&self, work: impl FnOnce(&Cancel) -> T) -> T {
        let cancel = Cancel::default();
        let (done, is_done) = bounded::<std::convert::Infallible>(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                select_biased! {
                    recv(is_done) -> _ => {}
                    recv(self.over.cancelled()) -> _ => cancel.cancel(),
                    recv(self.active.replaced.cancelled()) -> _ => cancel.cancel(),
                }
            });
            let result = work(&cancel);
            drop(done);
            result
        })
    }
}
