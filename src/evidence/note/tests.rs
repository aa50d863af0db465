//! What other programs write has to be read here, and what is written here has to be read by them.
//! The vectors are public: Go's `sumdb/note` and `sum.golang.org`.

use proptest::prelude::*;

use super::*;
use crate::evidence::key::{SecretKey, Signer};

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER_LINE: &str = "\u{2014} PeterNeumann \
     x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "\u{2014} EnochRoot \
     rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn vkey(text: &str) -> VerifierKey {
    VerifierKey::parse(text).expect("a key")
}

fn note(lines: &str) -> Note {
    Note::parse(format!("{TEXT}\n{lines}").as_bytes()).expect("a note")
}

#[test]
fn the_notes_of_go_are_read_and_written_byte_for_byte() {
    let whole = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    let parsed = Note::parse(whole.as_bytes()).expect("a note");
    assert_eq!(parsed.text(), TEXT);
    assert_eq!(parsed.to_string(), whole);
    let keys = [vkey(PETER), vkey(ENOCH)];
    assert_eq!(parsed.verify(&keys), Ok(vec![&keys[0], &keys[1]]));

    // Ed25519 has one signature for a key and a text, so it must be the one that Go makes.
    let peter = SecretKey::parse(PETER_SECRET).expect("a key");
    assert_eq!(*peter.to_secret_text(), PETER_SECRET);
    assert_eq!(peter.verifier().to_string(), PETER);
    let enoch = SecretKey::from_seed(KeyName::new("EnochRoot").expect("a name"), &[0; 32]);
    assert_eq!(enoch.verifier().to_string(), ENOCH);
    let mut written = Note::new(TEXT).expect("a text");
    for key in [peter, enoch] {
        written
            .add(key.sign(TEXT.as_bytes()).expect("signed"))
            .expect("room");
    }
    assert_eq!(written.to_string(), whole);
}

#[test]
fn the_key_of_the_go_checksum_database_is_read() {
    let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(vkey(text).to_string(), text);
    assert_eq!(vkey(text).id().to_string(), "033de0ae");
}

#[test]
fn a_changed_key_is_refused_wherever_it_is_changed() {
    for at in 0..PETER.len() {
        for change in [1, 2, 32] {
            let mut bytes = PETER.as_bytes().to_vec();
            bytes[at] ^= change;
            let text = String::from_utf8(bytes).expect("ASCII");
            assert!(VerifierKey::parse(&text).is_err(), "{text}");
        }
        assert!(VerifierKey::parse(&PETER[..at]).is_err());
        assert!(VerifierKey::parse(&PETER[at + 1..]).is_err());
    }
    assert!(VerifierKey::parse(&format!("{PETER}\n")).is_err());
}

#[test]
fn each_wrong_key_has_its_own_error() {
    use VerifierKeyError as E;
    for (text, error) in [
        ("", E::Shape),
        ("name+c74f20a3", E::Shape),
        ("+c74f20a3+AQ==", E::Name(KeyNameError)),
        ("a b+c74f20a3+AQ==", E::Name(KeyNameError)),
        ("name+C74F20A3+AQ==", E::Id),
        ("name+c74f20a+AQ==", E::Id),
        ("name+c74f20a3+AQ", E::Base64),
        ("name+c74f20a3+", E::Key),
        ("name+c74f20a3+AQ==", E::Key),
        // A witness's cosignature key: another kind, and not a broken one.
        (
            "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
            E::Kind(4),
        ),
        // Not the coordinate of a point.
        (
            &*format!(
                "name+c74f20a3+{}",
                encode_base64(&[&[1][..], &[2], &[0; 31]].concat())
            ),
            E::Key,
        ),
        // The neutral element: a signature with it holds for every text.
        (
            &*format!(
                "name+c74f20a3+{}",
                encode_base64(&[&[1, 1][..], &[0; 31]].concat())
            ),
            E::Key,
        ),
    ] {
        assert_eq!(VerifierKey::parse(text), Err(error), "{text}");
    }
    let mismatch = VerifierKey::parse(&PETER.replace("c74f20a3", "c74f20a4"));
    assert!(matches!(mismatch, Err(E::Mismatch { .. })), "{mismatch:?}");
}

