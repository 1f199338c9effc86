//! What lies between the network and Python: requests that wait, one line for each method.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{answer::Answer, counters::Counters};

/// A request that waits for Python.
pub struct Waiting {
    pub body: Bytes,
    pub since: Instant,
    pub deadline: Option<Instant>,
    pub answer: oneshot::Sender<Answer>,
    /// Held until the request is answered or dropped, so that the limit also bounds what waits.
    pub slot: Slot,
}

/// One of the places for calls that wait or are in Python.
pub struct Slot(Arc<Counters>);

impl Slot {
    /// A place, unless `limit` of them are taken.
    pub fn take(counters: &Arc<Counters>, limit: u64) -> Option<Self> {
        counters.in_flight.one_within(limit).then(|| Self(Arc::clone(counters)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.less_one();
    }
}

/// Why a request may not wait.
#[derive(Debug, PartialEq)]
pub enum Refused {
    /// A whole batch is ahead and its oldest has waited longer than the limit: a newcomer would only wait longer still.
    Slow,
    Closed,
}

pub struct Queue {
    lines: Mutex<Lines>,
    arrived: Condvar,
    batch_limit: usize,
    wait_limit: Duration,
    spin: Duration,
}

struct Lines {
    by_method: Vec<VecDeque<Waiting>>,
    idle_workers: usize,
    closed: bool,
}

impl Lines {
    /// The method whose first request has waited longest, and since when.
    fn oldest(&self) -> Option<(usize, Instant)> {
        let firsts = self.by_method.iter().enumerate();
        firsts
            .filter_map(|(method, line)| line.front().map(|first| (method, first.since)))
            .min_by_key(|(_, since)| *since)
    }

    /// Whether a newcomer would wait behind a whole batch of requests, the oldest of which has waited too long already. What fits
    /// into one batch is gone as soon as Python is free: a machine that stalled for a moment is not overloaded.
    fn is_overlong(&self, method: usize, batch_limit: usize, now: Instant, limit: Duration) -> bool {
        let late = |(_, since): (usize, Instant)| now.saturating_duration_since(since) > limit;
        self.by_method[method].len() >= batch_limit && self.oldest().is_some_and(late)
    }

    fn fill(&mut self, batch: &mut Vec<Waiting>, limit: usize) -> Option<usize> {
        let (method, _) = self.oldest()?;
        let line = &mut self.by_method[method];
        batch.extend(line.drain(..limit.min(line.len())));
        Some(method)
    }
}

impl Queue {
    pub fn new(methods: usize, batch_limit: usize, wait_limit: Duration, spin: Duration) -> Self {
        let by_method = (0..methods).map(|_| VecDeque::new()).collect();
        let lines = Mutex::new(Lines { by_method, idle_workers: 0, closed: false });
        Self { lines, arrived: Condvar::new(), batch_limit, wait_limit, spin }
    }

    /// Lets a request wait. Wakes a worker only if one sleeps: under load that saves a system call each time.
    pub fn push(&self, method: usize, waiting: Waiting) -> Result<(), Refused> {
        let mut lines = self.lock();
        if lines.closed {
            return Err(Refused::Closed);
        }
        if lines.is_overlong(method, self.batch_limit, waiting.since, self.wait_limit) {
            return Err(Refused::Slow);
        }
        lines.by_method[method].push_back(waiting);
        let wake = lines.idle_workers > 0;
        drop(lines);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Moves what waits for one method into `batch`, oldest first, and says which; none when nothing waits.
    pub fn try_take(&self, batch: &mut Vec<Waiting>) -> Option<usize> {
        self.lock().fill(batch, self.batch_limit)
    }

    /// The same, but waits until there is something; none when the queue is closed.
    pub fn take(&self, batch: &mut Vec<Waiting>) -> Option<usize> {
        self.look_again(batch).or_else(|| self.sleep(batch))
    }

    /// Looks for a little while before it sleeps: falling asleep and being woken costs more than most handlers do.
    fn look_again(&self, batch: &mut Vec<Waiting>) -> Option<usize> {
        let start = Instant::now();
        while start.elapsed() < self.spin {
            if let Some(method) = self.try_take(batch) {
                return Some(method);
            }
            std::thread::yield_now();
        }
        None
    }

    fn sleep(&self, batch: &mut Vec<Waiting>) -> Option<usize> {
        let mut lines = self.lock();
        loop {
            if lines.closed {
                return None;
            }
            if let Some(method) = lines.fill(batch, self.batch_limit) {
                return Some(method);
            }
            lines.idle_workers += 1;
            lines = self.arrived.wait(lines).unwrap_or_else(PoisonError::into_inner);
            lines.idle_workers -= 1;
        }
    }

    /// Ends all waiting: what waits is dropped, which its callers see as a server that stops, and workers return.
    pub fn close(&self) {
        let mut lines = self.lock();
        lines.closed = true;
        lines.by_method.iter_mut().for_each(VecDeque::clear);
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(counters: &Arc<Counters>, text: &'static str, since: Instant) -> Waiting {
        let (answer, _) = oneshot::channel();
        let slot = Slot::take(counters, 100).unwrap();
        Waiting { body: text.into(), since, deadline: None, answer, slot }
    }

    fn bodies(batch: &[Waiting]) -> Vec<&[u8]> {
        batch.iter().map(|waiting| &waiting.body[..]).collect()
    }

    #[test]
    fn a_batch_is_of_one_method_in_order_and_of_the_oldest_first() {
        let (counters, queue, start) =
            (Arc::default(), Queue::new(2, 2, Duration::from_secs(1), Duration::ZERO), Instant::now());
        for (step, (method, text)) in [(1, "a"), (0, "b"), (1, "c"), (1, "d")].into_iter().enumerate() {
            queue.push(method, waiting(&counters, text, start + Duration::from_millis(step as u64))).unwrap();
        }
        let mut taken = vec![];
        let mut batch = vec![];
        while let Some(method) = queue.try_take(&mut batch) {
            taken.push((method, bodies(&batch).concat()));
            batch.clear();
        }
        assert_eq!(taken, [(1, b"ac".to_vec()), (0, b"b".to_vec()), (1, b"d".to_vec())]);
        assert_eq!(counters.in_flight.get(), 0);
    }

    #[test]
    fn nobody_joins_a_line_that_does_not_move() {
        let (counters, queue, start) =
            (Arc::default(), Queue::new(1, 2, Duration::from_millis(20), Duration::ZERO), Instant::now());
        queue.push(0, waiting(&counters, "a", start)).unwrap();
        queue.push(0, waiting(&counters, "b", start + Duration::from_millis(20))).unwrap();
        let late = queue.push(0, waiting(&counters, "c", start + Duration::from_millis(21)));
        assert_eq!(late, Err(Refused::Slow));
        let mut batch = vec![];
        queue.try_take(&mut batch);
        assert_eq!(bodies(&batch), [b"a", b"b"]);
        queue.push(0, waiting(&counters, "d", start + Duration::from_millis(30))).unwrap();
    }

    #[test]
    fn a_line_that_fits_into_the_next_batch_may_be_joined_however_old_it_is() {
        let (counters, queue, start) =
            (Arc::default(), Queue::new(1, 3, Duration::from_millis(20), Duration::ZERO), Instant::now());
        queue.push(0, waiting(&counters, "a", start)).unwrap();
        queue.push(0, waiting(&counters, "b", start)).unwrap();
        queue.push(0, waiting(&counters, "c", start + Duration::from_secs(1))).unwrap();
        let late = queue.push(0, waiting(&counters, "d", start + Duration::from_secs(1)));
        assert_eq!(late, Err(Refused::Slow));
    }

    #[test]
    fn closing_wakes_workers_and_drops_what_waits() {
        let (counters, queue) = (Arc::default(), Queue::new(1, 8, Duration::from_secs(1), Duration::ZERO));
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| queue.take(&mut vec![]));
            while queue.lock().idle_workers == 0 {
                std::thread::yield_now();
            }
            queue.close();
            assert_eq!(worker.join().unwrap(), None);
        });
        assert_eq!(queue.push(0, waiting(&counters, "a", Instant::now())), Err(Refused::Closed));
        assert_eq!(counters.in_flight.get(), 0);
    }
}
