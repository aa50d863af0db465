//! Runs a program until it exits or its time is up.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::cancel::Cancel;
use super::capture::{Capture, Keep, capture_stderr};
use super::child::Process;
use super::command::Invocation;

/// Maximum bytes of standard output of one conversion.
pub(in crate::convert) const STDOUT_BYTES_MAX: usize = 64 << 20;
/// How long to wait for remaining output after the process has exited.
const DRAIN: Duration = Duration::from_millis(500);
/// The longest time between two checks of a process.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How a process came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::convert) enum End {
    Exited(Option<ExitStatus>),
    TimedOut,
    TooMuchOutput,
    Cancelled,
}

/// How a process ended and what it wrote.
#[derive(Debug)]
pub(in crate::convert) struct Finished {
    pub(in crate::convert) end: End,
    pub(in crate::convert) stdout: Vec<u8>,
    pub(in crate::convert) stderr: String,
    pub(in crate::convert) took: Duration,
}

/// Runs a program until it exits, times out, writes more than `stdout_max` bytes, or is cancelled.
///
/// Returns at most about 3 seconds after the timeout, whatever the program does.
pub(in crate::convert) fn run(
    invocation: &Invocation<'_>,
    stdout_max: usize,
    cancel: &Cancel,
) -> io::Result<Finished> {
    let started = Instant::now();
    let mut command = invocation.command()?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::start(invocation, command)?;
    let (wake, woken) = crossbeam_channel::bounded(4);
    let stream = process.child().stdout.take();
    let stream = stream.ok_or_else(|| io::Error::other("standard output is not piped"))?;
    let stdout = Capture::start(stream, Keep::All(stdout_max), wake.clone())?;
    let stderr = capture_stderr(&mut process, wake)?;

    let deadline = started + invocation.bounds.timeout;
    let cut_short = wait(&mut process, &stdout, deadline, &woken, cancel);
    let status = process.end();
    let took = started.elapsed();
    drain(&[&stdout, &stderr], &woken);
    let end = match cut_short {
        Some(end) => end,
        None if stdout.has_too_much() => End::TooMuchOutput,
        None => End::Exited(status),
    };
    let stderr = String::from_utf8_lossy(&stderr.finish()).into_owned();
    if let Some(error) = invocation.launch_error(status, &stderr) {
        return Err(error);
    }
    Ok(Finished {
        end,
        stdout: stdout.finish(),
        stderr,
        took,
    })
}

/// Waits for the process to exit, or returns why it has to be killed.
fn wait(
    process: &mut Process,
    stdout: &Capture,
    deadline: Instant,
    woken: &Receiver<()>,
    cancel: &Cancel,
) -> Option<End> {
    let shortest = Duration::from_millis(1);
    let mut pause = shortest;
    loop {
        if process.has_exited() {
            return None;
        }
        if cancel.is_cancelled() {
            return Some(End::Cancelled);
        }
        if stdout.has_too_much() {
            return Some(End::TooMuchOutput);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(End::TimedOut);
        }
        pause = match woken.recv_timeout(pause.min(left)) {
            // A process closes its output just before it exits, so check again at once.
            Ok(()) => shortest,
            Err(RecvTimeoutError::Timeout) => (pause * 2).min(LOOK_EVERY),
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(pause.min(left));
                (pause * 2).min(LOOK_EVERY)
            }
        };
    }
}

