//! What is counted, and the JSON made of it.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use hdrhistogram::Histogram;

use crate::call::Outcome;

const DEADLINE_EXCEEDED: u16 = 4;
const LONGEST_NS: u64 = 60_000_000_000;

pub struct Tally {
    /// Of answers with status 0, in ns.
    latencies: Histogram<u64>,
    kinds: BTreeMap<[u8; 2], u64>,
    /// Calls that ended otherwise, by status.
    statuses: BTreeMap<u16, u64>,
    /// Answers that came after the deadline, and calls that the server ended for it.
    late: u64,
    /// Calls whose connection failed.
    broken: u64,
    deadline: Option<Duration>,
}

impl Tally {
    /// With 0 there is no deadline.
    pub fn new(deadline_ms: u64) -> Self {
        Self {
            latencies: Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are valid"),
            kinds: BTreeMap::new(),
            statuses: BTreeMap::new(),
            late: 0,
            broken: 0,
            deadline: (deadline_ms > 0).then(|| Duration::from_millis(deadline_ms)),
        }
    }

    pub fn clear(&mut self) {
        *self = Self { deadline: self.deadline, ..Self::new(0) };
    }

    pub fn count(&mut self, outcome: &Outcome, latency: Duration) {
        if outcome.status == 0 {
            self.latencies.saturating_record(latency.as_nanos() as u64);
            *self.kinds.entry(outcome.kind).or_default() += 1;
            self.late += u64::from(self.deadline.is_some_and(|deadline| latency > deadline));
        } else {
            *self.statuses.entry(outcome.status).or_default() += 1;
            self.late += u64::from(outcome.status == DEADLINE_EXCEEDED);
        }
    }

    pub fn count_broken(&mut self) {
        self.broken += 1;
    }

    /// Calls that have ended, one way or another.
    pub fn ended(&self) -> u64 {
        self.latencies.len() + self.statuses.values().sum::<u64>() + self.broken
    }

    /// One object. `failed` are all that got no answer, but for those that are `late`.
    pub fn json(&self, seconds: f64, cpu_seconds: f64) -> String {
        let calls = self.latencies.len();
        let per_second = calls as f64 / seconds;
        let ms = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1e6;
        let expired = self.statuses.get(&DEADLINE_EXCEEDED).copied().unwrap_or(0);
        let failed = self.statuses.values().sum::<u64>() - expired + self.broken;
        let kinds =
            object(self.kinds.iter().map(|([first, second], count)| (format!("{first:02x}{second:02x}"), count)));
        let statuses = object(self.statuses.iter());
        format!(
            "{{\"calls\": {calls}, \"seconds\": {seconds}, \"per_second\": {per_second}, \"p50_ms\": {}, \"p99_ms\": {}, \
             \"p999_ms\": {}, \"max_ms\": {}, \"late\": {}, \"failed\": {failed}, \"broken\": {}, \"statuses\": {statuses}, \
             \"kinds\": {kinds}, \"cpu_seconds\": {cpu_seconds}}}",
            ms(0.5),
            ms(0.99),
            ms(0.999),
            ms(1.0),
            self.late,
            self.broken,
        )
    }
}

fn object(entries: impl Iterator<Item = (impl Display, impl Display)>) -> String {
    let entries: Vec<_> = entries.map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16) -> Outcome {
        Outcome { status, kind: [8, 1] }
    }

    #[test]
    fn late_and_failed_are_told_apart() {
        let mut tally = Tally::new(50);
        tally.count(&outcome(0), Duration::from_millis(10));
        tally.count(&outcome(0), Duration::from_millis(60));
        tally.count(&outcome(4), Duration::from_millis(50));
        tally.count(&outcome(8), Duration::from_millis(1));
        tally.count_broken();
        assert_eq!(tally.ended(), 5);
        let json = tally.json(2.0, 0.5);
        for part in [
            "\"calls\": 2,",
            "\"per_second\": 1,",
            "\"late\": 2,",
            "\"failed\": 2,",
            "\"broken\": 1,",
            "\"statuses\": {\"4\": 1, \"8\": 1}",
            "\"kinds\": {\"0801\": 2}",
            "\"cpu_seconds\": 0.5}",
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }

    #[test]
    fn clearing_keeps_the_deadline() {
        let mut tally = Tally::new(1);
        tally.count(&outcome(0), Duration::from_millis(2));
        tally.clear();
        assert_eq!(tally.ended(), 0);
        tally.count(&outcome(0), Duration::from_millis(2));
        assert!(tally.json(1.0, 0.0).contains("\"late\": 1,"));
    }
}
