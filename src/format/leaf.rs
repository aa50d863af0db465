//! An event as bytes: one line of UTF-8 JSON, a valid CloudEvents 1.0 object.
//!
//! The line is written once and never changes: these exact bytes are hashed, copied and shown to an
//! auditor. The members have this order:
//!
//! | member | value |
//! |---|---|
//! | `specversion` | `"1.0"` |
//! | `id` | the sequence number in decimal; unique together with `source` |
//! | `source` | `urn:annals:<store id>` |
//! | `type` | `annals.<what>.v<n>` |
//! | `subject` | the entry it speaks of, where it speaks of one |
//! | `time` | RFC 3339 with microseconds and the wall clock's offset |
//! | `sequence` | the sequence number as 20 digits, so that text order is log order |
//! | `authtype`, `authid` | who caused it |
//! | `bootid`, `monotonicms` | the other clock |
//! | `data` | the fact, an object |

use std::borrow::Cow;
use std::io::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Actor, ActorKind, Body, ClockReading, Event};
use crate::format::disclosure;
use crate::id::{EntryId, EventSeq, StoreId};
use crate::time::Timestamp;

/// The longest leaf, in bytes. Transparency-log tiles give an entry's length 16 bits.
pub(crate) const LEAF_BYTES_MAX: usize = 65_535;

/// Room for a usual leaf, so that writing one seldom grows its buffer.
const USUAL_BYTES: usize = 1 << 10;

