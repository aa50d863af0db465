//! Long work on threads of its own, whose news is heard on this one: only here may stdout be written to.

use std::thread;

use crossbeam_channel::{Sender, bounded, select};

use super::exit::Failure;
use crate::convert::Cancel;

/// News on its way. When nobody keeps up with printing it, the work waits.
const QUEUE: usize = 256;

/// Runs `work`, which tells its news through the sender, and has `hear` told each piece of it. When hearing fails, as
/// when whoever reads stdout has gone, the work is cancelled and waited for.
pub(crate) fn hear<News: Send, Done: Send>(
    cancel: &Cancel,
    work: impl FnOnce(&Sender<News>) -> Done + Send,
    hear: impl FnMut(News) -> Result<(), Failure>,
) -> Result<Done, Failure> {
    hear_or(|| cancel.cancel(), work, hear)
}

/// The same for work that is told to end by `give_up`.
pub(crate) fn hear_or<News: Send, Done: Send>(
    give_up: impl Fn(),
    work: impl FnOnce(&Sender<News>) -> Done + Send,
    mut hear: impl FnMut(News) -> Result<(), Failure>,
) -> Result<Done, Failure> {
    let (tell, told) = bounded(QUEUE);
    thread::scope(|scope| {
        // Closed when the work is over: threads that it left behind may hold on to `tell`.
        let (over, ended) = bounded::<()>(0);
        let working = scope.spawn(move || {
            let _over = over;
            work(&tell)
        });
        let mut failure = None;
        let mut take = |news| {
            if failure.is_none()
                && let Err(failed) = hear(news)
            {
                give_up();
                failure = Some(failed);
            }
        };
        loop {
            select! {
                recv(told) -> news => match news {
                    Ok(news) => take(news),
                    Err(_) => break,
                },
                recv(ended) -> _ => {
                    told.try_iter().for_each(&mut take);
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
    fn work_whose_news_nobody_reads_is_cancelled_and_waited_for() {
        let cancel = Cancel::default();
        let heard = hear(
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

    /// A thread that hangs in a share keeps its sender for ever.
    #[test]
    fn who_holds_on_to_the_sender_is_not_waited_for_when_the_work_is_over() {
        let kept = std::sync::Mutex::new(None);
        let mut heard = Vec::new();
        let done = hear(
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