#[test]
fn signatures_of_unknown_keys_are_ignored() {
    let keys = [vkey(PETER)];
    // A signature as large as post-quantum ones are, of a kind that nobody knows here.
    let large = encode_base64(&[&[0xff; 4][..], &[7; 4627]].concat());
    let unknown = format!("\u{2014} witness.example/pq {large}\n");
    for lines in [
        format!("{unknown}{PETER_LINE}"),
        format!("{PETER_LINE}{unknown}{ENOCH_LINE}"),
        // The name of a known key with another id, and the other way round.
        format!("{}{PETER_LINE}", PETER_LINE.replace("x08g", "x08h")),
        format!(
            "{}{PETER_LINE}",
            PETER_LINE.replace("PeterNeumann", "PeterNeumenn")
        ),
        format!("{PETER_LINE}{PETER_LINE}"),
    ] {
        assert_eq!(note(&lines).verify(&keys), Ok(vec![&keys[0]]), "{lines}");
    }
    assert_eq!(note(&unknown).verify(&keys), Err(VerifyError::NoTrustedKey));
    assert_eq!(note(PETER_LINE).verify(&[]), Err(VerifyError::NoTrustedKey));
}

#[test]
fn one_wrong_signature_of_a_trusted_key_spoils_the_note() {
    let keys = [vkey(PETER), vkey(ENOCH)];
    let wrong = PETER_LINE.replace("JnAM=", "JnQM=");
    let refused = note(&format!("{ENOCH_LINE}{wrong}"))
        .verify(&keys)
        .expect_err("changed");
    assert!(
        matches!(refused, VerifyError::WrongSignature(..)),
        "{refused:?}"
    );
    // For a reader who does not know that key, the line means nothing.
    note(&format!("{ENOCH_LINE}{wrong}"))
        .verify(&keys[1..])
        .expect("not looked at");

    let other = TEXT.replace("cryptography", "cryptographY");
    let other = Note::parse(format!("{other}\n{PETER_LINE}").as_bytes()).expect("a note");
    assert!(matches!(
        other.verify(&keys),
        Err(VerifyError::WrongSignature(..))
    ));
}

#[test]
fn two_trusted_keys_that_a_line_cannot_tell_apart_are_refused() {
    let peter = vkey(PETER);
    let mut twin = vkey(ENOCH);
    (twin.name, twin.id) = (peter.name.clone(), peter.id);
    let refused = note(PETER_LINE)
        .verify(&[peter.clone(), twin])
        .expect_err("ambiguous");
    assert!(
        matches!(refused, VerifyError::AmbiguousKey(..)),
        "{refused:?}"
    );
    let twice = [peter.clone(), peter];
    assert_eq!(note(PETER_LINE).verify(&twice), Ok(vec![&twice[0]]));
}

