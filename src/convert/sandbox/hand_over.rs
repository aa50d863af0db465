//! Gives folders of the host to the account that a converter runs as.

use std::io;
use std::path::Path;

use super::account::Account;
use crate::convert::converter::Bounds;

/// Gives a converter's private folder to its account: what is in `handed` for it alone, and the way
/// to it. To be called before any process of the account can know the folder.
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
        // Last: until then nobody can get at what is being handed over. It stays the host's, who
        // clears it away.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
    }
    #[cfg(not(target_os = "linux"))]
    match account {}
}

/// Lets a converter's account read a private folder of the host's, and not change it.
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
