//! Describes the confinement of a converter, and passes it to the launcher.

use std::io;
use std::path::Path;
use std::process::Command;

use super::access::Access;
use super::account::Account;
use super::calls::Calls;
use super::enforcement::Enforcement;
use super::this_program::{LAUNCH, launcher};
use crate::convert::converter::{Converter, Network};

/// Restrictions on a converter's processes, applied before they run its program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::convert) struct Confinement {
    /// The account they run as; `None` is the host's own.
    pub(super) account: Option<Account>,
    /// The files they may touch; `None` allows everything that their account may touch.
    pub(super) access: Option<Access>,
    /// The system calls that they are refused.
    pub(super) calls: Calls,
    /// Maximum bytes of memory and of a file. The launcher sets them, because the host could not
    /// limit a process of another account.
    pub(super) limits: Option<(u64, u64)>,
}

impl Confinement {
    /// Returns the restrictions of `converter` while it reads from `input` and writes to `home`.
    /// `None` without any.
    ///
    /// # Errors
    /// The configured account no longer exists.
    pub(in crate::convert) fn of(
        converter: &Converter,
        input: &Path,
        home: &Path,
    ) -> io::Result<Option<Self>> {
        let bounds = &converter.bounds;
        let access = match bounds.sandbox.enforcement() {
            Enforcement::Not(_) => None,
            Enforcement::Enforced(_) | Enforcement::Partly(_) => Access::of(converter, input, home),
        };
        let account = bounds.run_as.as_ref().map(Account::find).transpose();
        let confinement = Self {
            account: account.map_err(io::Error::other)?,
            calls: match (&access, bounds.network) {
                (_, Network::None) => Calls::SandboxAndNetwork,
                (Some(_), Network::Allowed) => Calls::Sandbox,
                (None, Network::Allowed) => Calls::Terminal,
            },
            access,
            limits: None,
        };
        if confinement == Self::default() {
            return Ok(None);
        }
        Ok(Some(Self {
            limits: Some((bounds.memory, bounds.file_size)),
            ..confinement
        }))
    }

    /// Returns a command that applies the restrictions and then becomes `program`.
    ///
    /// Without a program, the command ends with the launcher's own arguments.
    pub(in crate::convert) fn launcher(&self, program: Option<&Path>) -> Option<Command> {
        let mut command = Command::new(launcher()?);
        command.arg(LAUNCH).arg("calls").arg(self.calls.word());
        if let Some((memory, file_size)) = self.limits {
            command.arg("limits").arg(format!("{memory}:{file_size}"));
        }
        #[cfg(target_os = "linux")]
        if let Some(account) = self.account {
            command.arg("account").arg(account.to_string());
        }
        if let Some(access) = &self.access {
            for (word, paths) in [
                ("read", &access.read),
                ("list", &access.list),
                ("write", &access.write),
            ] {
                for path in paths {
                    command.arg(word).arg(path);
                }
            }
        }
        if let Some(program) = program {
            command.arg("--").arg(program);
        }
        Some(command)
    }

    /// Sets a value that [`Confinement::launcher`] wrote. Returns `None` for any other text.
    pub(super) fn set(&mut self, what: &str, value: &str) -> Option<()> {
        if what == "calls" {
            self.calls = Calls::ALL.into_iter().find(|calls| calls.word() == value)?;
            return Some(());
        }
        if what == "limits" {
            let (memory, file_size) = value.split_once(':')?;
            self.limits = Some((memory.parse().ok()?, file_size.parse().ok()?));
            return Some(());
        }
        #[cfg(target_os = "linux")]
        {
            self.account = Some(Account::from_numbers(value)?);
            Some(())
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}
