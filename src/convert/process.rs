//! Processes that cannot outstay their welcome: own group, cleared environment, bounded time, output, memory and files.
//!
//! On Unix a converter runs in its own process group and the whole group is killed when the converter is done for,
//! whether it timed out or exited; on Linux, so is what left the group ([`orphans`]). On Windows the converter itself is
//! killed; what it started is not. A process that keeps the output open is not waited for longer than a moment.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::definition::Bounds;
use super::orphans::{self, Family};
use super::protocol::EXCERPT_BYTES_MAX;
use super::sandbox::{self, Confinement};

/// Bytes of standard output taken from one conversion.
pub(super) const STDOUT_BYTES_MAX: usize = 64 << 20;
/// Bytes kept of the end of standard error.
const STDERR_BYTES_KEPT: usize = 64 << 10;
/// How long output may still trickle in once the process is gone.
const DRAIN: Duration = Duration::from_millis(500);
/// How long a killed process may take to die.
const DEATH: Duration = Duration::from_secs(2);
/// The longest time between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The variables a converter inherits. All others are unknown to it, secrets among them.
const INHERITED: [&str; 7] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SYSTEMROOT",
    "PATHEXT",
    "COMSPEC",
];

/// Asks long work to stop. Clones ask together.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks; running converters are killed and what they were doing counts as not begun.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, but wakes soon after being cancelled. True when it was not.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
        false
    }
}

/// A program to start: everything it will know of the world.
#[derive(Debug)]
pub(super) struct Invocation<'a> {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Its current folder.
    pub(super) dir: &'a Path,
    /// A private folder for whatever it writes.
    pub(super) home: &'a Path,
    /// Variables besides the inherited ones.
    pub(super) variables: Vec<(&'static str, OsString)>,
    /// What it is held to.
    pub(super) bounds: &'a Bounds,
    /// What is closed to it; `None` is nothing that is open to the host.
    pub(super) confinement: Option<Confinement>,
}

impl Invocation<'_> {
    /// # Errors
    /// `Unsupported` for a confinement without a program that could put it in force.
    pub(super) fn command(&self) -> io::Result<Command> {
        let mut command = match &self.confinement {
            None => Command::new(&self.program),
            Some(confinement) => confinement
                .launcher(Some(&self.program))
                .ok_or(io::ErrorKind::Unsupported)?,
        };
        command
            .args(&self.arguments)
            .current_dir(self.dir)
            .env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for name in ["HOME", "TMPDIR", "TEMP", "TMP"] {
            command.env(name, self.home);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Why the program never ran, if its end says so. Without a launcher, starting it tells.
    pub(super) fn launch_error(
        &self,
        status: Option<ExitStatus>,
        stderr: &str,
    ) -> Option<io::Error> {
        self.confinement.as_ref()?;
        sandbox::launch_error(status, stderr)
    }
}

/// The program a command's first word means: a file of the converter's folder where it is written as a path or is one
/// of its `bundle`, else whatever PATH finds.
pub(super) fn program(word: &str, dir: &Path, bundle: &[String]) -> PathBuf {
    let is_path = word.contains('/') || (cfg!(windows) && word.contains('\\'));
    if is_path || bundle.iter().any(|name| name == word) {
        dir.join(word)
    } else {
        PathBuf::from(word)
    }
}

/// A running process and, on Unix, its group.
pub(super) struct Process {
    child: Child,
    gone: bool,
}

impl Process {
    /// Starts a process by the command of its invocation.
    pub(super) fn start(invocation: &Invocation<'_>, mut command: Command) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let process = Self {
            child: orphans::start(&mut command, invocation.home)?,
            gone: false,
        };
        if invocation.confinement.is_none() {
            sandbox::limit(&process.child, invocation.bounds)?;
        }
        Ok(process)
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// True once the process has exited. It stays a zombie, so that its number still names its group.
    #[cfg(unix)]
    pub(super) fn has_exited(&mut self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let id = WaitId::Pid(Pid::from_child(&self.child));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(id, options) {
            Ok(status) => status.is_some(),
            // No such child: somebody else waited for it.
            Err(error) => error == rustix::io::Errno::CHILD,
        }
    }

    #[cfg(not(unix))]
    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills what is left of it and says how it exited; `None` when it would not die, or nobody knows.
    pub(super) fn end(&mut self) -> Option<ExitStatus> {
        let family = Family::below(self.child.id());
        self.kill();
        family.kill();
        let until = Instant::now() + DEATH;
        while !self.has_exited() {
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.gone = true;
        let status = self.child.wait().ok();
        orphans::forget(self.child.id());
        status
    }

    #[cfg(unix)]
    fn kill(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // Fails only when nothing of the group is left, or when it has become another user's.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        // Fails only when the process has exited.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.gone {
            self.end();
        }
    }
}

/// What to keep of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keep {
    /// Everything, up to so many bytes; more is an offence.
    All(usize),
    /// The last so many bytes.
    Tail(usize),
}

