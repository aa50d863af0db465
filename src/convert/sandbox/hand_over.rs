//! Gives folders of the host to the account that a converter runs as.

use std::io;
use std::path::Path;

use super::account::Account;
use crate::convert::converter::Bounds;

/// Gives the folders `handed` of a converter's private folder to its account alone.
///
/// The account may enter the private folder, but not own it. Must be called before any process of
/// the account can know the folder.
pub(in crate::convert) fn hand_over(
    bounds: &Bounds,
    folder: &Path,
    handed: &[&str],
) -> io::Result<()> {
    let Some(run_as) = &bounds.run_as else {
        return Ok(());
    };
    let account = Account::find(run_as).map_err(io::Error::other)?;
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in handed {
            account.hand_over(&folder.join(name))?;
        }
        // Last, because until then nobody can reach what is being handed over. The folder itself
        // stays the host's, which deletes it.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
    }
    #[cfg(not(target_os = "linux"))]
    match account {}
}

/// Lets a converter's account read a private folder of the host, but not change it.
pub(in crate::convert) fn let_read(bounds: &Bounds, folder: &Path) -> io::Result<()> {
    let Some(run_as) = &bounds.run_as else {
        return Ok(());
    };
    let account = Account::find(run_as).map_err(io::Error::other)?;
    #[cfg(target_os = "linux")]
    {
        account.let_read(folder)
    }
    #[cfg(not(target_os = "linux"))]
    match account {}
}
