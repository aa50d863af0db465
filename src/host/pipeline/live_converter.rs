//! Chooses the converter that live files are given to: the configured one, or, where promotions are
//! gated, the current one from its archived bundle.

use std::sync::Arc;

use super::host::Host;
use crate::archive::Archive;
use crate::convert::{Runner, register};
use crate::event::{ConverterPromoted, Grounds};
use crate::host::active_config::ActiveConfig;
use crate::host::panics::lock;
use crate::id::ConverterId;
use crate::{Error, ErrorKind, Result};

impl Host {
    /// Returns the runner for live files of a converter.
    ///
    /// A converter whose promotions are gated and that has no current identity gets its first one
    /// here, on record.
    ///
    /// # Errors
    /// `Converter` when the current identity cannot be run exactly as it is recorded. Its files
    /// wait: they are not given to another identity.
    pub(in crate::host) fn live_runner(
        &self,
        active: &ActiveConfig,
        converter: usize,
    ) -> Result<Arc<Runner>> {
        let config = &active.config.converters[converter];
        if !config.promotion.is_gated() {
            return active.runner(converter, &self.scratch);
        }
        let archive = self.archive_of(config)?;
        let name = &config.converter.name;
        let current = match archive.promoted(name)? {
            Some(current) => current,
            None => self.promote_first(archive, active, converter)?,
        };
        let configured = active.runner(converter, &self.scratch);
        if let Ok(configured) = configured
            && configured.converter_id().is_ok_and(|id| id == current)
        {
            active.forget_promoted(converter);
            return Ok(configured);
        }
        active.promoted_runner(converter, current, || {
            self.restored(archive, active, converter, current)
        })
    }

    /// Records the first current identity of a converter: the one that converted before, or else
    /// the configured one.
    fn promote_first(
        &self,
        archive: &Archive,
        active: &ActiveConfig,
        converter: usize,
    ) -> Result<ConverterId> {
        let config = &active.config.converters[converter].converter;
        let name = &config.name;
        // Several files may be the first. Whoever comes later waits until it is on record.
        let _one_at_a_time = lock(&self.promoting_first);
        if let Some(current) = archive.promoted(name)? {
            return Ok(current);
        }
        let (id, reason) = match archive.converter_named(name)? {
            Some(earlier) => (
                earlier.converter_id,
                "it converted before promotions were gated",
            ),
            None => (register(archive, config, None, &self.scratch)?, "first"),
        };
        let first = ConverterPromoted {
            converter: name.clone(),
            converter_id: id,
            before: None,
            grounds: Grounds::First,
            reason: reason.to_owned(),
            evidence: None,
        };
        match archive.promote(first) {
            Ok(()) => Ok(id),
            // A person was quicker.
            Err(error) if error.kind() == ErrorKind::Refused => {
                archive.promoted(name)?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Restores the current identity from its archived bundle.
    fn restored(
        &self,
        archive: &Archive,
        active: &ActiveConfig,
        converter: usize,
        current: ConverterId,
    ) -> Result<Runner> {
        let config = &active.config.converters[converter];
        let name = &config.converter.name;
        let cannot = |why: String| {
            let told =
                format!("converter '{name}': the current identity {current:.12} cannot run: {why}");
            Error::new(ErrorKind::Converter, told).hint(
                "its files wait; `annals promotion promote` with a reason makes another one \
                 current",
            )
        };
        let registered = archive
            .converter(&current)?
            .ok_or_else(|| cannot("its files were never recorded".to_owned()))?;
        let runner = Runner::recorded(
            archive,
            &registered,
            config.converter.bounds.clone(),
            config.converter.arguments.clone(),
            config.max_concurrent,
            &self.scratch,
        )
        .map_err(|error| cannot(error.to_string()))?;
        let restored = runner
            .converter_id()
            .map_err(|error| cannot(error.to_string()))?;
        if restored != current {
            let now = runner.environment()?;
            let then = &registered.environment;
            return Err(cannot(format!("it is for '{then}', and here is '{now}'")));
        }
        Ok(runner)
    }
}
