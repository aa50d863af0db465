//! `annals verify-proof`: checks a proof, a certificate or an in-toto statement, without a store.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::Digest as _;

use crate::cli::arguments::parse_vkey;
use crate::cli::render::{escape, path_text};
use crate::cli::run::{Context, Exit, Failure};
use crate::complete::json_in;
use crate::event::Body;
use crate::evidence::dsse::{Envelope, IN_TOTO};
use crate::evidence::entry_proof::EntryProof;
use crate::evidence::note::VerifierKey;
use crate::export::certificate::{
    DestructionCertificate, RestoreCertificate, RestoredAs, is_certificate, read_conversion,
};
use crate::format::leaf;
use crate::id::{EntryId, Sha256};
use crate::{Error, ErrorKind};

/// The longest proof that is read.
const PROOF_BYTES_MAX: u64 = 256 << 20;

/// Check a proof, certificate or statement; needs no store
///
/// Exit code 6 when it does not hold. What it says is printed only if it does. Beside a restore
/// certificate the restored file is looked for, and compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals verify-proof SN1042.proof --vkey 'annals/5a5a...+65a8c000+AQOh...'
  annals verify-proof 4711_SN1042.csv.certificate --vkey \"$VKEY\"
  annals verify-proof SN1042.intoto.json --vkey \"$VKEY\" --content report.json")]
pub(crate) struct Args {
    /// The proof, or - for stdin
    file: PathBuf,
    /// A verifier key that came another way than the proof; more than one may be named
    #[arg(long, value_name = "VKEY", required = true)]
    vkey: Vec<String>,
    /// A file that must have one of the contents that the proof names; may be repeated
    #[arg(long, value_name = "FILE")]
    content: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Checked {
    verdict: &'static str,
    kind: Option<&'static str>,
    entry: Option<EntryId>,
    /// How many events the log had that was signed.
    size: Option<u64>,
    events: Vec<Box<RawValue>>,
    /// What a certificate says, or the statement of an envelope.
    #[serde(serialize_with = "text_or_object")]
    text: Option<String>,
    /// Files that were compared with what the proof names.
    compared: Vec<String>,
    why: Option<String>,
}

/// Writes a statement as the JSON that it is.
#[allow(clippy::ref_option, reason = "serde passes a reference")]
fn text_or_object<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(json_in).serialize(to)
}

/// What a proof that holds says.
#[derive(Default)]
struct Said {
    kind: &'static str,
    entry: Option<EntryId>,
    size: Option<u64>,
    events: Vec<String>,
    text: Option<String>,
    /// The contents that it names.
    contents: BTreeSet<Sha256>,
    /// The file beside a restore certificate.
    beside: Option<String>,
}

/// Why a proof does not hold: the verdict, and the reason in words.
type Refused = (&'static str, String);

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let keys = args.vkey.iter().map(|text| parse_vkey(text));
    let keys = keys.collect::<Result<Vec<_>, Error>>()?;
    let bytes = read(&args, context)?;
    let mut compared = Vec::new();
    let verified = match check(&bytes, &keys) {
        Ok(said) => compare(&said, &args, context, &mut compared)?.map_or(Ok(said), Err),
        Err(refused) => Err(refused),
    };
    let (exit, checked) = match verified {
        Ok(said) => (Exit::Done, told(said, compared)?),
        Err((verdict, why)) => {
            let refused = Checked {
                verdict,
                kind: None,
                entry: None,
                size: None,
                events: Vec::new(),
                text: None,
                compared,
                why: Some(why),
            };
            (Exit::Damaged, refused)
        }
    };
    if context.json() {
        context.print_json(&checked)?;
        return Ok(exit);
    }
    context.print(page(&checked))?;
    Ok(exit)
}

fn told(said: Said, compared: Vec<String>) -> Result<Checked, Error> {
    let events = said.events.into_iter().map(|line| {
        RawValue::from_string(line).map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("an event is not JSON: {error}"))
        })
    });
    Ok(Checked {
        verdict: "PROVEN",
        kind: Some(said.kind),
        entry: said.entry,
        size: said.size,
        events: events.collect::<Result<_, _>>()?,
        text: said.text,
        compared,
        why: None,
    })
}

fn page(checked: &Checked) -> String {
    if let Some(why) = &checked.why {
        return format!("{}: {}\n", checked.verdict, escape(why));
    }
    let mut page = match (checked.entry, checked.size, &checked.text) {
        (_, _, Some(text)) => {
            let lines = text.lines().map(|line| format!("{}\n", escape(line)));
            let kind = checked.kind.unwrap_or_default();
            format!("PROVEN: {kind}\n{}", lines.collect::<String>())
        }
        (Some(entry), Some(size), None) => {
            let lines = checked.events.iter();
            let lines: String = lines
                .map(|line| format!("{}\n", escape(line.get())))
                .collect();
            format!(
                "PROVEN: these events of entry {entry} are in the log of {size} events that was \
                 signed\n{lines}"
            )
        }
        _ => "PROVEN\n".to_owned(),
    };
    for file in &checked.compared {
        page.extend([format!("the same content: {}\n", escape(file))]);
    }
    page
}

