//! Which calls of a connection are in progress, and whether it takes more.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tonic::Status;

use crate::answer::AnswerBody;

#[derive(Default)]
pub struct Traffic {
    closed: AtomicBool,
    calls: AtomicUsize,
    last_ended: Notify,
}

impl Traffic {
    /// A call, in progress until it is dropped; none where no more are taken.
    pub fn begin(self: &Arc<Self>) -> Option<Call> {
        if self.closed.load(Ordering::SeqCst) {
            return None;
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        Some(Call(Arc::clone(self)))
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Returns when no call is in progress; only once closed does that last.
    pub async fn ended(&self) {
        while self.calls.load(Ordering::SeqCst) > 0 {
            self.last_ended.notified().await;
        }
    }
}

pub struct Call(Arc<Traffic>);

impl Drop for Call {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Keeps one permit for whoever is about to wait.
            self.0.last_ended.notify_one();
        }
    }
}

/// An answer whose call is in progress until the last of it has been handed to the connection.
pub struct Answering {
    body: AnswerBody,
    _call: Option<Call>,
}

impl AnswerBody {
    pub fn during(self, call: Option<Call>) -> Answering {
        Answering { body: self, _call: call }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_has_ended_with_its_last_call() {
        let traffic = Arc::new(Traffic::default());
        let (first, second) = (traffic.begin(), traffic.begin());
        traffic.close();
        assert!(traffic.begin().is_none());
        drop(first);
        let ended = tokio::spawn({
            let traffic = Arc::clone(&traffic);
            async move { traffic.ended().await }
        });
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        drop(second);
        ended.await.unwrap();
        traffic.ended().await;
    }
}
