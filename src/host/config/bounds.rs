//! Reports limits on converters that this machine cannot enforce.

use super::settings::Config;
use crate::{Error, ErrorKind, Result};

impl Config {
    /// Refuses a configuration with a converter that must not run because its bounds cannot be
    /// enforced here.
    ///
    /// # Errors
    /// `Refused`, with the converter, the key and the reason.
    pub fn check_bounds(&self) -> Result<()> {
        let unmet = self.converters.iter().find_map(|config| {
            let why = config.converter.bounds.unenforceable()?;
            Some(format!("converter '{}': {why}", config.converter.name))
        });
        match unmet {
            None => Ok(()),
            Some(why) => Err(Error::new(ErrorKind::Refused, why)
                .hint("`host check` looks at all converters and starts none")),
        }
    }

    /// Returns why converters cannot be started within their bounds, one text for each converter.
    pub(super) fn unmet_bounds(&self) -> Vec<String> {
        self.converters
            .iter()
            .filter_map(|config| {
                let converter = &config.converter;
                let name = &converter.name;
                if let Some(why) = converter.bounds.unenforceable() {
                    return Some(format!("converter '{name}': {why}"));
                }
                let run_as = converter.bounds.run_as.as_ref()?;
                let path = converter.unreadable()?;
                Some(format!(
                    "converter '{name}': the user {run_as} may not read {}",
                    path.display()
                ))
            })
            .collect()
    }
}
