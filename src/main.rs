//! The `annals` program.

use annals::convert::{adopt_orphans, be_launcher};

fn main() -> std::process::ExitCode {
    be_launcher().unwrap_or_else(|| {
        // Where the system cannot do this, processes that outlive their converter are not stopped.
        let _ = adopt_orphans();
        annals::cli::main()
    })
}
