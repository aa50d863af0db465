//! The `annals` program.

use annals::convert::{adopt_orphans, be_launcher};

fn main() -> std::process::ExitCode {
    be_launcher().unwrap_or_else(|| {
        // Where the system cannot do that, a process that leaves its converter goes on.
        let _ = adopt_orphans();
        annals::cli::main()
    })
}
