//! Chooses the converter of an entry, and prepares it to run.

use std::sync::Arc;

use super::choice::{Choice, Chosen, Unfit, pick};
use super::options::{Params, Which};
use super::runners::RunnerKey;
use super::work::Work;
use crate::convert::converter::{Arguments, Bounds, Converter};
use crate::convert::running::Runner;
use crate::entry::Entry;
use crate::event::ConverterRegistered;
use crate::{Error, ErrorKind, Result};

impl Work<'_> {
    pub(super) fn choose(&self, entry: &Entry) -> Result<Chosen, Unfit> {
        let choice = self.converter_for(entry)?;
        let arguments = self.arguments_for(entry, choice.name())?;
        let (key, (runner, note)) = match choice {
            Choice::Configured(converter) => {
                let key = RunnerKey::Configured(converter.name.clone());
                let runner = self.configured_runner(converter).map_err(|error| {
                    let what = format!("converter '{}' cannot be made ready", converter.name);
                    let error = Error::new(ErrorKind::Converter, format!("{what}: {error}"));
                    Unfit::CannotRun(key.clone(), error)
                })?;
                (key, (runner, None))
            }
            Choice::Recorded(registered) => {
                let current = self.configured(&registered.name);
                let key = RunnerKey::Recorded(registered.converter_id);
                (key, self.recorded_runner(&registered, current)?)
            }
        };
        Ok(Chosen {
            key,
            runner,
            arguments,
            note,
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
    ) -> Result<(Arc<Runner>, Option<String>)> {
        let id = registered.converter_id;
        let expect = current.map(|converter| converter.expect.clone());
        let runner = self.runners.get(RunnerKey::Recorded(id), || {
            let runner = Runner::recorded(
                self.archive,
                registered,
                current.map_or_else(Bounds::default, |converter| converter.bounds.clone()),
                current.map_or_else(Arguments::default, |converter| converter.arguments.clone()),
                self.options.jobs,
                &self.options.scratch,
            )?;
            Ok(runner.with_expect(expect.unwrap_or_default()))
        })?;
        let identity = &runner.session()?.identity;
        let note = (identity.id != id).then(|| {
            format!(
                "the recorded converter {id} ran on '{}', this run on '{}'",
                registered.environment, identity.environment
            )
        });
        Ok((runner, note))
    }
}
