//! What has happened since the start, counted without a lock and read as a dict by Python.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds up to what it says; only `in_flight` and `connections_open` go down again.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    pub fn one(&self) {
        self.add(1);
    }

    pub fn less_one(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Adds one unless that would pass `limit`.
    pub fn one_within(&self, limit: u64) -> bool {
        if self.0.fetch_add(1, Relaxed) < limit {
            return true;
        }
        self.less_one();
        false
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$says:meta])* $name:ident,)*) => {
        #[derive(Default)]
        pub struct Counters { $($(#[$says])* pub $name: Counter,)* }

        impl Counters {
            /// Name and value of each, in the order in which they are declared.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

counters! {
    /// Calls of a batched method whose headers arrived.
    received,
    /// Calls that the handler answered with a message or a status of its own, in time.
    answered,
    /// Refused because as many calls as allowed were waiting or in Python.
    refused_in_flight,
    /// Refused because the oldest waiting call had waited too long.
    refused_queue,
    /// Refused because the server was stopping.
    refused_stopping,
    /// The message was too large, garbled, late, or in an encoding that is not understood.
    refused_message,
    /// The deadline passed before Python could be asked: Python never saw these.
    expired,
    /// The caller went away before Python could be asked.
    cancelled,
    /// Answers of Python's that came after the deadline or after the caller had gone.
    late,
    /// Batches for which the handler raised or returned no list of the right length.
    failed_batches,
    /// Calls that ended as INTERNAL, those of failed batches included.
    failed,
    /// Calls of the handler.
    batches,
    /// Requests in them.
    batched_requests,
    /// Microseconds that those requests waited for Python, added up.
    waited_us,
    /// Microseconds that the handler took, added up.
    handled_us,
    /// Calls answered without Python: echoes, health, reflection.
    answered_in_rust,
    /// Calls of a method that is not there, or that were no gRPC.
    unknown,
    /// Calls waiting or in Python now.
    in_flight,
    /// Connections accepted.
    connections,
    /// Connections open now.
    connections_open,
    /// Connections that ended in a broken handshake or in bytes that are no HTTP/2.
    connections_failed,
    /// Changed certificates taken into use.
    certificates_reloaded,
    /// Changed certificates that could not be used; the ones before them stay.
    certificates_refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_and_frees() {
        let counter = Counter::default();
        assert!(counter.one_within(1));
        assert!(!counter.one_within(1));
        counter.less_one();
        assert!(counter.one_within(1));
        assert_eq!(counter.get(), 1);
    }
}
