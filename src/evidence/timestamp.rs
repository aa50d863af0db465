//! Time stamps of RFC 3161: a server that others trust states when a text was there.
//!
//! A [`TimestampRequest`] asks for a stamp over the SHA-256 digest of a text, and
//! [`TimestampToken::from_response`] takes the answer apart. What is checked here is that the token
//! is about this text and answers this request, and what time it states. Whether the server signed
//! it is for a program that knows certificates; [`docs::evidence`](crate::docs::evidence) shows how
//! OpenSSL does it.
//!
//! ```
//! use annals::evidence::timestamp::TimestampRequest;
//!
//! let request = TimestampRequest::new(b"the text of a checkpoint", 0x0123_4567_89ab_cdef);
//! // Sent by POST as `application/timestamp-query`.
//! assert_eq!(request.to_der().len(), 69);
//! ```

use sha2::{Digest, Sha256};

use super::der::{self, Element, Reader, tag};
use super::text::{decode_base64, encode_base64};
use crate::time::Timestamp;

/// The longest token that is kept. It has to fit an event, as base64.
pub const TOKEN_BYTES_MAX: usize = 32 << 10;

/// SHA-256.
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// The type of signed data.
const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// The type of what a time-stamp server signs.
const OID_TST_INFO: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];

/// Why an answer is no time stamp for what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// It is no answer of a time-stamp server.
    #[error("it is no time stamp of RFC 3161: {0}")]
    Form(&'static str),
    /// The server refused.
    #[error("the server gave no stamp (status {status}{})", told(.text.as_deref()))]
    Refused {
        /// The status of RFC 3161.
        status: u8,
        /// What the server said.
        text: Option<String>,
    },
    /// It is a stamp over something else.
    #[error("it is a time stamp over another text")]
    OtherText,
    /// It is the answer to another request: an old one that is played again.
    #[error("it is not the answer to this request")]
    OtherRequest,
    /// It is too long to be kept.
    #[error("it has more than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
}

fn told(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// A request for a time stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    digest: [u8; 32],
    nonce: u64,
}

impl TimestampRequest {
    /// Asks for a stamp over a text. The answer must have the same `nonce`, so it must be new each
    /// time.
    pub fn new(text: &[u8], nonce: u64) -> Self {
        Self {
            digest: Sha256::digest(text).into(),
            // The highest bits make the number positive, and no byte of it can be left out.
            nonce: nonce & (u64::MAX >> 1) | 1 << 62,
        }
    }

    /// Returns the request in DER. It asks for the certificates, too, which a later reader needs.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm = [der::write(tag::OID, OID_SHA256), der::write(tag::NULL, &[])].concat();
        let imprint = [
            der::write(tag::SEQUENCE, &algorithm),
            der::write(tag::OCTETS, &self.digest),
        ];
        let parts = [
            der::write(tag::INTEGER, &[1]),
            der::write(tag::SEQUENCE, &imprint.concat()),
            der::write(tag::INTEGER, &self.nonce.to_be_bytes()),
            der::write(tag::BOOLEAN, &[0xff]),
        ];
        der::write(tag::SEQUENCE, &parts.concat())
    }
}

/// A time stamp, whose signature is not verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampToken {
    der: Vec<u8>,
    digest: Vec<u8>,
    is_sha256: bool,
    time: Timestamp,
    nonce: Option<Vec<u8>>,
    renew_before: Option<Timestamp>,
}

impl TimestampToken {
    /// Takes the token out of a server's answer, and compares it with the request.
    pub fn from_response(
        response: &[u8],
        request: &TimestampRequest,
    ) -> Result<Self, TimestampError> {
        let no = TimestampError::Form;
        let mut answer = Reader::new(response)
            .only(tag::SEQUENCE)
            .ok_or(no("it is no DER"))?;
        let mut status = answer
            .expect(tag::SEQUENCE)
            .ok_or(no("no status"))?
            .reader();
        let number = status.expect(tag::INTEGER).ok_or(no("no status"))?;
        let [number] = *number.content else {
            return Err(no("no status"));
        };
        if number > 1 {
            let texts = status.expect(tag::SEQUENCE);
            let text = texts.and_then(|texts| texts.reader().expect(tag::UTF8));
            let text = text.map(|text| {
                let text = String::from_utf8_lossy(text.content);
                let plain = text.chars().filter(|c| !c.is_control());
                plain.take(200).collect()
            });
            return Err(TimestampError::Refused {
                status: number,
                text,
            });
        }
        let token = answer.expect(tag::SEQUENCE).ok_or(no("no token"))?;
        let token = Self::parse(token.whole)?;
        if !token.is_over_digest(&request.digest) {
            return Err(TimestampError::OtherText);
        }
        let asked = request.nonce.to_be_bytes();
        // One without a nonce may be an old one, played again.
        if token.nonce.as_deref() != Some(&asked[..]) {
            return Err(TimestampError::OtherRequest);
        }
        Ok(token)
    }

