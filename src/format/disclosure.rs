//! A disclosure as bytes: the value of a personal field with its salt, in the form of SD-JWT
//! (RFC 9901, section 4.2.1).
//!
//! A disclosure is the unpadded base64url of a JSON array `[salt, field, value]`. The salt is 16
//! random bytes, as unpadded base64url. Its digest is the SHA-256 of these ASCII bytes, and stands
//! in the leaf as unpadded base64url. Without the salt, nobody can try values until the digest
//! matches.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::event::{Body, Event, PersonalField, Sealed, digest_of, digest_text};
use crate::id::{BlobId, Sha256};

/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 16;

/// The longest disclosure, in bytes: with its event and field, it fits a line as long as a leaf.
pub(crate) const DISCLOSURE_BYTES_MAX: usize = 60_000;

/// The value of a personal field, with what its digest is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disclosure {
    pub(crate) field: PersonalField,
    /// The exact bytes that are hashed.
    pub(crate) text: String,
}

impl Disclosure {
    /// Returns the disclosure of a value.
    pub(crate) fn new(salt: [u8; SALT_BYTES], field: PersonalField, value: &Value) -> Self {
        let array = serde_json::json!([URL_SAFE_NO_PAD.encode(salt), field.to_string(), value]);
        Self {
            field,
            text: URL_SAFE_NO_PAD.encode(array.to_string()),
        }
    }

    /// Returns what a leaf has in place of the value.
    pub(crate) fn sealed(&self) -> Sealed {
        let bytes = self.text.as_bytes();
        Sealed::new(self.field.to_string(), Sha256::of(bytes), BlobId::of(bytes))
    }
}

/// Returns the field and the value that a disclosure states; `None` for bytes that are none.
pub(crate) fn parse(disclosure: &[u8]) -> Option<(String, Value)> {
    if disclosure.len() > DISCLOSURE_BYTES_MAX {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(disclosure).ok()?;
    let (salt, field, value): (String, String, Value) = serde_json::from_slice(&json).ok()?;
    let salt = URL_SAFE_NO_PAD.decode(salt).ok()?;
    (salt.len() >= SALT_BYTES).then_some((field, value))
}

/// Takes the values of `fields` out of a fact. The salts come from `salt`.
pub(crate) fn seal<E>(
    body: &mut Body,
    fields: &[PersonalField],
    mut salt: impl FnMut() -> Result<[u8; SALT_BYTES], E>,
) -> Result<Vec<Disclosure>, E> {
    let mut disclosures = Vec::new();
    for field in fields {
        if let Some(value) = field.take(body) {
            disclosures.push(Disclosure::new(salt()?, field.clone(), &value));
        }
    }
    Ok(disclosures)
}

/// Puts a value back into the event that it was taken from. Returns false when the disclosure is
/// not the one that the leaf names, or fits no place of the event.
pub(crate) fn reveal(event: &mut Event, sealed: &Sealed, disclosure: &[u8]) -> bool {
    if Sha256::of(disclosure) != sealed.digest {
        return false;
    }
    let Some((field, value)) = parse(disclosure) else {
        return false;
    };
    let is_field = field == sealed.field;
    let Some(field) = field.parse::<PersonalField>().ok().filter(|_| is_field) else {
        return false;
    };
    // A disclosure never replaces what the leaf says.
    let said = field.take(&mut event.body);
    match said {
        Some(said) => {
            field.put(&mut event.body, said);
            false
        }
        None => field.put(&mut event.body, value),
    }
}

/// Appends the members that stand for personal values to a fact, whose JSON object ends `line`.
pub(super) fn write_sealed(line: &mut Vec<u8>, sealed: &[Sealed]) -> serde_json::Result<()> {
    if sealed.is_empty() {
        return Ok(());
    }
    let is_empty = line.ends_with(b"{}");
    line.pop();
    if !is_empty {
        line.push(b',');
    }
    line.extend_from_slice(br#""_sd_alg":"sha-256","_sd":"#);
    let digests: Vec<String> = sealed
        .iter()
        .map(|sealed| digest_text(&sealed.digest))
        .collect();
    serde_json::to_writer(&mut *line, &digests)?;
    line.extend_from_slice(br#","_sd_content":"#);
    let places: Vec<(&str, BlobId)> = sealed
        .iter()
        .map(|sealed| (&*sealed.field, sealed.content))
        .collect();
    serde_json::to_writer(&mut *line, &places)?;
    line.push(b'}');
    Ok(())
}

#[derive(Deserialize)]
struct SealedMembers {
    #[serde(rename = "_sd_alg")]
    algorithm: String,
    #[serde(rename = "_sd")]
    digests: Vec<String>,
    #[serde(rename = "_sd_content")]
    places: Vec<(String, BlobId)>,
}

/// Returns what stands for personal values in a fact, after its other members. `None` when it
/// contradicts itself.
pub(super) fn read_sealed(data: &str) -> Option<Vec<Sealed>> {
    // They stand last, so for most facts the last bytes tell that there are none.
    if !data.trim_end().ends_with("]]}") || !data.contains(r#""_sd_alg""#) {
        return Some(Vec::new());
    }
    // A value of the fact may have that text, too.
    let Ok(members) = serde_json::from_str::<serde_json::Map<String, Value>>(data) else {
        return Some(Vec::new());
    };
    if !members.contains_key("_sd_alg") {
        return Some(Vec::new());
    }
    let members: SealedMembers = serde_json::from_value(Value::Object(members)).ok()?;
    if members.algorithm != "sha-256" || members.digests.len() != members.places.len() {
        return None;
    }
    let sealed = members.digests.iter().zip(members.places);
    sealed
        .map(|(digest, (field, content))| Some(Sealed::new(field, digest_of(digest)?, content)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9901, section 4.2.1, and the digest of its section 4.2.3.
    #[test]
    fn a_disclosure_of_the_standard_has_the_digest_of_the_standard() {
        let text = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        let digest = digest_text(&Sha256::of(text.as_bytes()));
        assert_eq!(digest, "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY");
        assert_eq!(digest_of(&digest), Some(Sha256::of(text.as_bytes())));
    }

    #[test]
    fn a_disclosure_is_pinned_and_reads_back() {
        let field = PersonalField::Meta("operator".into());
        let made = Disclosure::new([7; 16], field, &Value::from("Kari Ø"));
        assert_eq!(
            made.text,
            "WyJCd2NIQndjSEJ3Y0hCd2NIQndjSEJ3IiwibWV0YS5vcGVyYXRvciIsIkthcmkgw5giXQ"
        );
        let read = parse(made.text.as_bytes());
        assert_eq!(read, Some(("meta.operator".into(), Value::from("Kari Ø"))));
    }

    /// Libraries for SD-JWT took padding, other alphabets, arrays of another length and empty
    /// salts.
    #[test]
    fn bytes_that_are_no_disclosure_are_refused() {
        let of = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let salt = URL_SAFE_NO_PAD.encode([1; 16]);
        assert!(parse(of(&format!(r#"["{salt}","serial","x"]"#)).as_bytes()).is_some());
        for wrong in [
            of(&format!(r#"["{salt}","serial"]"#)),
            of(&format!(r#"["{salt}","serial","x",1]"#)),
            of(r#"["","serial","x"]"#),
            of(r#"["c2hvcnQ","serial","x"]"#),
            of(r#"[1,"serial","x"]"#),
            of(&format!(r#"{{"a":["{salt}","serial","x"]}}"#)),
            format!("{}=", of(&format!(r#"["{salt}","serial","xy"]"#))),
            of("[]"),
            String::new(),
            "+/+/".to_owned(),
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
