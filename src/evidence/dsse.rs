//! DSSE envelopes: a signed payload of any type, as in-toto attestations are handed around.
//!
//! What is signed is not the payload alone but its *pre-authentication encoding*, which begins with
//! `DSSEv1` and has its type. So no signature of an envelope is one of a checkpoint or a note, and
//! none is one of the same bytes under another type.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::{SignError, Signer};
use super::note::VerifierKey;
use super::text::{decode_any_base64, encode_base64};

/// The type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The longest envelope that is read.
pub const ENVELOPE_BYTES_MAX: usize = 16 << 20;
/// The most signatures of one envelope.
pub const SIGNATURES_MAX: usize = 64;

/// A payload with signatures, of which none is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EnvelopeSignature {
    /// A hint at the key, which nothing protects.
    key: String,
    signature: Vec<u8>,
}

/// Why bytes are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is larger than any that is needed.
    #[error("the envelope has {0} bytes, which is more than {ENVELOPE_BYTES_MAX}")]
    TooLarge(usize),
    /// It is not a JSON object with the members of an envelope.
    #[error("it is not a DSSE envelope: {0}")]
    Json(String),
    /// A member that must be base64 is not.
    #[error("the member '{0}' of the envelope is not base64")]
    Base64(&'static str),
    /// It has no signature.
    #[error("the envelope has no signature")]
    Unsigned,
    /// It has more signatures than any that is needed.
    #[error("the envelope has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

/// Why an envelope is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeRefused {
    /// No trusted key signed it.
    #[error("no trusted key signed it")]
    NoTrustedKey,
    /// The payload is of another type than the reader understands.
    #[error("its payload is of the type '{0}'")]
    Type(String),
}

#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default)]
    keyid: Option<String>,
    sig: String,
}

impl Envelope {
    /// Signs a payload of the type `payload_type`.
    pub fn sign(
        payload_type: &str,
        payload: &[u8],
        signer: &dyn Signer,
    ) -> Result<Self, SignError> {
        let encoded = pre_authentication_encoding(payload_type, payload);
        let line = signer.sign(&encoded)?;
        let key = signer.vkey();
        // A signer may be another program.
        if !key.verify(&encoded, line.signature()) {
            return Err(SignError::WrongSignature(key.name().clone()));
        }
        Ok(Self {
            payload_type: payload_type.to_owned(),
            payload: payload.to_vec(),
            signatures: vec![EnvelopeSignature {
                key: format!("{}+{}", key.name(), key.id()),
                signature: line.signature().to_vec(),
            }],
        })
    }

    /// Parses an envelope. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| EnvelopeError::Json(error.to_string()))?;
        if written.signatures.is_empty() {
            return Err(EnvelopeError::Unsigned);
        }
        if written.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeError::TooManySignatures);
        }
        let signatures = written.signatures.into_iter().map(|signature| {
            let bytes = decode_any_base64(&signature.sig).ok_or(EnvelopeError::Base64("sig"))?;
            Ok(EnvelopeSignature {
                key: signature.keyid.unwrap_or_default(),
                signature: bytes,
            })
        });
        Ok(Self {
            payload: decode_any_base64(&written.payload).ok_or(EnvelopeError::Base64("payload"))?,
            signatures: signatures.collect::<Result<_, EnvelopeError>>()?,
            payload_type: written.payload_type,
        })
    }

    /// Returns the payload, if it is of the type `payload_type` and one of the trusted keys signed
    /// it. The ids of keys in the envelope are hints that decide nothing.
    pub fn verify<'k>(
        &self,
        payload_type: &str,
        trusted: &'k [VerifierKey],
    ) -> Result<(&[u8], Vec<&'k VerifierKey>), EnvelopeRefused> {
        if self.payload_type != payload_type {
            return Err(EnvelopeRefused::Type(self.payload_type.clone()));
        }
        let encoded = pre_authentication_encoding(&self.payload_type, &self.payload);
        let signed = |key: &&VerifierKey| {
            let mut signatures = self.signatures.iter();
            signatures.any(|line| key.verify(&encoded, &line.signature))
        };
        let signed_by: Vec<&VerifierKey> = trusted.iter().filter(signed).collect();
        if signed_by.is_empty() {
            return Err(EnvelopeRefused::NoTrustedKey);
        }
        Ok((&self.payload, signed_by))
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signatures = self.signatures.iter().map(|line| WrittenSignature {
            keyid: Some(line.key.clone()),
            sig: encode_base64(&line.signature),
        });
        let written = Written {
            payload_type: self.payload_type.clone(),
            payload: encode_base64(&self.payload),
            signatures: signatures.collect(),
        };
        let json = serde_json::to_string(&written).map_err(|_| fmt::Error)?;
        writeln!(f, "{json}")
    }
}

