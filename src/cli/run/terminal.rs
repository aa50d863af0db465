//! The abilities of a terminal: colours and its width.

use crate::cli::arguments::ColorWhen;
use crate::cli::caller::CallerEnv;

/// Returns true when output should have colours. `is_terminal` says whether it goes to a terminal.
pub(crate) fn wants_colour(when: ColorWhen, is_terminal: bool, caller_env: &CallerEnv) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            let set = |name: &str| caller_env.variable(name);
            is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// Returns the columns of the terminal, or a common number when unknown.
pub(crate) fn terminal_width(caller_env: &CallerEnv) -> usize {
    const ASSUMED: usize = 120;
    let from_environment = caller_env
        .variable("COLUMNS")
        .and_then(|text| text.to_str()?.parse().ok());
    let window = || usize::try_from(caller_env.window?).ok();
    from_environment
        .or_else(window)
        .filter(|&columns| columns > 0)
        .unwrap_or(ASSUMED)
}
