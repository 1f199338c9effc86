//! What a Python thread does for the server: take a batch, leave out who is gone, ask, hand the answers over.

use std::{sync::Arc, time::Instant};

use pyo3::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::{
    answer::Answer,
    batch::{Handler, Outcome},
    call::Calls,
    counters::Counters,
    queue::{Slot, Waiting},
    refusal,
};

/// An answer on its way to the task that waits for it.
pub struct Delivery {
    answer: Answer,
    to: oneshot::Sender<Answer>,
    _slot: Slot,
}

impl Delivery {
    fn hand_over(self, counters: &Counters) {
        match self.to.send(self.answer) {
            Ok(()) => counters.answered.one(),
            Err(_) => counters.late.one(),
        }
    }
}

/// Hands answers over on the network's own thread: one parcel is one wake-up, where answers sent from Python's thread
/// would wake it one by one. With a single answer the detour costs nothing measurable.
pub async fn deliver(mut deliveries: mpsc::UnboundedReceiver<Vec<Delivery>>, counters: Arc<Counters>) {
    while let Some(batch) = deliveries.recv().await {
        batch.into_iter().for_each(|delivery| delivery.hand_over(&counters));
    }
}

pub struct Worker<'a> {
    pub calls: &'a Calls,
    pub handler: &'a Handler,
    pub deliveries: &'a mpsc::UnboundedSender<Vec<Delivery>>,
}

impl Worker<'_> {
    /// Works until the queue is closed, or until the handler raises what is meant to end a thread.
    ///
    /// The GIL is let go only when nothing waits: taking it back from a busy thread may take Python's switch interval.
    pub fn work(&self, py: Python<'_>) -> PyResult<()> {
        let queue = &self.calls.queue;
        let mut batch = Vec::new();
        while let Some(method) = queue.try_take(&mut batch).or_else(|| py.detach(|| queue.take(&mut batch))) {
            let now = Instant::now();
            let mut live = Vec::with_capacity(batch.len());
            live.extend(batch.drain(..).filter_map(|waiting| self.live(waiting, now)));
            if !live.is_empty() {
                self.ask(py, method, live, now)?;
            }
        }
        Ok(())
    }

    /// Requests whose caller has gone, or will have, before Python could answer, are no work.
    fn live(&self, waiting: Waiting, now: Instant) -> Option<Waiting> {
        let counters = &self.calls.counters;
        if waiting.deadline.is_some_and(|deadline| deadline <= now) {
            counters.expired.one();
            let _ = waiting.answer.send(Err(refusal::deadline_exceeded()));
            return None;
        }
        if waiting.answer.is_closed() {
            counters.cancelled.one();
            return None;
        }
        Some(waiting)
    }

    fn ask(&self, py: Python<'_>, method: usize, batch: Vec<Waiting>, now: Instant) -> PyResult<()> {
        let counters = &self.calls.counters;
        counters.batches.one();
        counters.batched_requests.add(batch.len() as u64);
        counters.waited_us.add(batch.iter().map(|waiting| (now - waiting.since).as_micros() as u64).sum());
        let Outcome { answers, fatal } = self.handler.answers(py, counters, method, &batch, now);
        counters.handled_us.add(now.elapsed().as_micros() as u64);
        let deliveries = batch.into_iter().zip(answers);
        let deliveries =
            deliveries.map(|(waiting, answer)| Delivery { answer, to: waiting.answer, _slot: waiting.slot });
        // Nobody receives once the server has ended; the callers are gone then too.
        let _ = self.deliveries.send(deliveries.collect());
        fatal.map_or(Ok(()), Err)
    }
}