/// What has been read of a stream so far.
#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    closed: bool,
    too_much: bool,
    abandoned: bool,
}

/// A stream being read by a thread of its own.
#[derive(Debug, Clone)]
pub(super) struct Capture(Arc<Mutex<Captured>>);

impl Capture {
    /// Reads `stream` to its end. `wake` is sent to when something happened that a waiting thread should know.
    pub(super) fn start(
        mut stream: impl Read + Send + 'static,
        keep: Keep,
        wake: Sender<()>,
    ) -> io::Result<Self> {
        let capture = Self(Arc::default());
        let shared = capture.clone();
        std::thread::Builder::new()
            .name("annals-converter-output".to_owned())
            .spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let read = match stream.read(&mut buffer) {
                        Ok(read) => read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(_) => 0,
                    };
                    let mut captured = shared.lock();
                    if captured.abandoned {
                        return;
                    }
                    captured.take(&buffer[..read], keep);
                    if captured.closed || captured.too_much {
                        // A full channel means the waiting thread is about to look anyway.
                        let _ = wake.try_send(());
                        return;
                    }
                }
            })?;
        Ok(capture)
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        let captured = self.lock();
        captured.closed || captured.too_much
    }

    fn has_too_much(&self) -> bool {
        self.lock().too_much
    }

    /// Takes what there is and lets the reading thread go as soon as it can.
    fn finish(&self) -> Vec<u8> {
        let mut captured = self.lock();
        captured.abandoned = true;
        std::mem::take(&mut captured.bytes)
    }

    /// Forgets what was read so far.
    pub(super) fn clear(&self) {
        self.lock().bytes.clear();
    }

    /// The end of what was read, as text.
    pub(super) fn tail_text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }
}

impl Captured {
    fn take(&mut self, read: &[u8], keep: Keep) {
        if read.is_empty() {
            self.closed = true;
        }
        match keep {
            Keep::All(limit) if self.bytes.len() + read.len() > limit => self.too_much = true,
            Keep::All(_) => self.bytes.extend_from_slice(read),
            Keep::Tail(limit) => {
                self.bytes.extend_from_slice(read);
                if self.bytes.len() > 2 * limit {
                    self.bytes.drain(..self.bytes.len() - limit);
                }
            }
        }
    }
}

/// Keeps the end of standard error of a process that was started with a pipe for it.
pub(super) fn capture_stderr(process: &mut Process, wake: Sender<()>) -> io::Result<Capture> {
    let stream = process.child().stderr.take();
    let stream = stream.ok_or_else(|| io::Error::other("standard error is not piped"))?;
    Capture::start(stream, Keep::Tail(STDERR_BYTES_KEPT), wake)
}

/// How a process came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(Option<ExitStatus>),
    TimedOut,
    TooMuchOutput,
    Cancelled,
}

/// A process's end and what it wrote.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) end: End,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

/// Runs a program to its end, or to the end of its time, `stdout_max` or patience.
///
/// Returns within about its time plus 3 seconds whatever the program does.
pub(super) fn run(
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

/// Waits for the process to exit; says why when it has to be killed instead.
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
            // Closing its output is the last thing a process does: look again at once.
            Ok(()) => shortest,
            Err(RecvTimeoutError::Timeout) => (pause * 2).min(LOOK_EVERY),
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(pause.min(left));
                (pause * 2).min(LOOK_EVERY)
            }
        };
    }
}

/// Lets readers catch up with a process that is gone. One that left the group may hold the pipe: not for long.
fn drain(captures: &[&Capture], woken: &Receiver<()>) {
    let until = Instant::now() + DRAIN;
    while !captures.iter().all(|capture| capture.is_closed()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || woken.recv_timeout(left).is_err() {
            return;
        }
    }
}

/// How a process exited, in words; `None` is success.
pub(super) fn exit_reason(status: Option<ExitStatus>) -> Option<String> {
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

/// `reason`, and the last of what the program wrote to standard error.
pub(super) fn with_stderr(reason: &str, stderr: &str) -> String {
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

/// The converter's argument list, with `{input}` replaced.
pub(super) fn fill_in(words: &[String], input: &OsStr) -> Vec<OsString> {
    words
        .iter()
        .map(|word| {
            let mut filled = OsString::new();
            for (index, part) in word.split("{input}").enumerate() {
                if index > 0 {
                    filled.push(input);
                }
                filled.push(part);
            }
            filled
        })
        .collect()
}

#[cfg(all(test, unix))]
mod tests {
    //! A two-second timeout once took five minutes, because a grandchild held the pipe; and a converter in an endless
    //! loop filled the host's memory.

    use super::*;

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
        // The limit is set once the process is there.
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
