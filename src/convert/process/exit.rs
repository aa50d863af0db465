//! Describes in words how a process ended.

use std::process::ExitStatus;

use crate::convert::protocol::EXCERPT_BYTES_MAX;

/// Describes how a process exited; `None` is success.
pub(in crate::convert) fn exit_reason(status: Option<ExitStatus>) -> Option<String> {
    let Some(status) = status else {
        return Some("ended in an unknown way".to_owned());
    };
    if status.success() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let why = if signal == rustix::process::Signal::XFSZ.as_raw() {
                ", because it wrote a longer file than it may"
            } else {
                ""
            };
            return Some(format!("was killed by signal {signal}{why}"));
        }
    }
    Some(match status.code() {
        Some(code) => format!("exited with code {code}"),
        None => "ended in an unknown way".to_owned(),
    })
}

/// Returns `reason` followed by the end of what the program wrote to standard error.
pub(in crate::convert) fn with_stderr(reason: &str, stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() {
        return reason.to_owned();
    }
    let mut start = text.len().saturating_sub(EXCERPT_BYTES_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let dots = if start > 0 { "[...] " } else { "" };
    format!("{reason}: {dots}{}", &text[start..])
}
