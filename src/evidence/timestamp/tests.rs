//! A server answered something else than it was asked, and the stamp was kept for years before
//! somebody looked at it. The answers here are built by hand; tests/cli/timestamps.rs asks OpenSSL.

use super::*;

const TEXT: &[u8] = b"annals/5a\n3\nroot\n\n\xe2\x80\x94 annals/5a c2ln\n";
const NONCE: u64 = 0x0123_4567_89ab_cdef;

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    der::write(tag::SEQUENCE, &parts.concat())
}

fn imprint(text: &[u8]) -> Vec<u8> {
    let oid = der::write(tag::OID, OID_SHA256);
    let digest = der::write(tag::OCTETS, &Sha256::digest(text));
    seq(&[seq(&[oid, der::write(tag::NULL, &[])]), digest])
}

/// The token of a server over `text`, without its signature.
pub(crate) fn token(text: &[u8], time: &[u8], nonce: Option<u64>) -> Vec<u8> {
    let mut info = vec![
        der::write(tag::INTEGER, &[1]),
        der::write(tag::OID, &[0x2a, 3]),
        imprint(text),
        der::write(tag::INTEGER, &[7]),
        der::write(tag::TIME, time),
        // The accuracy, whose members are no nonce.
        seq(&[der::write(tag::INTEGER, &[1])]),
    ];
    let asked = nonce.map(|nonce| TimestampRequest::new(text, nonce).nonce.to_be_bytes());
    info.extend(asked.map(|nonce| der::write(tag::INTEGER, &nonce)));
    let octets = der::write(tag::OCTETS, &seq(&info));
    let content = seq(&[
        der::write(tag::OID, OID_TST_INFO),
        der::write(tag::FIRST, &octets),
    ]);
    let validity = seq(&[
        der::write(tag::SHORT_TIME, b"260101000000Z"),
        der::write(tag::SHORT_TIME, b"361231235959Z"),
    ]);
    let certificate = seq(&[seq(&[
        der::write(tag::FIRST, &der::write(tag::INTEGER, &[2])),
        der::write(tag::INTEGER, &[9]),
        seq(&[]),
        seq(&[]),
        validity,
    ])]);
    let signed = seq(&[
        der::write(tag::INTEGER, &[3]),
        der::write(tag::SET, &[]),
        content,
        der::write(tag::FIRST, &certificate),
        der::write(tag::SET, &[]),
    ]);
    seq(&[
        der::write(tag::OID, OID_SIGNED_DATA),
        der::write(tag::FIRST, &signed),
    ])
}

fn response(status: u8, token: &[u8]) -> Vec<u8> {
    let status = seq(&[der::write(tag::INTEGER, &[status])]);
    seq(&[status, token.to_vec()])
}

fn asked() -> TimestampRequest {
    TimestampRequest::new(TEXT, NONCE)
}

#[test]
fn a_request_is_these_bytes() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let digest = hex(&Sha256::digest(TEXT));
    let expected = format!(
        "30430201013031300d060960864801650304020105000420{digest}020841234567 89abcdef0101ff"
    );
    assert_eq!(hex(&asked().to_der()), expected.replace(' ', ""));
    // A nonce that begins with zeros, or looks negative, has eight bytes as well.
    for nonce in [0, u64::MAX] {
        assert_eq!(TimestampRequest::new(TEXT, nonce).to_der().len(), 69);
    }
}

#[test]
fn the_answer_to_a_request_tells_the_time() {
    let granted = token(TEXT, b"20260301083000.25Z", Some(NONCE));
    for status in [0, 1] {
        let token = TimestampToken::from_response(&response(status, &granted), &asked());
        let token = token.expect("a stamp");
        assert_eq!(token.time().to_string(), "2026-03-01T08:30:00.250000+00:00");
        assert!(token.is_over(TEXT) && !token.is_over(b"another"));
        assert_eq!(token.der(), granted);
        let renew = token.renew_before().expect("a certificate");
        assert_eq!(renew.to_string(), "2036-12-31T23:59:59.000000+00:00");
        assert_eq!(TimestampToken::from_base64(&token.to_base64()), Ok(token));
    }
}

/// A stamp of last year was played again, for it had no nonce. Another server ended the process of
/// its client.
#[test]
fn an_answer_to_another_request_is_refused() {
    let time = b"20260301083000Z";
    for (token, error) in [
        (
            token(b"another", time, Some(NONCE)),
            TimestampError::OtherText,
        ),
        (token(TEXT, time, None), TimestampError::OtherRequest),
        (token(TEXT, time, Some(8)), TimestampError::OtherRequest),
    ] {
        let answer = TimestampToken::from_response(&response(0, &token), &asked());
        assert_eq!(answer, Err(error));
    }
    let text = der::write(tag::UTF8, "no \u{1b}[31mlicence".as_bytes());
    let status = seq(&[der::write(tag::INTEGER, &[2]), seq(&[text])]);
    let answer = TimestampToken::from_response(&seq(&[status]), &asked());
    let told = answer.expect_err("refused").to_string();
    assert_eq!(told, "the server gave no stamp (status 2: no [31mlicence)");
    let long = token(&TEXT.repeat(2), time, None);
    let padded = [long, vec![0; TOKEN_BYTES_MAX]].concat();
    assert_eq!(TimestampToken::parse(&padded), Err(TimestampError::TooLong));
}

#[test]
fn what_is_no_answer_is_an_error() {
    let sound = response(0, &token(TEXT, b"20260301083000Z", Some(NONCE)));
    assert!(TimestampToken::from_response(&sound, &asked()).is_ok());
    for cut in 0..sound.len() {
        assert!(TimestampToken::from_response(&sound[..cut], &asked()).is_err());
    }
    // Any byte may be another one: that is another stamp, or an error, and never a panic.
    for at in 0..sound.len() {
        for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
            let mut changed = sound.clone();
            changed[at] = byte;
            let _ = TimestampToken::from_response(&changed, &asked());
        }
    }
    for time in [
        &b"20260301083000"[..],
        b"20260301083000+0100",
        b"20261301083000Z",
        b"2026030108300Z",
        b"202603010830xxZ",
        "2026030108300\u{e9}Z".as_bytes(),
    ] {
        let answer = response(0, &token(TEXT, time, Some(NONCE)));
        assert!(
            TimestampToken::from_response(&answer, &asked()).is_err(),
            "{time:?}"
        );
    }
    assert!(TimestampToken::from_response(b"<html>not found</html>", &asked()).is_err());
    assert!(TimestampToken::from_base64("no base64").is_err());
}
