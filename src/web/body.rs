//! Bodies that are written and read piece by piece, by threads that may block.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::Result;
use crate::web::problem::Problem;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;

/// Bytes of a piece of an answer.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for a slow client, or for a slow disk.
const PIECES: usize = 4;

type Piece = io::Result<Bytes>;

/// What comes of the body of a request.
enum Part {
    Piece(Bytes),
    /// It is complete.
    End,
}

/// Returns an answer whose content `write` writes. A client that is slow slows it down, and one
/// that goes away ends it.
///
/// What goes wrong after the first piece cuts the answer off, so that no client takes a part for
/// the whole.
pub(in crate::web) fn written(
    web: Web,
    visitor: Visitor,
    write: impl FnOnce(&Desk, &mut Pieces) -> Result<()> + Send + 'static,
) -> Body {
    let (sender, receiver) = channel(PIECES);
    tokio::spawn(async move {
        let mut pieces = Pieces {
            sender: sender.clone(),
            piece: Vec::with_capacity(PIECE_BYTES),
        };
        let written = web.work(&visitor, move |desk| {
            write(desk, &mut pieces)?;
            // When the client is gone, nobody is there to be told.
            drop(pieces.flush());
            Ok(())
        });
        if let Err(problem) = written.await {
            let cut_off = io::Error::other(problem.detail().to_owned());
            drop(sender.send(Err(cut_off)).await);
        }
    });
    Body::new(Written { receiver })
}

/// Takes the content of an answer.
pub(in crate::web) struct Pieces {
    sender: Sender<Piece>,
    piece: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let sent = self.sender.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.send()
    }
}

struct Written {
    receiver: Receiver<Piece>,
}

impl hyper::body::Body for Written {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.receiver.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Lets `read` read the body of a request on a thread that may block.
///
/// Only a body that came whole has an end: one that breaks off, because the client went away for
/// example, is an error of its reader, so that no part is taken for the whole.
///
/// # Errors
/// What `read` returns.
pub(in crate::web) async fn read<T: Send + 'static>(
    web: &Web,
    visitor: &Visitor,
    mut body: Body,
    read: impl FnOnce(&Desk, Incoming) -> Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let (sender, receiver) = channel(PIECES);
    let forward = async move {
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let part = match frame.map(Frame::into_data) {
                Ok(Ok(piece)) => Ok(Part::Piece(piece)),
                // Trailers say nothing here.
                Ok(Err(_)) => continue,
                Err(error) => Err(io::Error::other(error)),
            };
            let is_over = part.is_err();
            if sender.send(part).await.is_err() || is_over {
                return;
            }
        }
        // Whoever reads no further does not need the end.
        drop(sender.send(Ok(Part::End)).await);
    };
    let incoming = Incoming {
        receiver,
        piece: Bytes::new(),
        is_over: false,
    };
    let (done, ()) = tokio::join!(web.work(visitor, move |desk| read(desk, incoming)), forward);
    done
}

/// The body of a request.
pub(in crate::web) struct Incoming {
    receiver: Receiver<io::Result<Part>>,
    piece: Bytes,
    is_over: bool,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.is_over {
            match self.receiver.blocking_recv() {
                Some(Ok(Part::Piece(piece))) => self.piece = piece,
                Some(Ok(Part::End)) => self.is_over = true,
                Some(Err(error)) => return Err(error),
                None => {
                    let told = "the request broke off before its end";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, told));
                }
            }
        }
        let read = into.len().min(self.piece.len());
        into[..read].copy_from_slice(&self.piece.split_to(read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client went away in the middle of its file. What had come must not be archived as if it
    /// were the file.
    #[test]
    fn a_body_that_breaks_off_has_no_end() {
        for ends in [true, false] {
            let (sender, receiver) = channel(PIECES);
            let send = |part| sender.blocking_send(Ok(part)).map_err(drop);
            send(Part::Piece(Bytes::from_static(b"half"))).expect("room");
            if ends {
                send(Part::End).expect("room");
            }
            drop(sender);
            let mut incoming = Incoming {
                receiver,
                piece: Bytes::new(),
                is_over: false,
            };
            let mut content = Vec::new();
            let read = incoming.read_to_end(&mut content);
            assert_eq!(content, b"half");
            assert_eq!(read.is_ok(), ends);
        }
    }
}
