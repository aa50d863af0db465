//! The `annals` program.

use annals::convert::{adopt_orphans, be_launcher};

fn main() -> std::process::ExitCode {
    be_launcher().unwrap_or_else(|| {
        // Where the system does not support this, processes that a converter leaves behind keep
        // running.
        let _ = adopt_orphans();
        annals::cli::main()
    })
}
