//! Runs long work in the background, so that only the calling thread writes to stdout.

use std::thread;

use crossbeam_channel::{Sender, bounded, select};

use super::exit::Failure;
use crate::convert::Cancel;

/// Most messages that were sent but not handled. When it is reached, the work waits.
const QUEUE: usize = 256;

/// Runs `work` on another thread, and handles each message of the work on this thread.
///
/// The work sends messages through the given sender. When handling fails, for example because
/// nobody reads stdout any more, the work is cancelled and awaited.
pub(crate) fn work_in_background<News: Send, Done: Send>(
    cancel: &Cancel,
    work: impl FnOnce(&Sender<News>) -> Done + Send,
    on_news: impl FnMut(News) -> Result<(), Failure>,
) -> Result<Done, Failure> {
    work_in_background_or(|| cancel.cancel(), work, on_news)
}

/// Does what [`work_in_background`] does, but cancels the work by calling `give_up`.
pub(crate) fn work_in_background_or<News: Send, Done: Send>(
    give_up: impl Fn(),
    work: impl FnOnce(&Sender<News>) -> Done + Send,
    mut on_news: impl FnMut(News) -> Result<(), Failure>,
) -> Result<Done, Failure> {
    let (sender, receiver) = bounded(QUEUE);
    thread::scope(|scope| {
        // Closed when the work ends. The message channel may stay open, because a thread that the
        // work left behind may hold a sender.
        let (over, ended) = bounded::<()>(0);
        let working = scope.spawn(move || {
            let _over = over;
            work(&sender)
        });
        let mut failure = None;
        let mut take = |news| {
            if failure.is_none()
                && let Err(failed) = on_news(news)
            {
                give_up();
                failure = Some(failed);
            }
        };
        loop {
            select! {
                recv(receiver) -> news => match news {
                    Ok(news) => take(news),
                    Err(_) => break,
                },
                recv(ended) -> _ => {
                    receiver.try_iter().for_each(&mut take);
                    break;
                }
            }
        }
        let done = working
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        failure.map_or(Ok(done), Err)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_that_nobody_reads_cancels_the_work_and_waits_for_it() {
        let cancel = Cancel::default();
        let heard = work_in_background(
            &cancel,
            |tell| {
                while !cancel.is_cancelled() {
                    let _ = tell.send(1);
                }
            },
            |_| Err(Failure::ReaderGone),
        );
        assert!(matches!(heard, Err(Failure::ReaderGone)));
    }

    /// A thread that hangs in a network folder never drops its sender.
    #[test]
    fn work_that_is_over_is_not_held_up_by_a_sender_left_behind() {
        let kept = std::sync::Mutex::new(None);
        let mut heard = Vec::new();
        let done = work_in_background(
            &Cancel::default(),
            |tell| {
                *kept.lock().expect("no panic") = Some(tell.clone());
                tell.send(1).is_ok() && tell.send(2).is_ok()
            },
            |news| {
                heard.push(news);
                Ok(())
            },
        );
        assert!(matches!(done, Ok(true)));
        assert_eq!(heard, [1, 2]);
    }
}