/// Returns the bytes that are signed.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (kind, len) = (payload_type.len(), payload.len());
    let mut encoded = format!("DSSEv1 {kind} {payload_type} {len} ").into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// Returns a public key in the PEM form that other programs read (RFC 8410).
pub fn pem(key: &VerifierKey) -> String {
    /// What comes before the 32 bytes of an Ed25519 key in its DER form.
    const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let der = [&PREFIX[..], key.public()].concat();
    let base64 = encode_base64(&der);
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::SecretKey;
    use crate::evidence::note::KeyName;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(KeyName::new("annals/5a").expect("a name"), &[seed; 32])
    }

    /// The example of the specification of DSSE.
    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            encoded,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn an_envelope_comes_back_and_holds_only_as_it_was_signed() {
        let signed = Envelope::sign(IN_TOTO, b"{}", &key(5)).expect("signed");
        let read = Envelope::parse(signed.to_string().as_bytes()).expect("read");
        assert_eq!(read, signed);
        let (own, other) = (key(5).vkey().clone(), key(6).vkey().clone());
        let trusted = [other.clone(), own.clone()];
        let (payload, by) = read.verify(IN_TOTO, &trusted).expect("holds");
        assert_eq!((payload, by), (&b"{}"[..], vec![&own]));
        assert_eq!(
            read.verify(IN_TOTO, &[other]),
            Err(EnvelopeRefused::NoTrustedKey)
        );
        // Another type must not be put around a payload that was signed.
        let text = signed.to_string().replace("in-toto", "in_toto");
        let retyped = Envelope::parse(text.as_bytes()).expect("read");
        let trusted = [own];
        let kind = "application/vnd.in_toto+json";
        assert_eq!(
            retyped.verify(kind, &trusted),
            Err(EnvelopeRefused::NoTrustedKey)
        );
        assert!(matches!(
            retyped.verify(IN_TOTO, &trusted),
            Err(EnvelopeRefused::Type(_))
        ));
        let text = signed.to_string().replace("e30=", "e30K");
        let changed = Envelope::parse(text.as_bytes()).expect("read");
        assert!(changed.verify(IN_TOTO, &trusted).is_err());
    }

    /// Envelopes of other programs have no key ids, several signatures, and members that are
    /// unknown here.
    #[test]
    fn envelopes_of_other_programs_are_read() {
        let signed = Envelope::sign(IN_TOTO, b"{}", &key(5)).expect("signed");
        let sig = encode_base64(&signed.signatures[0].signature);
        let text = format!(
            r#"{{"x":1,"payloadType":"{IN_TOTO}","payload":"e30=",
            "signatures":[{{"sig":"AAAA"}},{{"sig":"{sig}","cert":"y"}}]}}"#
        );
        let trusted = [key(5).vkey().clone()];
        let read = Envelope::parse(text.as_bytes()).expect("read");
        assert!(read.verify(IN_TOTO, &trusted).is_ok());
        // Signers may use the alphabet of URLs, and give no key id at all.
        let payload = [0xfb, 0xff, 0xfe];
        let signed = Envelope::sign(IN_TOTO, &payload, &key(5)).expect("signed");
        let sig = encode_base64(&signed.signatures[0].signature)
            .replace('+', "-")
            .replace('/', "_");
        let text = format!(
            r#"{{"payloadType":"{IN_TOTO}","payload":"-__-",
            "signatures":[{{"keyid":null,"sig":"{sig}"}}]}}"#
        );
        let read = Envelope::parse(text.as_bytes()).expect("read");
        let (found, _) = read.verify(IN_TOTO, &trusted).expect("holds");
        assert_eq!(found, payload);
        for wrong in [
            "",
            "{}",
            r#"{"payloadType":"x","payload":"e30=","signatures":[]}"#,
            r#"{"payloadType":"x","payload":"!","signatures":[{"sig":"AAAA"}]}"#,
            r#"{"payloadType":"x","payload":"e30=","signatures":[{"sig":"!"}]}"#,
        ] {
            assert!(Envelope::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_key_has_the_form_that_openssl_reads() {
        // The first test key of RFC 8032, section 7.1, as RFC 8410 writes keys.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SecretKey::from_seed(KeyName::new("x").expect("a name"), &seed);
        assert_eq!(
            pem(key.vkey()),
            "-----BEGIN PUBLIC KEY-----\n\
             MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
             -----END PUBLIC KEY-----\n"
        );
    }
}
