//! The `annals` program.

fn main() -> std::process::ExitCode {
    annals::convert::be_launcher().unwrap_or_else(annals::cli::main)
}