/// Finds out what the bytes are, and checks them.
fn check(bytes: &[u8], keys: &[VerifierKey]) -> Result<Said, Refused> {
    let unreadable = |error: &dyn std::fmt::Display| ("UNREADABLE", error.to_string());
    let not_proven = |error: &dyn std::fmt::Display| ("NOT-PROVEN", error.to_string());
    if bytes.trim_ascii_start().starts_with(b"{") {
        let envelope = Envelope::parse(bytes).map_err(|error| unreadable(&error))?;
        let (statement, _) = envelope
            .verify(IN_TOTO, keys)
            .map_err(|error| not_proven(&error))?;
        let Some(named) = read_conversion(statement) else {
            return Err(unreadable(
                &"it is signed, but is no statement about a conversion",
            ));
        };
        return Ok(Said {
            kind: "a signed in-toto statement about a conversion",
            text: Some(String::from_utf8_lossy(statement).into_owned()),
            contents: named.iter().map(|named| named.sha256).collect(),
            ..Said::default()
        });
    }
    let first = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\n').next().unwrap_or(b""));
    if is_certificate(&first) {
        return certificate(bytes, &first, keys);
    }
    let proof = EntryProof::parse(bytes).map_err(|error| unreadable(&error))?;
    let signed = proof.verify(keys).map_err(|error| not_proven(&error))?;
    let lines = proof.events().iter().map(|event| event.line.clone());
    let events: Vec<String> = lines.collect();
    Ok(Said {
        kind: "the events of an entry",
        entry: Some(proof.entry()),
        size: Some(signed.checkpoint().size),
        contents: events.iter().flat_map(|line| contents(line)).collect(),
        events,
        ..Said::default()
    })
}

fn certificate(bytes: &[u8], first: &str, keys: &[VerifierKey]) -> Result<Said, Refused> {
    let refused = |error: &dyn std::fmt::Display| ("NOT-PROVEN", error.to_string());
    if !first.contains("restore") {
        let text = DestructionCertificate::verify(bytes, keys).map_err(|error| refused(&error))?;
        return Ok(Said {
            kind: "a signed certificate of destruction",
            text: Some(text),
            ..Said::default()
        });
    }
    let restored = RestoreCertificate::verify(bytes, keys).map_err(|error| refused(&error))?;
    let event = restored.event().map_err(|error| refused(&error))?;
    // It is shown without the proof, which people cannot read.
    let text = String::from_utf8_lossy(bytes);
    let shown = text.lines().take_while(|line| !line.starts_with("event "));
    Ok(Said {
        kind: "a signed restore certificate",
        entry: Some(event.seq.into()),
        text: Some(shown.map(|line| format!("{line}\n")).collect()),
        contents: contents(&restored.archived.line).into_iter().collect(),
        beside: (restored.form == RestoredAs::File).then_some(restored.file),
        ..Said::default()
    })
}

/// Returns the digests of the contents that an event names.
fn contents(line: &str) -> Vec<Sha256> {
    match leaf::decode(line).map(|event| event.body) {
        Ok(Body::Archived(fact)) => vec![fact.blob.sha256],
        Ok(Body::Converted(fact)) => fact.reports.iter().map(|report| report.sha256).collect(),
        _ => Vec::new(),
    }
}

/// Compares files with the contents that the proof names. Returns what does not fit.
fn compare(
    said: &Said,
    args: &Args,
    context: &mut Context<'_>,
    compared: &mut Vec<String>,
) -> Result<Option<Refused>, Error> {
    let mut files: Vec<PathBuf> = args.content.iter().map(|file| context.path(file)).collect();
    if let Some(name) = &said.beside
        && args.content.is_empty()
        && args.file.as_os_str() != "-"
    {
        // The name is that of a file, not of a path.
        let name = Path::new(name).file_name().unwrap_or_default();
        let beside = context.path(&args.file).with_file_name(name);
        if beside.is_file() {
            files.push(beside);
        } else {
            context.note(format_args!(
                "{} is not beside it, so it was not compared; name it with --content",
                escape(&name.to_string_lossy())
            ));
        }
    }
    for file in files {
        let digest = digest_of(&file)?;
        let shown = path_text(&file);
        if !said.contents.contains(&digest) {
            let why = format!("{shown} has other content than the proof names (SHA-256 {digest})");
            return Ok(Some(("NOT-PROVEN", why)));
        }
        compared.push(shown);
    }
    Ok(None)
}

fn digest_of(file: &Path) -> Result<Sha256, Error> {
    let failed = |error| Error::io("read", file, error);
    let mut input = std::fs::File::open(file).map_err(failed)?;
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        match input.read(&mut piece).map_err(failed)? {
            0 => return Ok(Sha256::from_bytes(hasher.finalize().into())),
            read => hasher.update(&piece[..read]),
        }
    }
}

fn read(args: &Args, context: &Context<'_>) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::io("read", &args.file, error);
    let mut bytes = Vec::new();
    if args.file.as_os_str() == "-" {
        let mut stdin = context.stdin();
        stdin
            .by_ref()
            .take(PROOF_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(context.path(&args.file)).map_err(failed)?;
        file.take(PROOF_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    Ok(bytes)
}
