//! Asks the questions on a terminal, or takes the flags as their answers.

use super::answers::{Answers, Question};
use crate::cli::commands::host::arguments::Init;
use crate::cli::run::{Context, Failure};
use crate::{Error, ErrorKind};

/// Fills in the answers: from the flags first, so that a wrong one is told before any question.
pub(super) fn fill(
    answers: &mut Answers,
    args: &Init,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let given = |question| {
        match question {
            Question::Folder => &args.folder,
            Question::Pattern => &args.pattern,
            Question::Converter => &args.converter,
            Question::Reports => &args.reports,
            Question::Keep => &args.keep,
        }
        .as_deref()
    };
    let mut open = Vec::new();
    for question in Question::ALL {
        match given(question) {
            Some(answer) => answers.take(question, answer).map_err(|error| {
                let told = format!("{}: {}", question.flag(), error.message());
                Error::new(ErrorKind::Invalid, told).caused_by(error)
            })?,
            None => open.push(question),
        }
    }
    if context.globals.yes {
        return open
            .into_iter()
            .try_for_each(|question| Ok(answers.take(question, question.default())?));
    }
    if !open.is_empty() && !context.can_ask() {
        let flags: Vec<&str> = open.iter().map(|question| question.flag()).collect();
        let told = format!(
            "there is no terminal to ask on: {} missing",
            flags.join(", ")
        );
        return Err(Error::new(ErrorKind::Invalid, told)
            .hint("give these flags, or --yes for their defaults")
            .into());
    }
    for question in open {
        ask(answers, question, context)?;
    }
    Ok(())
}

/// Asks one question until its answer can be taken. An empty answer is the default.
fn ask(
    answers: &mut Answers,
    question: Question,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    loop {
        let text = format!("{} [{}] ", question.text(), question.default());
        let Some(answer) = context.ask(&text)? else {
            let told = "the questions were not answered, and nothing was written";
            return Err(Error::new(ErrorKind::Refused, told).into());
        };
        let answer = match answer.trim() {
            "" => question.default(),
            answer => answer,
        };
        match answers.take(question, answer) {
            Ok(()) => return Ok(()),
            Err(error) => context.error(&error),
        }
    }
}
