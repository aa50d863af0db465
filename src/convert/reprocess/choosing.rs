//! Chooses the converter of an entry, and prepares it to run.

use std::sync::Arc;

use super::by_serial::WaitsFor;
use super::choice::{Choice, Chosen, Unfit, pick};
use super::options::{Params, Which};
use super::runners::RunnerKey;
use super::work::Work;
use crate::convert::converter::{Arguments, Bounds, Converter, Order};
use crate::convert::running::{self, EnvironmentCheck, Runner};
use crate::entry::Entry;
use crate::event::ConverterRegistered;
use crate::id::EntryId;
use crate::{Error, ErrorKind, Result};

impl Work<'_> {
    pub(super) fn choose(&self, entry: &Entry) -> Result<Chosen, Unfit> {
        let choice = self.converter_for(entry)?;
        let arguments = self.arguments_for(entry, choice.name())?;
        let mut environment = None;
        let (key, runner) = match choice {
            Choice::Configured(converter) => {
                let key = RunnerKey::Configured(converter.name.clone());
                let runner = self.configured_runner(converter).map_err(|error| {
                    let what = format!("converter '{}' cannot be made ready", converter.name);
                    let error = Error::new(ErrorKind::Converter, format!("{what}: {error}"));
                    Unfit::CannotRun(key.clone(), error)
                })?;
                (key, runner)
            }
            Choice::Recorded(registered) => {
                let current = self.configured(&registered.name);
                let key = RunnerKey::Recorded(registered.converter_id);
                let runner = self.recorded_runner(&registered, current)?;
                environment = Some(self.environment(&registered, entry, runner.converter())?);
                (key, runner)
            }
        };
        Ok(Chosen {
            key,
            runner,
            arguments,
            note: environment
                .as_ref()
                .filter(|check| **check != EnvironmentCheck::NotRecorded)
                .and_then(EnvironmentCheck::sentence),
            environment,
        })
    }

    fn configured(&self, name: &str) -> Option<&Converter> {
        self.converters
            .iter()
            .find(|converter| converter.name == name)
    }

    pub(super) fn converter_for(&self, entry: &Entry) -> Result<Choice<'_>, Unfit> {
        match &self.options.which {
            Which::Current => {
                let converter = self.configured(&entry.converter).ok_or_else(|| {
                    Unfit::Skip(format!("no converter '{}' is configured", entry.converter))
                })?;
                Ok(Choice::Configured(converter))
            }
            Which::Named(name) => {
                if let Some(converter) = self.configured(name) {
                    return Ok(Choice::Configured(converter));
                }
                let known = self.archive.converters()?;
                let registered = pick(&known, &entry.converter, name).map_err(Unfit::Skip)?;
                Ok(Choice::Recorded(Box::new(registered.clone())))
            }
            Which::Recorded => {
                let id = entry
                    .attempts
                    .last()
                    .and_then(|last| last.converter_id)
                    .ok_or_else(|| {
                        Unfit::Skip("no attempt recorded which converter it was".to_owned())
                    })?;
                let registered = self.archive.converter(&id)?.ok_or_else(|| {
                    Unfit::Skip(format!("the files of converter {id} were never recorded"))
                })?;
                Ok(Choice::Recorded(Box::new(registered)))
            }
        }
    }

    /// Returns the arguments that the converter called `name` gets for the entry.
    pub(super) fn arguments_for(&self, entry: &Entry, name: &str) -> Result<Arguments, Unfit> {
        let current = self.configured(name).map(|converter| &converter.arguments);
        match self.options.params {
            Params::Current => current.cloned().ok_or_else(|| {
                Unfit::Skip(format!(
                    "no converter '{name}' is configured to take arguments from"
                ))
            }),
            Params::Recorded => {
                let recorded = entry
                    .attempts
                    .last()
                    .map_or(&entry.arguments, |last| &last.arguments);
                current
                    .unwrap_or(&Arguments::default())
                    .recalled(recorded)
                    .map_err(|name| {
                        Unfit::Skip(format!(
                            "the argument '{name}' is secret, and not configured now"
                        ))
                    })
            }
        }
    }

    fn configured_runner(&self, converter: &Converter) -> Result<Arc<Runner>> {
        self.runners
            .get(RunnerKey::Configured(converter.name.clone()), || {
                Runner::new(converter.clone(), self.options.jobs, &self.options.scratch)
            })
    }

    fn recorded_runner(
        &self,
        registered: &ConverterRegistered,
        current: Option<&Converter>,
    ) -> Result<Arc<Runner>> {
        let id = registered.converter_id;
        let expect = current.map(|converter| converter.expect.clone());
        self.runners.get(RunnerKey::Recorded(id), || {
            let runner = Runner::recorded(
                self.archive,
                registered,
                current.map_or_else(Bounds::default, |converter| converter.bounds.clone()),
                current.map_or_else(Arguments::default, |converter| converter.arguments.clone()),
                self.options.jobs,
                &self.options.scratch,
            )?;
            Ok(runner.with_expect(expect.unwrap_or_default()))
        })
    }

    /// Compares what a recorded converter ran on when it made its last attempt of the entry with
    /// what `converter`, its restored copy, runs on now.
    pub(super) fn environment(
        &self,
        registered: &ConverterRegistered,
        entry: &Entry,
        converter: &Converter,
    ) -> Result<EnvironmentCheck> {
        let id = registered.converter_id;
        let mut attempts = entry.attempts.iter().rev();
        let last = attempts.find(|tried| tried.converter_id == Some(id));
        let then = match last {
            Some(last) => self.archive.ran_on(&id, last.at)?,
            None => None,
        };
        Ok(running::check(
            then.as_ref(),
            &registered.environment,
            converter,
        ))
    }

    /// Returns which entries before it an entry has to wait for.
    pub(super) fn waits_for(&self, id: EntryId) -> WaitsFor {
        let entry = self
            .archive
            .snapshot()
            .and_then(|snapshot| snapshot.entry(id));
        // An entry that cannot be read is reported when its conversion fails.
        let Ok(Some(entry)) = entry else {
            return WaitsFor::Nothing;
        };
        let name = match self.converter_for(&entry) {
            Ok(choice) => choice.name().to_owned(),
            Err(_) => return WaitsFor::Nothing,
        };
        let order = self.configured(&name).map(|converter| &converter.order);
        match order {
            None | Some(Order::Free) => WaitsFor::Nothing,
            Some(order) => WaitsFor::Serial {
                serial: order.serial_of(entry.unit.serial.as_deref(), &entry.source_name),
                converter: name,
            },
        }
    }

    /// Returns true when some converter asks for an order.
    pub(super) fn is_ordered(&self) -> bool {
        let mut orders = self.converters.iter().map(|converter| &converter.order);
        orders.any(|order| *order != Order::Free)
    }
}
