//! What the attempts of an entry ran on.

use serde::{Serialize, Serializer};

use crate::Result;
use crate::archive::Archive;
use crate::complete::Complete;
use crate::entry::{Entry, Meta};
use crate::id::AttemptNo;

/// What one attempt ran on; null where that is not recorded.
#[derive(Debug, Serialize)]
pub struct RanOn {
    /// The attempt.
    attempt: AttemptNo,
    /// Whether it is recorded.
    recorded: bool,
    /// The interpreter, packages, system and machine, by name.
    #[serde(flatten, serialize_with = "whole_environment")]
    runs_on: Meta,
}

fn whole_environment<S: Serializer>(runs_on: &Meta, to: S) -> Result<S::Ok, S::Error> {
    let fields = &["interpreter", "packages", "system", "machine"];
    Complete::new(runs_on, fields).serialize(to)
}

/// Returns what each attempt of an entry ran on.
pub fn ran_on(archive: &Archive, entry: &Entry) -> Result<Vec<RanOn>> {
    let attempts = entry.attempts.iter();
    attempts
        .map(|attempt| {
            let found = match &attempt.converter_id {
                Some(id) => archive.ran_on(id, attempt.at)?,
                None => None,
            };
            Ok(RanOn {
                attempt: attempt.attempt,
                recorded: found.is_some(),
                runs_on: found.unwrap_or_default(),
            })
        })
        .collect()
}

/// Returns a line for each environment, with the attempts that ran in it.
pub fn ran_on_lines(all: &[RanOn]) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for one in all {
        let told = words(one);
        let number = one.attempt.to_string();
        match lines.iter_mut().find(|(known, _)| *known == told) {
            Some((_, attempts)) => attempts.push(number),
            None => lines.push((told, vec![number])),
        }
    }
    let is_one = lines.len() == 1;
    let told = lines.into_iter().map(|(told, attempts)| {
        if is_one {
            told
        } else {
            format!("{told} (attempt {})", attempts.join(", "))
        }
    });
    told.map(|told| ("ran on", told)).collect()
}

fn words(one: &RanOn) -> String {
    if !one.recorded {
        return "not recorded".to_owned();
    }
    let part = |name: &str| one.runs_on.get(name).cloned();
    let packages = part("packages").map(|list| {
        if list.contains("==") {
            format!("{} packages", list.split(", ").count())
        } else {
            list
        }
    });
    let parts = [
        part("interpreter"),
        packages,
        part("system"),
        part("machine"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(attempt: u32, version: Option<&str>) -> RanOn {
        let pair = |version: &str| ("interpreter".to_owned(), version.to_owned());
        RanOn {
            attempt: AttemptNo(attempt),
            recorded: version.is_some(),
            runs_on: version.map(pair).into_iter().collect(),
        }
    }

    #[test]
    fn attempts_in_one_environment_share_a_line() {
        let told = ran_on_lines(&[one(1, Some("Python 3.11.2")), one(2, Some("Python 3.11.2"))]);
        assert_eq!(told, [("ran on", "Python 3.11.2".to_owned())]);
        let told = ran_on_lines(&[one(1, None), one(2, Some("Python 3")), one(3, None)]);
        assert_eq!(told[0].1, "not recorded (attempt 1, 3)");
        assert_eq!(told[1].1, "Python 3 (attempt 2)");
        assert!(ran_on_lines(&[]).is_empty());
    }
}