    /// Parses a token: the signed data of a time-stamp server.
    pub fn parse(token: &[u8]) -> Result<Self, TimestampError> {
        let no = TimestampError::Form;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TimestampError::TooLong);
        }
        let mut info = Reader::new(token)
            .only(tag::SEQUENCE)
            .ok_or(no("it is no DER"))?;
        let kind = info.expect(tag::OID).ok_or(no("no type"))?;
        if kind.content != OID_SIGNED_DATA {
            return Err(no("it is no signed data"));
        }
        let signed = info.expect(tag::FIRST).ok_or(no("no signed data"))?;
        let mut signed = signed
            .reader()
            .only(tag::SEQUENCE)
            .ok_or(no("no signed data"))?;
        signed.expect(tag::INTEGER).ok_or(no("no version"))?;
        signed.expect(tag::SET).ok_or(no("no algorithms"))?;
        let inner = signed.expect(tag::SEQUENCE).ok_or(no("no content"))?;
        let renew_before = signed.expect(tag::FIRST).and_then(earliest_end);
        let mut inner = inner.reader();
        let kind = inner.expect(tag::OID).ok_or(no("no content"))?;
        if kind.content != OID_TST_INFO {
            return Err(no("it signs something else than a time"));
        }
        let octets = inner.expect(tag::FIRST).ok_or(no("no content"))?;
        let octets = octets
            .reader()
            .expect(tag::OCTETS)
            .ok_or(no("no content"))?;
        Self::of_info(token, octets.content, renew_before)
    }

    fn of_info(
        token: &[u8],
        info: &[u8],
        renew_before: Option<Timestamp>,
    ) -> Result<Self, TimestampError> {
        let no = TimestampError::Form;
        let mut info = Reader::new(info).only(tag::SEQUENCE).ok_or(no("no time"))?;
        info.expect(tag::INTEGER).ok_or(no("no version"))?;
        info.expect(tag::OID).ok_or(no("no policy"))?;
        let imprint = info.expect(tag::SEQUENCE).ok_or(no("no digest"))?;
        let mut imprint = imprint.reader();
        let algorithm = imprint.expect(tag::SEQUENCE).ok_or(no("no digest"))?;
        let algorithm = algorithm.reader().expect(tag::OID).ok_or(no("no digest"))?;
        let digest = imprint.expect(tag::OCTETS).ok_or(no("no digest"))?;
        info.expect(tag::INTEGER).ok_or(no("no number"))?;
        let time = info.expect(tag::TIME).ok_or(no("no time"))?;
        let time = time_of(&time).ok_or(no("a time that is none"))?;
        // What may follow: accuracy, ordering, nonce, the server's name, extensions.
        let nonce = std::iter::from_fn(|| info.next()).find(|part| part.tag == tag::INTEGER);
        Ok(Self {
            der: token.to_vec(),
            digest: digest.content.to_vec(),
            is_sha256: algorithm.content == OID_SHA256,
            time,
            nonce: nonce.map(|nonce| nonce.content.to_vec()),
            renew_before,
        })
    }

    /// Reads the base64 of a token, as events have it.
    pub fn from_base64(text: &str) -> Result<Self, TimestampError> {
        let token = decode_base64(text);
        Self::parse(&token.ok_or(TimestampError::Form("it is no base64"))?)
    }

    /// Returns the base64 of the token.
    pub fn to_base64(&self) -> String {
        encode_base64(&self.der)
    }

    /// Returns whether the stamp is over this text.
    pub fn is_over(&self, text: &[u8]) -> bool {
        self.is_over_digest(&Sha256::digest(text).into())
    }

    /// Returns whether the stamp is over the text of this SHA-256 digest.
    pub fn is_over_digest(&self, digest: &[u8; 32]) -> bool {
        self.is_sha256 && self.digest == digest
    }

    /// Returns when the text was there, as the server states it.
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns when the first certificate in the token ends. A stamp over something that covers
    /// this one must be made before.
    pub const fn renew_before(&self) -> Option<Timestamp> {
        self.renew_before
    }

    /// Returns the token in DER, as `openssl ts -verify -token_in` reads it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Returns when the first of some certificates ends.
fn earliest_end(certificates: Element<'_>) -> Option<Timestamp> {
    let mut certificates = certificates.reader();
    let ends = std::iter::from_fn(|| certificates.next()).filter_map(|certificate| {
        let mut signed = certificate.reader().expect(tag::SEQUENCE)?.reader();
        // The version, which the oldest certificates lack.
        signed.expect(tag::FIRST);
        signed.expect(tag::INTEGER)?;
        signed.expect(tag::SEQUENCE)?;
        signed.expect(tag::SEQUENCE)?;
        let mut validity = signed.expect(tag::SEQUENCE)?.reader();
        validity.next()?;
        time_of(&validity.next()?)
    });
    ends.min()
}

/// Reads a time in one of the two forms of certificates, both in UTC.
fn time_of(element: &Element<'_>) -> Option<Timestamp> {
    let text = str::from_utf8(element.content).ok()?;
    let digits = text.strip_suffix('Z')?;
    let (digits, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(digits) || !is_plain(fraction) {
        return None;
    }
    let digits = match (element.tag, digits.len()) {
        (tag::TIME, 14) => digits.to_owned(),
        (tag::SHORT_TIME, 12) => {
            let century = if &digits[..2] < "50" { "20" } else { "19" };
            format!("{century}{digits}")
        }
        _ => return None,
    };
    let part = |from: usize, to: usize| &digits[from..to];
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    format!(
        "{}-{}-{}T{}:{}:{}.{fraction}+00:00",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    )
    .parse()
    .ok()
}

#[cfg(test)]
pub(crate) mod tests;
