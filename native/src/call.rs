//! The way of one request: read it, take a place, wait in line, answer or run out of time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body::Body;
use tokio::{sync::oneshot, time::timeout_at};
use tonic::Status;

use crate::{
    answer::Answer,
    counters::Counters,
    deadline::{Unreadable, deadline},
    message::{self, Encoding},
    queue::{Queue, Refused, Slot, Waiting},
    refusal,
};

/// A caller that opens a call and never sends its message is let go after this, deadline or not.
const MESSAGE_WAIT: Duration = Duration::from_secs(10);

/// What every call is judged by.
pub struct Calls {
    pub queue: Queue,
    pub counters: Arc<Counters>,
    pub in_flight_limit: u64,
    pub message_bytes_limit: usize,
    pub retry_after: Duration,
}

impl Calls {
    /// Answers a call of the method with this index by asking Python.
    ///
    /// The place is taken only when the message is there, so that half-open calls cannot take them all.
    pub async fn ask<B: Body<Data = Bytes>>(&self, method: usize, request: Request<B>) -> Answer {
        let since = Instant::now();
        self.counters.received.one();
        let (body, deadline) = self.read(request, since).await.inspect_err(|_| self.counters.refused_message.one())?;
        let Some(slot) = Slot::take(&self.counters, self.in_flight_limit) else {
            self.counters.refused_in_flight.one();
            return Err(refusal::overloaded("too many calls in flight", self.retry_after));
        };
        let (answer, answered) = oneshot::channel();
        self.admit(method, Waiting { body, since, deadline, answer, slot })?;
        // A dropped sender means that the queue was closed over this request.
        let answered = async { answered.await.unwrap_or_else(|_| Err(refusal::stopping())) };
        match deadline {
            None => answered.await,
            Some(deadline) => {
                timeout_at(deadline.into(), answered).await.unwrap_or_else(|_| Err(refusal::deadline_exceeded()))
            }
        }
    }

    /// Answers a call with a fixed response: what this server costs without Python.
    pub async fn echo<B: Body<Data = Bytes>>(&self, response: Bytes, request: Request<B>) -> Answer {
        self.read(request, Instant::now()).await.inspect_err(|_| self.counters.refused_message.one())?;
        self.counters.answered_in_rust.one();
        Ok(response)
    }

    /// The message and the caller's deadline.
    async fn read<B: Body<Data = Bytes>>(
        &self,
        request: Request<B>,
        since: Instant,
    ) -> Result<(Bytes, Option<Instant>), Status> {
        let (head, body) = request.into_parts();
        let deadline = deadline(&head.headers, since)
            .map_err(|Unreadable| Status::invalid_argument("grpc-timeout cannot be read"))?;
        let encoding = Encoding::of(&head.headers)?;
        let patience = since + MESSAGE_WAIT;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        let message = timeout_at(until.into(), message::read(body, encoding, self.message_bytes_limit));
        let message = message.await.unwrap_or_else(|_| Err(refusal::deadline_exceeded()))?;
        Ok((message, deadline))
    }

    fn admit(&self, method: usize, waiting: Waiting) -> Result<(), Status> {
        self.queue.push(method, waiting).map_err(|refused| match refused {
            Refused::Slow => {
                self.counters.refused_queue.one();
                refusal::overloaded("calls wait too long", self.retry_after)
            }
            Refused::Closed => {
                self.counters.refused_stopping.one();
                refusal::stopping()
            }
        })
    }
}
