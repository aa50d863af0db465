//! Runs a job: shows its progress, asks at the pauses of a ramp, and collects its findings.

use crossbeam_channel::{Sender, bounded};

use crate::ErrorKind;
use crate::archive::Archive;
use crate::cli::render::{count, counted, escape};
use crate::cli::run::{Context, Failure, work_in_background};
use crate::convert::{
    Converter, EnvironmentCheck, Ramp, Reprocess, ReprocessResult, Selection, Step, StepOutcome,
    Verdict, reprocess_by_ramp,
};
use crate::service::reprocess::Findings;

/// Numbers of entries after which a ramp asks whether to go on.
const PAUSES: [usize; 2] = [1, 10];

/// Messages of a job while it runs.
enum News {
    Step(Step),
    /// Asks whether the job should go on.
    Pause(ReprocessResult, Sender<bool>),
}

pub(super) fn run_job(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
    ramp: bool,
    context: &mut Context<'_>,
) -> Result<(ReprocessResult, Findings), Failure> {
    let cancel = context.cancel_by_signal();
    let mut findings = Findings::default();
    let work = |tell: &Sender<News>| {
        let on_step = |step: &Step| {
            // Sending fails only when the job is being cancelled.
            let _ = tell.send(News::Step(step.clone()));
        };
        let mut ask = |so_far: &ReprocessResult| {
            let (answer, answered) = bounded(1);
            tell.send(News::Pause(so_far.clone(), answer)).is_ok()
                && answered.recv().unwrap_or(false)
        };
        let ramp = Ramp {
            pauses: if ramp { &PAUSES } else { &[] },
            go_on: &mut ask,
        };
        reprocess_by_ramp(
            archive, selection, converters, options, &cancel, &on_step, ramp,
        )
    };
    let result = work_in_background(&cancel, work, |news| {
        match news {
            News::Step(step) => {
                findings.add(&step);
                context.meter.report(step.done, step.total, "converting");
                if context.globals.verbose && !context.json() {
                    let line = step_line(&step);
                    context.print(line)?;
                }
            }
            News::Pause(so_far, answer) => {
                let _ = answer.send(shall_go_on(&so_far, context)?);
            }
        }
        Ok(())
    })??;
    Ok((result, findings))
}

/// Asks whether the job should go on, after a summary of what was done.
///
/// Answering no is not an error: the finished steps are recorded.
fn shall_go_on(so_far: &ReprocessResult, context: &mut Context<'_>) -> Result<bool, Failure> {
    context.meter.clear();
    context.flush()?;
    let question = format!(
        "{} of {} done: {} unchanged, {} changed, {} fixed, {} broken, {} failed; go on?",
        count(so_far.processed + so_far.skipped),
        counted(so_far.total, "entry", "entries"),
        count(so_far.unchanged),
        count(so_far.changed),
        count(so_far.fixed),
        count(so_far.broken),
        count(so_far.failed)
    );
    match context.confirm(&question) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Refused => {
            let done = counted(so_far.processed + so_far.skipped, "entry", "entries");
            let kept = match so_far.job {
                Some(job) => format!("what was done is recorded as job {job}"),
                None => "nothing was recorded".to_owned(),
            };
            context.warn(format_args!(
                "stopped after {done}, because nobody said yes (--yes goes on without asking); \
                 {kept}"
            ));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Describes a step in one line: `31  changed  success, attempt 2`.
fn step_line(step: &Step) -> String {
    let words = match &step.outcome {
        StepOutcome::Ran {
            result,
            attempt,
            error,
            environment,
            ..
        } => {
            let verdict = result.verdict.map_or("first", Verdict::name);
            let attempt = attempt.map(|attempt| format!(", attempt {attempt}"));
            let error = error.as_deref().map(|error| format!(": {}", escape(error)));
            let suspicious = &result.suspicious;
            let suspicious = (!suspicious.is_empty())
                .then(|| format!("; suspicious: {}", escape(&suspicious.join("; "))));
            let environment = environment.as_ref().and_then(EnvironmentCheck::sentence);
            let environment = environment.map(|told| format!("; {}", escape(&told)));
            format!(
                "{verdict:<9}  {}{}{}{}{}",
                result.outcome,
                attempt.unwrap_or_default(),
                error.unwrap_or_default(),
                suspicious.unwrap_or_default(),
                environment.unwrap_or_default()
            )
        }
        StepOutcome::Skipped { reason } => format!("{:<9}  {}", "skipped", escape(reason)),
        StepOutcome::Error { reason } => format!("{:<9}  {}", "error", escape(reason)),
        StepOutcome::NotTried { reason } => format!("{:<9}  {}", "not tried", escape(reason)),
        StepOutcome::Earlier(result) => format!("{:<9}  {}", "earlier", result.outcome),
    };
    format!("{:>8}  {words}\n", step.entry)
}