#[test]
fn each_malformed_note_has_its_own_error() {
    use NoteError as E;
    let line = PETER_LINE.trim_end();
    let many = PETER_LINE.repeat(SIGNATURES_MAX + 1);
    for (bytes, error) in [
        (String::new(), E::Unsigned),
        ("text\n".to_owned(), E::Unsigned),
        ("text\n\n".to_owned(), E::Unsigned),
        ("text".to_owned() + PETER_LINE, E::Unsigned),
        (format!("text\n{PETER_LINE}"), E::Unsigned),
        (format!("text\n\n{line}"), E::SignatureLine(1)),
        (format!("text\n\n{PETER_LINE}{line}"), E::SignatureLine(2)),
        (
            format!("text\n\n{PETER_LINE}-{line}\n"),
            E::SignatureLine(2),
        ),
        (format!("text\n\n{line} \n"), E::SignatureLine(1)),
        (
            format!("text\n\n{}", PETER_LINE.replace("\u{2014} ", "- ")),
            E::SignatureLine(1),
        ),
        (
            format!("text\n\n{}", PETER_LINE.replace("\u{2014} ", "\u{2014}  ")),
            E::SignatureLine(1),
        ),
        (
            "text\n\n\u{2014} a+b AAAAAAA=\n".to_owned(),
            E::SignatureLine(1),
        ),
        (
            "text\n\n\u{2014} a AAAAAA==\n".to_owned(),
            E::SignatureLine(1),
        ),
        (
            "text\n\n\u{2014} a AAAAAAA\n".to_owned(),
            E::SignatureLine(1),
        ),
        (format!("te\txt\n\n{PETER_LINE}"), E::Control(2)),
        (format!("text\r\n\n{PETER_LINE}"), E::Control(4)),
        (format!("text\n\n{many}"), E::TooManySignatures),
        (
            " ".repeat(NOTE_BYTES_MAX + 1),
            E::TooLarge(NOTE_BYTES_MAX + 1),
        ),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(error), "{bytes:.80}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(E::Utf8));
    assert_eq!(Note::new("no line feed"), Err(E::Unended));
    assert_eq!(Note::new("a\x1b[31m\n"), Err(E::Control(1)));
    let mut full = note(&PETER_LINE.repeat(SIGNATURES_MAX));
    let more = full.signatures()[0].clone();
    assert_eq!(full.add(more), Err(E::TooManySignatures));
}

#[test]
fn the_last_empty_line_ends_the_text() {
    for text in ["\n", "\n\n", "a\n\n\nb\n", "a\n\n\u{2014} fake AAAAAAA=\n"] {
        let whole = format!("{text}\n{PETER_LINE}");
        let parsed = Note::parse(whole.as_bytes()).expect("a note");
        assert_eq!((parsed.text(), parsed.to_string()), (text, whole.clone()));
    }
}

#[test]
fn a_name_has_no_blanks_of_any_language() {
    for wrong in [
        "",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\u{2003}b",
        "a\u{3000}b",
        "a\nb",
        "a\u{85}",
        "a\x7f",
    ] {
        assert_eq!(KeyName::new(wrong), Err(KeyNameError), "{wrong:?}");
    }
    let store = StoreId::from_bytes([0x5a; 16]);
    let name = KeyName::of_store(&store);
    assert_eq!(name.as_str(), "annals/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    assert_eq!(KeyName::new(name.as_str()), Ok(name));
}

proptest! {
    #[test]
    fn what_is_parsed_prints_as_it_was(text in "[ -~\n\u{e9}\u{2014}]{0,80}\n", names in prop::collection::vec("[a-z./]{1,9}", 1..5)) {
        let lines = (0_u8..).zip(&names).map(|(number, name)| {
            format!("{DASH}{name} {}\n", encode_base64(&[number; 9]))
        });
        let whole = format!("{text}\n") + &lines.collect::<String>();
        let parsed = Note::parse(whole.as_bytes()).expect("a note");
        prop_assert_eq!(parsed.text(), &text);
        prop_assert_eq!(parsed.signatures().len(), names.len());
        prop_assert_eq!(parsed.to_string(), whole);
    }

    #[test]
    fn a_signature_holds_for_its_text_and_its_key_only(seed in any::<[u8; 32]>(), text in "[a-z\n]{0,40}\n", flip in 0..512_usize) {
        let name = KeyName::new("annals/test").expect("a name");
        let key = SecretKey::from_seed(name.clone(), &seed);
        let line = key.sign(text.as_bytes()).expect("signed");
        prop_assert!(key.verifier().verify(text.as_bytes(), line.signature()));
        let longer = format!("{text}\n");
        prop_assert!(!key.verifier().verify(longer.as_bytes(), line.signature()));
        let mut changed = line.signature().to_vec();
        changed[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(!key.verifier().verify(text.as_bytes(), &changed));
        let mut other = seed;
        other[0] ^= 1;
        let other = SecretKey::from_seed(name, &other);
        prop_assert!(!other.verifier().verify(text.as_bytes(), line.signature()));
        prop_assert_eq!(VerifierKey::parse(&key.verifier().to_string()), Ok(key.verifier().clone()));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Note::parse(&bytes);
        let _ = VerifierKey::parse(&String::from_utf8_lossy(&bytes));
        let _ = SecretKey::parse(&String::from_utf8_lossy(&bytes));
    }
}