/// Why bytes are not a leaf.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeafError {
    #[error("the event would take {0} bytes; at most {LEAF_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("not a JSON event: {0}")]
    Json(#[from] serde_json::Error),
    #[error("member '{0}' is not what an event of this store has there")]
    Member(&'static str),
    #[error("a value in the event would not read back as it was given ({kind}{why})")]
    Unfaithful { kind: String, why: String },
}

/// Encodes `event` of `store` as one line, without the newline.
///
/// The line is decoded again before it is returned. A line that a reader would refuse or misread is
/// an error here and never becomes part of a log.
pub(crate) fn encode(store: &StoreId, event: &Event) -> Result<String, LeafError> {
    let mut line = Vec::with_capacity(USUAL_BYTES);
    let seq = event.seq;
    // Writing to a vector cannot fail.
    let _ = write!(
        line,
        r#"{{"specversion":"1.0","id":"{seq}","source":"urn:annals:{store}","type":"#,
    );
    serde_json::to_writer(&mut line, event.body.kind())?;
    if let Some(subject) = subject(event) {
        let _ = write!(line, r#","subject":"{subject}""#);
    }
    let _ = write!(
        line,
        r#","time":"{}","sequence":"{:020}","authtype":"{}","authid":"#,
        event.time,
        seq.0,
        match event.actor.kind {
            ActorKind::User => "user",
            ActorKind::ServiceAccount => "service_account",
            ActorKind::System => "system",
        },
    );
    serde_json::to_writer(&mut line, &event.actor.id)?;
    line.extend_from_slice(br#","bootid":"#);
    serde_json::to_writer(&mut line, &event.clock.boot)?;
    let _ = write!(line, r#","monotonicms":"{}","data":"#, event.clock.mono_ms);
    event.body.write_data(&mut line)?;
    if !matches!(event.body, Body::Unknown(_)) {
        disclosure::write_sealed(&mut line, &event.sealed)?;
    }
    line.push(b'}');
    let line = String::from_utf8(line).expect("JSON is written as UTF-8");
    if line.len() > LEAF_BYTES_MAX {
        return Err(LeafError::TooLong(line.len()));
    }
    let unfaithful = |why| LeafError::Unfaithful {
        kind: event.body.kind().to_owned(),
        why,
    };
    match decode(&line) {
        Ok(read) if read == *event => Ok(line),
        Ok(_) => Err(unfaithful(String::new())),
        Err(error) => Err(unfaithful(format!(": {error}"))),
    }
}

/// Returns the entry that a line is about, without parsing all of it. The words may stand in a
/// value of an event that this version does not know, so the caller parses the line of a match.
pub(crate) fn subject_in(line: &[u8]) -> Option<EntryId> {
    const NAME: &[u8] = b"\"subject\":\"";
    /// It stands before the time, after a few short members.
    const WITHIN: usize = 512;
    let head = &line[..line.len().min(WITHIN)];
    let at = head.windows(NAME.len()).position(|part| part == NAME)?;
    let rest = &head[at + NAME.len()..];
    let digits = &rest[..rest.iter().position(|byte| *byte == b'"')?];
    str::from_utf8(digits).ok()?.parse().ok()
}

fn subject(event: &Event) -> Option<u64> {
    match &event.body {
        Body::Archived(_) => Some(event.seq.0),
        Body::Converted(fact) => Some(fact.entry.0),
        Body::Reported(fact) => Some(fact.entry.0),
        Body::SubmitIntended(fact) => Some(fact.entry.0),
        Body::SubmitRejected(fact) => Some(fact.entry.0),
        Body::SourceCleared(fact) => Some(fact.entry.0),
        Body::Annotated(fact) => Some(fact.entry.0),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    time: Timestamp,
    authtype: ActorKind,
    authid: String,
    bootid: String,
    #[serde(borrow)]
    monotonicms: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Decodes a line that [`encode`] of this version or a later one has written.
pub(crate) fn decode(line: &str) -> Result<Event, LeafError> {
    match decode_as_written(line) {
        Some(event) => Ok(event),
        None => decode_any(line),
    }
}

/// Decodes a line in the form that [`encode`] gives it: twice as fast as [`decode_any`], which
/// gives the same event. `None` for every other line, among them those that are no event.
fn decode_as_written(line: &str) -> Option<Event> {
    let mut rest = Rest(line);
    rest.skip(r#"{"specversion":"1.0","id":""#)?;
    let seq = rest.text(r#"","source":""#)?.parse().ok()?;
    rest.text(r#"","type":""#)?;
    let kind = rest.text(r#"",""#)?;
    if rest.skip(r#"subject":""#).is_some() {
        rest.text(r#"",""#)?;
    }
    rest.skip(r#"time":""#)?;
    let time = rest.text(r#"","sequence":""#)?.parse().ok()?;
    rest.text(r#"","authtype":""#)?;
    let actor = match rest.text(r#"","authid":""#)? {
        "user" => ActorKind::User,
        "service_account" => ActorKind::ServiceAccount,
        "system" => ActorKind::System,
        _ => return None,
    };
    let id = rest.text(r#"","bootid":""#)?.to_owned();
    let boot = rest.text(r#"","monotonicms":""#)?.to_owned();
    let mono_ms = rest.text(r#"","data":"#)?.parse().ok()?;
    let data = rest.0.strip_suffix('}')?;
    let body = Body::from_json(kind, data).ok()?;
    // What is kept verbatim was not looked at: it may be no JSON.
    if matches!(body, Body::Unknown(_)) {
        return None;
    }
    Some(Event {
        seq,
        time,
        actor: Actor { kind: actor, id },
        clock: ClockReading { boot, mono_ms },
        body,
        sealed: disclosure::read_sealed(data)?,
    })
}

/// What of a line was not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Returns the text up to `end`, which begins with the text's closing quote. `None` for a text
    /// that JSON does not write as it is.
    fn text(&mut self, end: &str) -> Option<&'a str> {
        let is_special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let (text, rest) = self.0.split_at(self.0.bytes().position(is_special)?);
        self.0 = rest.strip_prefix(end)?;
        Some(text)
    }
}

/// Decodes a line whose members come in any order.
fn decode_any(line: &str) -> Result<Event, LeafError> {
    let envelope: Envelope<'_> = serde_json::from_str(line)?;
    if envelope.specversion != "1.0" {
        return Err(LeafError::Member("specversion"));
    }
    let seq: EventSeq = envelope.id.parse().map_err(|_| LeafError::Member("id"))?;
    let mono_ms = envelope
        .monotonicms
        .parse()
        .map_err(|_| LeafError::Member("monotonicms"))?;
    Ok(Event {
        seq,
        time: envelope.time,
        actor: Actor {
            kind: envelope.authtype,
            id: envelope.authid,
        },
        clock: ClockReading {
            boot: envelope.bootid,
            mono_ms,
        },
        body: Body::from_json(&envelope.kind, envelope.data.get())?,
        sealed: disclosure::read_sealed(envelope.data.get()).ok_or(LeafError::Member("_sd"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Reported, StoreCreated, SubmitIntended, SubmitRejected};
    use crate::id::{AttemptNo, EntryId};

    fn store() -> StoreId {
        StoreId::from_bytes([0xab; 16])
    }

    fn event(body: Body) -> Event {
        Event {
            seq: EventSeq(7),
            time: "2026-03-01T08:30:00.000001+01:00".parse().expect("valid"),
            actor: Actor {
                kind: ActorKind::User,
                id: "kari \"k\"\n".into(),
            },
            clock: ClockReading {
                boot: "b1".into(),
                mono_ms: 12,
            },
            body,
            sealed: Vec::new(),
        }
    }

    #[test]
    fn the_bytes_of_a_leaf_are_pinned() {
        let line = encode(
            &store(),
            &event(Body::Reported(Reported {
                entry: EntryId(3),
                attempt: AttemptNo(1),
                report: 0,
                report_id: "R-1".into(),
                endpoint: None,
                key: None,
            })),
        )
        .expect("encodes");
        assert_eq!(
            line,
            concat!(
                r#"{"specversion":"1.0","id":"7","source":"urn:annals:abababababababababababababababab","#,
                r#""type":"annals.reported.v1","subject":"3","time":"2026-03-01T08:30:00.000001+01:00","#,
                r#""sequence":"00000000000000000007","authtype":"user","authid":"kari \"k\"\n","bootid":"b1","#,
                r#""monotonicms":"12","data":{"entry":3,"attempt":1,"report":0,"report_id":"R-1"}}"#
            )
        );
    }

    #[test]
    fn the_bytes_of_a_submission_are_pinned() {
        let (entry, attempt, report) = (EntryId(3), AttemptNo(1), 0);
        let (key, endpoint) = ("5f".to_owned(), "http://x/api".to_owned());
        let intended = SubmitIntended {
            entry,
            attempt,
            report,
            key: key.clone(),
            endpoint: endpoint.clone(),
            corrects: None,
        };
        let rejected = SubmitRejected {
            entry,
            attempt,
            report,
            key: key.clone(),
            endpoint: endpoint.clone(),
            status: 400,
            text: "pn is \"missing\"".into(),
        };
        let reported = Reported {
            entry,
            attempt,
            report,
            report_id: "R-1".into(),
            endpoint: Some(endpoint),
            key: Some(key),
        };
        for (body, kind, more) in [
            (
                Body::SubmitIntended(intended),
                "submit.intended",
                r#""key":"5f","endpoint":"http://x/api""#,
            ),
            (
                Body::SubmitRejected(rejected),
                "submit.rejected",
                r#""key":"5f","endpoint":"http://x/api","status":400,"text":"pn is \"missing\"""#,
            ),
            (
                Body::Reported(reported),
                "reported",
                r#""report_id":"R-1","endpoint":"http://x/api","key":"5f""#,
            ),
        ] {
            let event = event(body);
            let line = encode(&store(), &event).expect("encodes");
            let (head, data) = line.split_once(r#""data":"#).expect("has data");
            assert!(
                head.contains(&format!(r#""type":"annals.{kind}.v1","subject":"3","#)),
                "{head}"
            );
            assert_eq!(
                data,
                format!(r#"{{"entry":3,"attempt":1,"report":0,{more}}}}}"#)
            );
            assert_eq!(decode(&line).expect("decodes"), event);
        }
    }

    /// A line in the written form is decoded on a faster way. Where the two ways differed, what a
    /// log says would depend on who wrote its lines.
    #[test]
    fn both_ways_to_decode_a_line_agree() {
        let lines = [
            Body::StoreCreated(StoreCreated {
                store: store(),
                format: 1,
                program: "0.1.0".into(),
            }),
            Body::Reported(Reported {
                entry: EntryId(3),
                attempt: AttemptNo(1),
                report: 0,
                report_id: "R \"1\"\n\u{e4}".into(),
                endpoint: None,
                key: None,
            }),
        ]
        .map(|body| {
            let mut event = event(body);
            event.actor.id = "kari".into();
            encode(&store(), &event).expect("encodes")
        });
        for line in &lines {
            let fast = decode_as_written(line).expect("as it is written");
            assert_eq!(decode_any(line).expect("decodes"), fast);
        }
        // Each change of a byte is refused by both ways, or means the same to both, or is left to
        // the slower one.
        let mut still_fast = 0;
        for line in &lines {
            for at in 0..line.len() {
                for other in ["", "\"", "\\", "}", ",", "\n", "7", " ", "{}"] {
                    if !line.is_char_boundary(at) || !line.is_char_boundary(at + 1) {
                        continue;
                    }
                    let changed = [&line[..at], other, &line[at + 1..]].concat();
                    let Some(fast) = decode_as_written(&changed) else {
                        continue;
                    };
                    let slow = decode_any(&changed).expect("the fast way took it");
                    assert_eq!(slow, fast, "{changed}");
                    still_fast += 1;
                }
            }
        }
        assert!(still_fast > 100, "{still_fast}");
    }

    #[test]
    fn an_event_survives_being_written_and_read() {
        let created = event(Body::StoreCreated(StoreCreated {
            store: store(),
            format: 1,
            program: "0.1.0".into(),
        }));
        let line = encode(&store(), &created).expect("encodes");
        assert_eq!(decode(&line).expect("decodes"), created);
    }

    #[test]
    fn an_event_of_a_later_version_is_kept_verbatim() {
        for kind in ["annals.teleported.v9", r#"annals.said "hello" \o/.v1"#] {
            kept_verbatim(kind);
        }
    }

    fn kept_verbatim(kind: &str) {
        let quoted = serde_json::to_string(kind).expect("text");
        let line = encode(
            &store(),
            &event(Body::StoreCreated(StoreCreated {
                store: store(),
                format: 1,
                program: String::new(),
            })),
        )
        .expect("encodes")
        .replace(r#""annals.store.created.v1""#, &quoted);
        let read = decode(&line).expect("decodes");
        assert_eq!(read.body.kind(), kind);
        assert_eq!(encode(&store(), &read).expect("encodes"), line);
    }

    #[test]
    fn a_fact_too_long_for_a_leaf_is_refused() {
        let long = event(Body::Reported(Reported {
            entry: EntryId(3),
            attempt: AttemptNo(1),
            report: 0,
            report_id: "R".repeat(LEAF_BYTES_MAX),
            endpoint: None,
            key: None,
        }));
        assert!(matches!(
            encode(&store(), &long),
            Err(LeafError::TooLong(_))
        ));
    }
}
