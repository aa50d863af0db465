//! Archived content as a download: never shown by the browser, each piece compared with its hash,
//! and on record before the first byte where accesses are recorded.

use std::fmt::Write as _;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::archive::{BlobReader, HandingOut};
use crate::event::{Door, Handed};
use crate::id::{BlobId, EntryId, Sha256};
use crate::service::content::{record_access, safe_name};
use crate::service::desk::Desk;
use crate::{Error, Result};

/// Bytes that are handed to the connection at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for a slow reader. With them, a download needs half a megabyte of memory.
const PIECES_WAITING: usize = 4;

/// A content that is handed out.
#[derive(Debug, Clone)]
pub(in crate::web) struct Download {
    /// The entry whose content it is.
    pub(in crate::web) entry: EntryId,
    /// Which of its contents.
    pub(in crate::web) what: Handed,
    pub(in crate::web) blob: BlobId,
    pub(in crate::web) sha256: Sha256,
    /// The name that the file gets.
    pub(in crate::web) name: String,
}

/// What a request wants of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// From the first byte to the last one, both included.
    Part(u64, u64),
    /// No byte of it is there.
    Beyond,
}

impl Download {
    /// Returns the tag of the content, which never changes.
    fn tag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }

    /// Opens the content for a request. Records the access, unless no bytes are handed out.
    pub(in crate::web) fn open(
        self,
        desk: &Desk,
        method: &Method,
        headers: &HeaderMap,
        how: &str,
    ) -> Result<Opened> {
        let is_known = is_known(headers, &self.tag());
        let has_bytes = !is_known && *method != Method::HEAD;
        let reader = desk.archive.read(&self.blob)?;
        let wanted = if self.is_same_as(headers.get(header::IF_RANGE)) {
            wanted(headers.get(header::RANGE), reader.size())
        } else {
            Wanted::Whole
        };
        if has_bytes && wanted != Wanted::Beyond {
            // What cannot be recorded because the store is damaged can still be rescued.
            let out = HandingOut::new(self.what, vec![self.entry], how).door(Door::Web);
            record_access(desk, || Ok::<_, Error>(out))?;
        }
        Ok(Opened {
            download: self,
            reader,
            wanted,
            is_known,
            has_bytes,
        })
    }

    fn is_same_as(&self, condition: Option<&HeaderValue>) -> bool {
        condition.is_none_or(|tag| tag.as_bytes() == self.tag().as_bytes())
    }
}

/// A content that is ready to be handed out.
pub(in crate::web) struct Opened {
    download: Download,
    reader: BlobReader,
    wanted: Wanted,
    is_known: bool,
    has_bytes: bool,
}

impl IntoResponse for Opened {
    fn into_response(self) -> Response {
        let size = self.reader.size();
        let (status, from, length) = match self.wanted {
            _ if self.is_known => (StatusCode::NOT_MODIFIED, 0, 0),
            Wanted::Whole => (StatusCode::OK, 0, size),
            Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            Wanted::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
        };
        let body = if self.has_bytes && length > 0 {
            stream(self.reader, from, length)
        } else {
            Body::empty()
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &self.download.tag());
        set(header::CACHE_CONTROL, "private, no-cache");
        if self.is_known {
            return response;
        }
        set(header::ACCEPT_RANGES, "bytes");
        set(header::CONTENT_TYPE, "application/octet-stream");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        );
        set(
            header::CONTENT_DISPOSITION,
            &attachment(&self.download.name),
        );
        match self.wanted {
            Wanted::Part(first, last) => {
                set(
                    header::CONTENT_RANGE,
                    &format!("bytes {first}-{last}/{size}"),
                );
            }
            Wanted::Beyond => set(header::CONTENT_RANGE, &format!("bytes */{size}")),
            Wanted::Whole => {}
        }
        set(header::CONTENT_LENGTH, &length.to_string());
        response
    }
}

/// Returns true when the client has the content already.
pub(in crate::web) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut tags = texts.flat_map(|text| text.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// Reads which part is wanted. Several parts at once, and what is no range, mean the whole.
fn wanted(range: Option<&HeaderValue>, size: u64) -> Wanted {
    let Some(part) = range
        .and_then(|range| range.to_str().ok())
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|part| part.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    match part {
        ("", last) => match number(last) {
            Ok(0) => Wanted::Beyond,
            Ok(last) if size > 0 => Wanted::Part(size.saturating_sub(last), size - 1),
            Ok(_) => Wanted::Beyond,
            Err(_) => Wanted::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Ok(first), _) if first >= size => Wanted::Beyond,
            (Ok(first), Ok(last)) if last >= first => Wanted::Part(first, last.min(size - 1)),
            (Ok(first), Err(_)) if last.trim().is_empty() => Wanted::Part(first, size - 1),
            _ => Wanted::Whole,
        },
    }
}

/// Reads a part of a content on a thread that may block, and hands it on piece by piece. An error
/// ends the connection, so that nobody takes a part for the whole.
fn stream(mut reader: BlobReader, from: u64, length: u64) -> Body {
    let (pieces, waiting) = mpsc::channel::<Result<Bytes>>(PIECES_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        let skipped = reader.skip(from);
        if let Err(error) = skipped {
            // Nobody waits any more when this fails.
            let _ = pieces.blocking_send(Err(error));
            return;
        }
        while left > 0 {
            let bytes = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = vec![0; bytes];
            let read = match reader.read(&mut piece) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) => {
                    let error = match error.downcast::<Error>() {
                        Ok(error) => error,
                        Err(error) => Error::io("read", "the stored content", error),
                    };
                    let _ = pieces.blocking_send(Err(error));
                    return;
                }
            };
            piece.truncate(read);
            left -= read as u64;
            if pieces.blocking_send(Ok(piece.into())).is_err() {
                return;
            }
        }
    });
    Body::new(Pieces(waiting))
}

/// The pieces of a content as they are read.
struct Pieces(mpsc::Receiver<Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Returns the header that makes a browser store a content under a safe name.
pub(in crate::web) fn attachment(name: &str) -> String {
    let name = safe_name(name).unwrap_or_else(|| "content".to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let ascii: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                encoded.push(char::from(byte));
            }
            // Writing into a `String` cannot fail.
            byte => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_browsers_ask_for_it() {
        let range = |text: &str| wanted(Some(&HeaderValue::from_str(text).expect("text")), 100);
        assert_eq!(wanted(None, 100), Wanted::Whole);
        for (text, part) in [
            ("bytes=0-9", Wanted::Part(0, 9)),
            ("bytes=90-", Wanted::Part(90, 99)),
            ("bytes=90-500", Wanted::Part(90, 99)),
            ("bytes=-10", Wanted::Part(90, 99)),
            ("bytes=-500", Wanted::Part(0, 99)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=0-9", Wanted::Whole),
        ] {
            assert_eq!(range(text), part, "{text}");
        }
        let first = HeaderValue::from_static("bytes=0-0");
        assert_eq!(wanted(Some(&first), 0), Wanted::Beyond);
    }

    /// A recorded name comes from a station, and could end the header or leave its folder.
    #[test]
    fn a_file_name_stays_inside_its_header() {
        let header = attachment("../a\"b\r\nSet-Cookie: x;\u{202e}ä.csv");
        assert!(!header.contains(['\r', '\n']), "{header}");
        assert_eq!(header.matches('"').count(), 2, "{header}");
        assert!(header.ends_with("%C3%A4.csv"), "{header}");
        assert_eq!(
            attachment("SN1.csv"),
            "attachment; filename=\"SN1.csv\"; filename*=UTF-8''SN1.csv"
        );
    }
}