/// Waits briefly for the rest of the output of a process that has ended.
///
/// The wait is bounded, because another process may keep the pipe open.
fn drain(captures: &[&Capture], woken: &Receiver<()>) {
    let until = Instant::now() + DRAIN;
    while !captures.iter().all(|capture| capture.is_closed()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || woken.recv_timeout(left).is_err() {
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    //! Checks the limits: a descendant that keeps the pipe open must not prolong a timeout, and an
    //! endless loop must not use up the host's memory.

    use std::ffi::OsStr;

    use super::*;
    use crate::convert::Bounds;
    use crate::convert::process::capture::STDERR_BYTES_KEPT;
    use crate::convert::process::command::INHERITED;
    use crate::convert::process::{exit_reason, fill_in, with_stderr};
    use crate::convert::protocol::EXCERPT_BYTES_MAX;

    fn shell(script: &str, timeout: Duration, stdout_max: usize) -> (Finished, Duration) {
        let bounds = Bounds {
            timeout,
            ..Bounds::default()
        };
        shell_within(script, &bounds, stdout_max)
    }

    fn shell_within(script: &str, bounds: &Bounds, stdout_max: usize) -> (Finished, Duration) {
        let home = tempfile::tempdir().expect("folder");
        let invocation = Invocation {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            dir: home.path(),
            home: home.path(),
            variables: vec![("ANNALS_NAME", "x".into())],
            bounds,
            confinement: None,
        };
        let started = Instant::now();
        let finished = run(&invocation, stdout_max, &Cancel::default()).expect("sh starts");
        (finished, started.elapsed())
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn what_a_program_wrote_and_how_it_exited_are_told() {
        let (finished, _) = shell("echo out; echo err >&2; exit 3", LONG, 100);
        assert_eq!(finished.stdout, b"out\n");
        assert_eq!(finished.stderr, "err\n");
        let End::Exited(status) = finished.end else {
            panic!("{:?}", finished.end)
        };
        assert_eq!(exit_reason(status).as_deref(), Some("exited with code 3"));
    }

    #[test]
    fn a_timeout_is_kept_when_a_grandchild_holds_the_pipe() {
        let (finished, took) = shell("sleep 60 & sleep 60", Duration::from_millis(200), 100);
        assert_eq!(finished.end, End::TimedOut);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }

    #[test]
    fn a_grandchild_that_left_the_group_is_not_waited_for() {
        let script = "setsid sleep 5 & echo done";
        let (finished, took) = shell(script, LONG, 100);
        assert!(matches!(finished.end, End::Exited(_)));
        assert_eq!(finished.stdout, b"done\n");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }

    #[test]
    fn a_grandchild_in_the_group_dies_with_the_converter() {
        let dir = tempfile::tempdir().expect("folder");
        let mark = dir.path().join("still-alive");
        let script = format!("(sleep 1; touch {}) & exit 0", mark.display());
        shell(&script, LONG, 100);
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!mark.exists());
    }

    #[test]
    fn a_flood_of_output_is_stopped_at_the_limit() {
        let (finished, took) = shell("yes", LONG, 1 << 20);
        assert_eq!(finished.end, End::TooMuchOutput);
        assert!(finished.stdout.len() <= 1 << 20);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn only_the_end_of_a_flood_of_complaints_is_kept() {
        let (finished, _) = shell(
            "yes complaint | head -c 1000000 >&2; echo last >&2",
            LONG,
            9,
        );
        assert!(finished.stderr.ends_with("last\n"));
        assert!(finished.stderr.len() <= 2 * STDERR_BYTES_KEPT);
        let error = with_stderr("exited with code 1", &finished.stderr);
        assert!(error.ends_with("last") && error.len() < EXCERPT_BYTES_MAX + 100);
    }

    #[test]
    fn a_signal_is_told_by_its_number() {
        let (finished, _) = shell("kill -9 $$", LONG, 100);
        let End::Exited(status) = finished.end else {
            panic!("{:?}", finished.end)
        };
        assert_eq!(
            exit_reason(status).as_deref(),
            Some("was killed by signal 9")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_grows_past_its_limit_ends_the_converter_with_that_reason() {
        let bounds = Bounds {
            file_size: 1 << 20,
            ..Bounds::default()
        };
        // The limit is set after the process has started, so the script waits for it.
        let script = "until [ \"$(ulimit -f)\" != unlimited ]; do :; done\n\
            head -c 1000000 /dev/zero > $HOME/a && echo fits; exec head -c 2000000 /dev/zero > $HOME/b";
        let (finished, _) = shell_within(script, &bounds, 100);
        assert_eq!(finished.stdout, b"fits\n");
        let End::Exited(status) = finished.end else {
            panic!("{:?}", finished.end)
        };
        assert_eq!(
            exit_reason(status).as_deref(),
            Some("was killed by signal 25, because it wrote a longer file than it may")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_past_its_limit_is_refused_to_the_converter_and_what_it_starts() {
        let bounds = Bounds {
            memory: 64 << 20,
            ..Bounds::default()
        };
        // `tail` keeps a line without an end in memory.
        let script = "until [ \"$(ulimit -d)\" != unlimited ]; do :; done\n\
            head -c 500000000 /dev/zero | tail -n 1 | wc -c";
        let (finished, _) = shell_within(script, &bounds, 100);
        assert_ne!(finished.stdout.trim_ascii(), b"500000000");
        assert!(finished.stderr.contains("memory"), "{}", finished.stderr);
    }

    #[test]
    fn a_program_sees_only_the_variables_it_is_meant_to_see() {
        let (finished, _) = shell("env", LONG, 1 << 16);
        let text = String::from_utf8(finished.stdout).expect("UTF-8");
        let known = |line: &str| {
            let name = line.split('=').next().unwrap_or_default();
            INHERITED.contains(&name)
                || [
                    "HOME",
                    "TMPDIR",
                    "TEMP",
                    "TMP",
                    "ANNALS_NAME",
                    "PWD",
                    "_",
                    "SHLVL",
                    "OLDPWD",
                ]
                .contains(&name)
        };
        let strangers: Vec<&str> = text.lines().filter(|line| !known(line)).collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }

    #[test]
    fn a_cancelled_run_ends_at_once() {
        let cancel = Cancel::default();
        cancel.cancel();
        let home = tempfile::tempdir().expect("folder");
        let invocation = Invocation {
            program: "sleep".into(),
            arguments: vec!["60".into()],
            dir: home.path(),
            home: home.path(),
            variables: Vec::new(),
            bounds: &Bounds::default(),
            confinement: None,
        };
        let finished = run(&invocation, 100, &cancel).expect("sleep starts");
        assert_eq!(finished.end, End::Cancelled);
    }

    #[test]
    fn the_placeholder_is_replaced_wherever_it_stands() {
        let words = [
            "--in={input}".to_owned(),
            "{input}".to_owned(),
            "-x".to_owned(),
        ];
        assert_eq!(
            fill_in(&words, OsStr::new("/a b")),
            ["--in=/a b", "/a b", "-x"]
        );
    }
}
