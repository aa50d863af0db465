//! The desk of a request as all doors know it.

use crate::service;
use crate::time::{Clock as _, SystemClock};
use crate::web::state::Desk;

impl Desk {
    /// Returns the desk that the services work at: dates are read and times are shown in the
    /// visitor's zone.
    pub(in crate::web) fn service(&self) -> service::desk::Desk {
        let archive = self.archive.clone();
        service::desk::Desk::new(archive, self.visitor.zone(), SystemClock.now())
            .with_host(self.host.clone())
            .with_config_file(self.config.clone())
    }
}
